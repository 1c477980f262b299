"""What a contestant says of a review, the same for all of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from reviewlens.inference.results import Score

Stage = Literal["cascade", "keyword"]


class Found(NamedTuple):
    """A keyword that was found: its sentiment, and where its highlight is; None where that was not computed or none."""

    sentiment: str | None = None
    start: int | None = None
    end: int | None = None


Labels = dict[str, Found]  # by keyword
Contestant = Callable[[Sequence[str]], list[Labels]]


def is_found(probability: float, threshold: float) -> bool:
    """The decision as the library takes it, in float32."""
    return bool(np.float32(probability) >= np.float32(threshold))


def find_keywords(probabilities: Mapping[str, float], thresholds: Mapping[str, float]) -> list[str]:
    """The keywords at or over their thresholds, in the order of `thresholds`."""
    return [name for name, threshold in thresholds.items() if is_found(probabilities[name], threshold)]


def as_labels(score: Score) -> Labels:
    """A score as the contestants give theirs."""
    labels: Labels = {}
    for each in score.keywords:
        place = (each.highlight.start, each.highlight.end) if each.highlight else (None, None)
        labels[each.keyword] = Found(each.sentiment, *place)
    return labels
