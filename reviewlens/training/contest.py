"""Two bundles on the same labelled reviews, stage by stage."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from reviewlens.training.comparison import (
    Limits,
    compare_keywords,
    compare_sentiments,
    count_keywords,
    count_sentiments,
)
from reviewlens.training.dataset import LabelledReview, keyword_matrix
from reviewlens.training.evaluation import Cascade
from reviewlens.training.faithfulness import Explained, compare_faithfulness, measure_faithfulness
from reviewlens.training.findings import Finding, with_verdict


class Model(Cascade, Explained, Protocol):
    """What is compared; `Scorer` is one."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model with its thresholds: a keyword is found where its probability is at least its threshold."""

    model: Model
    thresholds: Mapping[str, float]

    def find_keywords(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Which keywords are found, of shape (texts, keywords)."""
        probabilities = self.model.keyword_probabilities(texts)
        limits = [self.thresholds[name] for name in self.model.taxonomy.keywords]
        found: npt.NDArray[np.bool_] = probabilities >= np.array(limits, dtype=probabilities.dtype)
        return found


def compare_bundles(
    champion: Contestant,
    challenger: Contestant,
    reviews: Sequence[LabelledReview],
    limits: Limits,
    resamples: int,
    confidence: float,
    seed: int,
    tell: Callable[[str], None],
) -> list[Finding]:
    """The verdict, then figures of keywords, sentiments and highlights.

    Keywords are measured at the thresholds. Sentiments are measured on the true keywords, found or not. Highlights are
    measured on the true keywords that both find, so that both are measured on the same pairs and none on a keyword that
    it does not see.

    Args:
        champion: the model in service.
        challenger: the one that wants to serve; of the same taxonomy.
        reviews: what both are measured on, and neither learned from.
        limits: what the gates demand.
        resamples: of the bootstrap.
        confidence: of the intervals.
        seed: of everything random.
        tell: is told what is done next.
    """
    taxonomy, texts = champion.model.taxonomy, [review.text for review in reviews]
    both = (champion, challenger)
    truth = keyword_matrix(reviews, taxonomy)
    tell(f"Keywords of {len(reviews):,} test reviews")
    found = [each.find_keywords(texts) for each in both]
    counts = [count_keywords(truth, each.astype(np.int8)) for each in found]
    findings = compare_keywords(counts[0], counts[1], taxonomy.keywords, limits, resamples, confidence, seed)

    tell(f"Sentiments of their {int(truth.sum()):,} keywords")
    counts = [_count_sentiments(each.model, reviews) for each in both]
    findings += compare_sentiments(counts[0], counts[1], limits, resamples, confidence, seed)

    shared = np.argwhere(truth.astype(bool) & found[0] & found[1])
    pairs = [(texts[row], taxonomy.keywords[column]) for row, column in shared.tolist()]
    tell(f"Words that both go by for the {len(pairs):,} true keywords that both find")
    measured = [measure_faithfulness(each.model, pairs, seed) for each in both]
    findings += compare_faithfulness(measured[0], measured[1], shared[:, 0], len(reviews), resamples, confidence, seed)
    return with_verdict(findings, len(reviews))


def _count_sentiments(model: Cascade, reviews: Sequence[LabelledReview]) -> npt.NDArray[np.float64]:
    names = model.taxonomy.sentiment_names
    labels = [(row, review.text, label) for row, review in enumerate(reviews) for label in review.labels]
    judged = model.sentiments([(text, label.keyword) for _, text, label in labels])
    return count_sentiments(
        np.array([row for row, _, _ in labels], dtype=np.intp),
        np.array([names.index(label.sentiment) for _, _, label in labels], dtype=np.intp),
        np.array([names.index(score.sentiment) for score in judged], dtype=np.intp),
        len(reviews),
        len(names),
    )
