"""How far an optimised model is from the one that it was made of: drift, agreement, size and speed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from reviewlens.inference.backends.choice import onnx_file
from reviewlens.inference.results import Score
from reviewlens.inference.scorer import Scorer
from reviewlens.training.agreement import compare_scores
from reviewlens.training.findings import NIGHTLY_AGREEMENT, NIGHTLY_HIGHLIGHT, NIGHTLY_SENTIMENT

COLUMNS = ("", "keywords", "sentiments", "highlights", "drift", "MB", "reviews/s", "× torch float32")
_TURN_TEXTS = 50


@dataclass(frozen=True, slots=True)
class Parity:
    """An optimised bundle against its original on the same texts.

    Attributes:
        dtype: of the optimised one.
        reviews: texts that both scored.
        keyword_drift: the largest difference of a keyword's probability.
        sentiment_drift: of a sentiment level's, over the keywords that the original found.
        keyword_agreement: share of keyword decisions (reviews × keywords) that are the same.
        sentiment_agreement: share of the keywords that both found with the same sentiment; None where there are none.
        highlight_agreement: likewise, with the same highlight.
        megabytes: both stages' files.
        reviews_per_second: the full cascade.
        reference_reviews_per_second: the original's, measured in turn.
    """

    dtype: str
    reviews: int
    keyword_drift: float
    sentiment_drift: float
    keyword_agreement: float
    sentiment_agreement: float | None
    highlight_agreement: float | None
    megabytes: float
    reviews_per_second: float
    reference_reviews_per_second: float

    @property
    def speedup(self) -> float:
        """Times as fast as the original."""
        return self.reviews_per_second / self.reference_reviews_per_second

    def to_cells(self) -> list[str]:
        """For a table with `COLUMNS`; the drift is that of keywords and that of sentiments."""
        shares = (self.keyword_agreement, self.sentiment_agreement, self.highlight_agreement)
        return [
            self.dtype,
            *("–" if share is None else f"{share:.2%}" for share in shares),
            f"{self.keyword_drift:.3f}, {self.sentiment_drift:.3f}",
            f"{self.megabytes:.1f}",
            f"{self.reviews_per_second:,.0f}",
            f"{self.speedup:.2f}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in asdict(self).items()
            if name != "dtype"
        }


def measure_parities(
    reference: Scorer,
    optimized: Sequence[Scorer],
    texts: Sequence[str],
    clock: Callable[[], float] = time.perf_counter,
) -> list[Parity]:
    """Score `texts` with all, a few by each in turn, and compare each with the reference.

    Args:
        reference: the original.
        optimized: what was made of it, on ONNX.
        texts: reviews that neither training nor smoothing saw.
        clock: gives seconds.
    """
    (expected, reference_seconds), *others = _score_in_turn((reference, *optimized), texts, clock)
    return [
        _compare(reference, scorer, texts, expected, scores, reference_seconds, seconds)
        for scorer, (scores, seconds) in zip(optimized, others, strict=True)
    ]


def _score_in_turn(
    scorers: Sequence[Scorer], texts: Sequence[str], clock: Callable[[], float]
) -> list[tuple[list[Score], float]]:
    """Each one's scores and seconds. What else the machine does meanwhile slows all alike."""
    scores: list[list[Score]] = [[] for _ in scorers]
    seconds = [0.0] * len(scorers)
    for scorer in scorers:
        scorer.score(texts[:1])
    for start in range(0, len(texts), _TURN_TEXTS):
        for place, scorer in enumerate(scorers):
            began = clock()
            scores[place] += scorer.score(texts[start : start + _TURN_TEXTS])
            seconds[place] += clock() - began
    return list(zip(scores, seconds, strict=True))


def _compare(
    reference: Scorer,
    optimized: Scorer,
    texts: Sequence[str],
    expected: Sequence[Score],
    scores: Sequence[Score],
    reference_seconds: float,
    seconds: float,
) -> Parity:
    dtype = optimized.keyword.backend.dtype
    found = {
        finding.measure: finding.value
        for finding in compare_scores(expected, scores, reference.taxonomy.keywords)
        if not finding.subject
    }
    files = [onnx_file(optimized.bundle.path, stage, dtype) for stage in ("keyword", "sentiment")]
    return Parity(
        dtype=dtype,
        reviews=len(texts),
        keyword_drift=_drift([list(score.probabilities.values()) for score in (*expected, *scores)]),
        sentiment_drift=_sentiment_drift(reference, optimized, texts, expected),
        keyword_agreement=found[NIGHTLY_AGREEMENT] or 0.0,
        sentiment_agreement=found[NIGHTLY_SENTIMENT],
        highlight_agreement=found[NIGHTLY_HIGHLIGHT],
        megabytes=sum(file.stat().st_size for file in files) / 1e6,
        reviews_per_second=len(texts) / seconds,
        reference_reviews_per_second=len(texts) / reference_seconds,
    )


def _sentiment_drift(reference: Scorer, optimized: Scorer, texts: Sequence[str], scores: Sequence[Score]) -> float:
    pairs = [(text, each.keyword) for text, score in zip(texts, scores, strict=True) for each in score.keywords]
    judged = [*reference.sentiments(pairs), *optimized.sentiments(pairs)] if pairs else []
    return _drift([list(each.probabilities.values()) for each in judged])


def _drift(rows: Sequence[Sequence[float]]) -> float:
    """The largest difference between the first half of `rows` and the second."""
    if not rows:
        return 0.0
    first, second = np.split(np.array(rows), 2)
    return float(np.abs(first - second).max())
