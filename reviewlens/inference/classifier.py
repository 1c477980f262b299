"""One Hugging Face sequence classifier on one device: texts in, probabilities out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from reviewlens.errors import BundleError, DeviceError
from reviewlens.inference.batching import plan_batches

Dtype = Literal["float32", "bfloat16"]
_OFFSET_MODELS = ("roberta", "xlm-roberta", "camembert")  # their positions start after the padding index


class Classifier:
    """Sigmoid or softmax probabilities of texts, as the model's `problem_type` says.

    Args:
        path: a Hugging Face directory with safetensors and a fast tokenizer that has a mask token.
        classes: the names that the model's outputs must have, in order.
        device: `cpu`, `cuda` or `cuda:N`.
        dtype: what matrices are multiplied in; probabilities are float32 always.
        token_budget: padded tokens of a batch.

    Raises:
        BundleError: the directory holds no model for these classes.
        DeviceError: the device is not there.
    """

    def __init__(self, path: Path, classes: Sequence[str], device: str, dtype: Dtype, token_budget: int) -> None:
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise DeviceError(f"Device {device} was asked for, and torch sees no GPU here.")
        self._device = torch.device(device)
        self._token_budget = token_budget
        transformers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
            model = AutoModelForSequenceClassification.from_pretrained(
                path, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=getattr(torch, dtype)
            )
        except (OSError, ValueError) as error:
            raise BundleError(f"{path} is not a model that can be loaded: {error}") from error
        if [model.config.id2label[index] for index in range(model.config.num_labels)] != list(classes):
            raise BundleError(f"{path}: the model's classes are not the taxonomy's, in the taxonomy's order.")
        if not self.tokenizer.is_fast or self.tokenizer.mask_token is None:
            raise BundleError(f"{path}: highlights need a fast tokenizer with a mask token.")
        self._model = model.to(self._device).eval()
        self._multi_label = model.config.problem_type == "multi_label_classification"
        self.window = window_tokens(model.config, self.tokenizer)

    @property
    def mask(self) -> str:
        """The text of the mask token."""
        return str(self.tokenizer.mask_token)

    @torch.inference_mode()
    def predict(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Probabilities of shape (texts, classes). Equal texts are computed once, so they get equal rows."""
        return self._run(texts, self._model.config.num_labels, self._classify)

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The encoder's last hidden states, averaged over each text's tokens, of shape (texts, hidden)."""
        return self._run(texts, self._model.config.hidden_size, self._pool)

    def _run(
        self, texts: Sequence[str], width: int, forward: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    ) -> npt.NDArray[np.float32]:
        """Rows that `forward` gives for token ids and their attention mask, batch by batch, equal texts once."""
        distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        rows = np.empty((len(distinct), width), dtype=np.float32)
        if not distinct:
            return rows
        tokens: list[list[int]] = self.tokenizer(list(distinct), truncation=True, max_length=self.window)["input_ids"]
        for batch in plan_batches([len(ids) for ids in tokens], self._token_budget):
            padded = self.tokenizer.pad({"input_ids": [tokens[row] for row in batch]}, return_tensors="pt")
            ids, mask = padded["input_ids"].to(self._device), padded["attention_mask"].to(self._device)
            rows[batch] = forward(ids, mask).cpu().numpy()
        return rows[[distinct[text] for text in texts]]

    def _classify(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self._model(input_ids=ids, attention_mask=mask).logits.float()
        return torch.sigmoid(logits) if self._multi_label else torch.softmax(logits, dim=-1)

    def _pool(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self._model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        here = mask.unsqueeze(-1).float()
        return (states * here).sum(dim=1) / here.sum(dim=1)

    def fit_window(self, texts: Sequence[str], reserve: int) -> list[int]:
        """How many characters of each text fit into the window beside `reserve` more tokens.

        The cut falls at the end of a word; where not even the first word fits, inside that word.
        """
        room = self.window - reserve
        encoded = self.tokenizer(list(texts), return_offsets_mapping=True, add_special_tokens=False, verbose=False)
        return [
            len(text) if len(spans) <= room else _last_word_end(text, spans[room - 1][1])
            for text, spans in zip(texts, encoded["offset_mapping"], strict=True)
        ]


def window_tokens(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    """The longest input of a model in tokens, special tokens included."""
    positions: int = getattr(config, "max_position_embeddings", tokenizer.model_max_length)
    if config.model_type in _OFFSET_MODELS:
        positions -= config.pad_token_id + 1
    return min(positions, int(tokenizer.model_max_length))


def _last_word_end(text: str, end: int) -> int:
    if text[end : end + 1].isspace():
        return end
    kept = text[:end].rsplit(maxsplit=1)
    head = text[:end]
    return len(head) - len(kept[-1]) if len(kept) > 1 else end
