"""Which words of a review are worth hiding: those that a first-order estimate ranks highest."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from reviewlens.errors import ConfigError
from reviewlens.inference.backends import Ids
from reviewlens.inference.backends.torch_model import TorchModel
from reviewlens.inference.classifier import Classifier
from reviewlens.inference.failures import Batch
from reviewlens.inference.tokens import Reading

_AT = 0.45  # a little before half-way ranked best on the starter; the text itself, 0, ranks badly

Chosen = npt.NDArray[np.bool_]


def choose_words(keyword: Classifier, readings: Sequence[Reading], found: Chosen, most: int) -> list[Chosen]:
    """For each reading, whether each of its words is among the best `most` of a keyword that was found in it.

    A word's rank comes from one gradient pass: the sum over its tokens of the slope of the keyword's logit along the
    step from the token's embedding to the mask's, taken about half-way between the text and all masks. That is
    integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365, equation 1) with one point of support; at the text
    itself, where other words still speak for the keyword, slopes say little. Readings whose words have no place among
    the tokens, and those that the gradient pass fails on, keep all of them.

    Args:
        keyword: the first stage.
        readings: what was read.
        found: of shape (readings, keywords).
        most: words of each keyword.

    Raises:
        ConfigError: the backend has no gradients.
    """
    model = keyword.backend
    if not isinstance(model, TorchModel):
        raise ConfigError("highlight.mode shortlist needs gradients: set backend to torch, or highlight.mode to exact.")
    chosen = [np.full(len(reading.words), reading.places is None or len(reading.words) <= most) for reading in readings]
    counts = found.sum(axis=1)
    undecided = np.array([not words.all() for words in chosen], dtype=bool)
    for count in np.unique(counts[undecided]).tolist():
        rows = np.flatnonzero(undecided & (counts == count))
        columns = np.nonzero(found[rows])[1].reshape(len(rows), count)
        group = [readings[row] for row in rows.tolist()]
        marks = [chosen[row] for row in rows.tolist()]

        def compute(
            batch: Batch, group: list[Reading] = group, columns: Batch = columns, marks: list[Chosen] = marks
        ) -> None:
            members = [group[row] for row in batch.tolist()]
            ids, mask = keyword.pad([reading.ids for reading in members])
            hideable = _mark_words([reading.places or [] for reading in members], ids.shape)
            slopes = model.mask_slopes(ids, mask, hideable, columns[batch], keyword.encoder.mask_id, _AT)
            for row, steps in zip(batch.tolist(), slopes, strict=True):
                _choose(group[row], steps, most, marks[row])

        def keep_all(row: int, _reason: str, marks: list[Chosen] = marks) -> None:
            marks[row][:] = True

        keyword.run_batches([reading.ids for reading in group], compute, keep_all)
    return chosen


def _mark_words(places: Sequence[Sequence[tuple[int, int]]], shape: tuple[int, ...]) -> Ids:
    marks = np.zeros(shape, dtype=np.int64)
    for row, words in zip(marks, places, strict=True):
        for start, end in words:
            row[start:end] = 1
    return marks


def _choose(reading: Reading, steps: npt.NDArray[np.float32], most: int, chosen: Chosen) -> None:
    """Mark the best words of each keyword, by estimates of shape (keywords, tokens)."""
    starts, ends = np.array(reading.places, dtype=np.intp).T
    sums: npt.NDArray[np.float64] = np.pad(np.cumsum(steps, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    changes: npt.NDArray[np.float64] = sums[:, ends] - sums[:, starts]
    chosen[np.argsort(changes, axis=1, kind="stable")[:, :most].ravel()] = True
