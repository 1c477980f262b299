"""One sequence classifier: token ids in, probabilities out, batch by batch under a token budget."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase

from reviewlens.errors import BundleError, ConfigError, InferenceError
from reviewlens.inference.backends import Backend, Ids
from reviewlens.inference.backends.torch_model import TorchModel
from reviewlens.inference.batching import plan_batches
from reviewlens.inference.failures import Batch, compute_in_halves
from reviewlens.inference.tokens import TextEncoder
from reviewlens.inference.work import Work

_OFFSET_MODELS = ("roberta", "xlm-roberta", "camembert")  # their positions start after the padding index
_log = logging.getLogger(__name__)

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Probabilities of shape (inputs, classes), and the reason of each input that has none; its row is NaN."""

    probabilities: Rows
    failures: dict[int, str]

    def whole(self) -> Rows:
        """The probabilities, for callers that need every one.

        Raises:
            InferenceError: an input has none.
        """
        for row, reason in self.failures.items():
            raise InferenceError(f"Input number {row} could not be computed: {reason}.")
        return self.probabilities


class Classifier:
    """Sigmoid or softmax probabilities, as the model's `problem_type` says.

    Args:
        path: a Hugging Face directory with a fast tokenizer that has a mask token.
        classes: the names that the model's outputs must have, in order.
        backend: what runs the model.
        token_budget: padded tokens of a batch.

    Raises:
        BundleError: the directory holds no model for these classes.
    """

    def __init__(self, path: Path, classes: Sequence[str], backend: Backend, token_budget: int) -> None:
        try:
            config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise BundleError(f"{path} is not a model that can be loaded: {error}") from error
        if [config.id2label[index] for index in range(config.num_labels)] != list(classes):
            raise BundleError(f"{path}: the model's classes are not the taxonomy's, in the taxonomy's order.")
        if not tokenizer.is_fast or tokenizer.mask_token is None:
            raise BundleError(f"{path}: highlights need a fast tokenizer with a mask token.")
        self.backend, self.token_budget = backend, token_budget
        self.encoder = TextEncoder(tokenizer, window_tokens(config, tokenizer))
        self._classes, self._hidden = config.num_labels, config.hidden_size
        self._multi_label = config.problem_type == "multi_label_classification"

    def predict(self, inputs: Sequence[Ids], work: Work) -> Predictions:
        """Probabilities of each input. Equal inputs are computed once, so they get equal rows.

        Args:
            inputs: token ids, special tokens included.
            work: what it costs is added here.

        Raises:
            DeviceLostError: the device failed in a way that later calls cannot survive.
        """
        rows, failures = self._run(inputs, self._classes, self.backend.logits, work)
        probabilities = _sigmoid(rows) if self._multi_label else _softmax(rows)
        for row in np.flatnonzero(~np.isfinite(rows).all(axis=1)).tolist():
            failures.setdefault(row, "not_finite")
            probabilities[row] = np.nan
        return Predictions(probabilities, failures)

    def embed(self, inputs: Sequence[Ids]) -> Rows:
        """The encoder's last hidden states, averaged over each input's tokens, of shape (inputs, hidden).

        Raises:
            ConfigError: the backend gives no hidden states.
        """
        if not isinstance(self.backend, TorchModel):
            raise ConfigError("Vectors need the backend torch: set backend to torch or auto.")
        return self._run(inputs, self._hidden, self.backend.mean_states, Work())[0]

    def pad(self, inputs: Sequence[Ids]) -> tuple[Ids, Ids]:
        """A batch's token ids of shape (inputs, longest), padded at the end, and its mask, 1 where a token is real."""
        lengths = np.array([len(ids) for ids in inputs])
        padded = np.full((len(inputs), int(lengths.max())), self.encoder.pad_id, dtype=np.int64)
        for row, ids in zip(padded, inputs, strict=True):
            row[: len(ids)] = ids
        return padded, (np.arange(padded.shape[1]) < lengths[:, None]).astype(np.int64)

    def _run(
        self, inputs: Sequence[Ids], width: int, forward: Callable[[Ids, Ids], Rows], work: Work
    ) -> tuple[Rows, dict[int, str]]:
        """What `forward` gives for each input, and why it gives nothing for some."""
        numbers: dict[bytes, int] = {}
        place = [numbers.setdefault(ids.tobytes(), len(numbers)) for ids in inputs]
        distinct: list[Ids] = [np.empty(0, np.int64)] * len(numbers)
        for number, ids in zip(place, inputs, strict=True):
            distinct[number] = ids
        rows = np.full((len(distinct), width), np.nan, dtype=np.float32)
        reasons: dict[int, str] = {}

        def compute(batch: Batch) -> None:
            ids, mask = self.pad([distinct[row] for row in batch.tolist()])
            rows[batch] = forward(ids, mask)
            work.real_tokens += int(mask.sum())
            work.computed_tokens += ids.size

        self.run_batches(distinct, compute, reasons.__setitem__)
        if reasons:
            _log.warning(
                "%d of %d inputs failed in the model: %s.", len(reasons), len(distinct), Counter(reasons.values())
            )
        work.inputs += len(inputs)
        work.duplicates += len(inputs) - len(distinct)
        failures = {row: reasons[number] for row, number in enumerate(place) if number in reasons}
        return rows[place], failures

    def run_batches(
        self, inputs: Sequence[Ids], compute: Callable[[Batch], None], refuse: Callable[[int, str], None]
    ) -> None:
        """`compute_in_halves` over batches of `inputs` under the token budget, which shrinks where memory runs out."""
        lengths = [len(ids) for ids in inputs]
        for batch in plan_batches(lengths, self.token_budget):
            if fewest := compute_in_halves(batch, compute, refuse):
                self.token_budget = min(self.token_budget, max(fewest * lengths[batch[0]] // 2, 1))


def window_tokens(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    """The longest input of a model in tokens, special tokens included."""
    positions: int = getattr(config, "max_position_embeddings", tokenizer.model_max_length)
    if config.model_type in _OFFSET_MODELS:
        positions -= config.pad_token_id + 1
    return min(positions, int(tokenizer.model_max_length))


def _sigmoid(logits: Rows) -> Rows:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -80, 80))), dtype=np.float32)


def _softmax(logits: Rows) -> Rows:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
