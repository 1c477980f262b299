"""PyTorch as backend: float32 or bfloat16, on CPU or GPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForSequenceClassification
from transformers.utils import logging as transformers_logging

from reviewlens.errors import BundleError, DeviceError
from reviewlens.inference.backends import BackendName, Dtype, Ids
from reviewlens.inference.backends.first_token import FirstTokenLayer, read_first_token


class TorchModel:
    """A Hugging Face sequence classifier in PyTorch.

    Args:
        path: a Hugging Face directory with safetensors.
        device: `cpu`, `cuda` or `cuda:N`.
        dtype: `float32` or `bfloat16`.
        threads: CPU threads of one call; as torch has it by itself where None.

    Raises:
        BundleError: the directory holds no such model.
        DeviceError: the device is not there.
    """

    name: BackendName = "torch"

    def __init__(self, path: Path, device: str, dtype: Dtype, threads: int | None = None) -> None:
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise DeviceError(f"Device {device} was asked for, and torch sees no GPU here.")
        self.device, self.dtype = device, dtype
        self.use_threads(threads or torch.get_num_threads())
        self.model = read_first_token(read_model(path, getattr(torch, dtype))).to(device)

    def use_threads(self, threads: int) -> None:
        """Take this many CPU threads from the next call on; torch has one number for the whole process."""
        self.threads = threads
        torch.set_num_threads(threads)

    @torch.inference_mode()
    def logits(self, ids: Ids, mask: Ids) -> npt.NDArray[np.float32]:
        """Logits of shape (rows, classes); see `Backend`."""
        logits: torch.Tensor = self.model(**self._as_input(ids, mask)).logits
        return np.asarray(logits.float().cpu().numpy(), dtype=np.float32)

    @torch.inference_mode()
    def mean_states(self, ids: Ids, mask: Ids) -> npt.NDArray[np.float32]:
        """The encoder's last hidden states, averaged over each row's real tokens, of shape (rows, hidden)."""
        inputs = self._as_input(ids, mask)
        with self._all_tokens():
            states = self.model.base_model(**inputs).last_hidden_state.float()
        here = inputs["attention_mask"].unsqueeze(-1).float()
        return np.asarray(((states * here).sum(dim=1) / here.sum(dim=1)).cpu().numpy(), dtype=np.float32)

    def mask_slopes(
        self, ids: Ids, mask: Ids, hideable: Ids, columns: npt.NDArray[np.intp], mask_id: int, at: float
    ) -> npt.NDArray[np.float32]:
        """Slopes of logits along the steps from tokens' embeddings to the mask's, on the way from text to all masks.

        Args:
            ids: token ids of shape (rows, longest).
            mask: of the same shape, 1 where a token is real.
            hideable: of the same shape, 1 where a token belongs to a word.
            columns: the classes to look at, of shape (rows, classes of a row).
            mask_id: the mask token.
            at: where on the way: 0 is the text, 1 all masks.

        Returns:
            Of shape (rows, classes of a row, longest).
        """
        inputs = self._as_input(ids, mask)
        embed = self.model.get_input_embeddings()
        text = embed(inputs["input_ids"])
        steps = embed(torch.tensor(mask_id, device=self.device)) - text
        steps = steps * torch.from_numpy(hideable).to(self.device).unsqueeze(-1)
        embeddings = (text + at * steps).requires_grad_()
        logits = self.model(inputs_embeds=embeddings, attention_mask=inputs["attention_mask"]).logits
        chosen = logits.gather(1, torch.from_numpy(columns).to(self.device))
        slopes = []
        for column in range(chosen.shape[1]):
            keep = column + 1 < chosen.shape[1]
            [gradient] = torch.autograd.grad(chosen[:, column].sum(), embeddings, retain_graph=keep)
            slopes.append((gradient * steps).float().sum(dim=-1))
        return np.asarray(torch.stack(slopes, dim=1).cpu().numpy(), dtype=np.float32)

    def _as_input(self, ids: Ids, mask: Ids) -> dict[str, torch.Tensor]:
        inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        return {name: tensor.to(self.device) for name, tensor in inputs.items()}

    @contextmanager
    def _all_tokens(self) -> Iterator[None]:
        last = self.model.base_model.encoder.layer[-1]
        narrow = isinstance(last, FirstTokenLayer)
        if narrow:
            last.whole = True
        yield
        if narrow:
            last.whole = False


def read_model(path: Path, dtype: torch.dtype) -> Any:
    """The Hugging Face sequence classifier at `path`, ready to predict.

    Raises:
        BundleError: the directory holds no model that can be loaded.
    """
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        model = AutoModelForSequenceClassification.from_pretrained(
            path,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=dtype,
            attn_implementation="sdpa",
        )
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} is not a model that can be loaded: {error}") from error
    return model.eval().requires_grad_(False)
