"""How well a cascade does on labelled reviews: keywords, their sentiments, and their highlights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from reviewlens.errors import InputContractError
from reviewlens.inference.results import Highlight, SentimentScore
from reviewlens.inference.scorer import Scorer
from reviewlens.taxonomy import Taxonomy
from reviewlens.text import normalize
from reviewlens.training.dataset import LabelledReview, keyword_matrix, sentiment_pairs
from reviewlens.training.metrics import ClassFigures, classification_table, describe_table


class Cascade(Protocol):
    """What is measured: the three stages, each callable alone. `Scorer` is one, `Baseline` another."""

    taxonomy: Taxonomy

    def keyword_probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.floating]:
        """Every keyword's probability, of shape (texts, keywords)."""

    def sentiments(self, pairs: Sequence[tuple[str, str]]) -> list[SentimentScore]:
        """The sentiment of each (text, keyword)."""

    def highlights(self, pairs: Sequence[tuple[str, str]]) -> list[Highlight | None]:
        """The highlight of each (text, keyword), or None."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures over `reviews` labelled reviews that name `pairs` keywords between them.

    `keywords` is measured at the thresholds. `sentiments`, both accuracies and the highlights are measured on the true
    keywords, whether they were found or not: accuracy over all levels, accuracy of the sign of the level's value
    (negative, neutral, positive), and `highlight_hits` of the `highlight_pairs` with evidence.
    """

    reviews: int
    pairs: int
    keywords: list[ClassFigures]
    sentiments: list[ClassFigures]
    sentiment_accuracy: float
    sign_accuracy: float
    highlight_pairs: int
    highlight_hits: int

    @property
    def highlight_hit_rate(self) -> float | None:
        """Share of pairs whose highlight is one of the evidence words (hit@1); None where no pair has evidence."""
        return self.highlight_hits / self.highlight_pairs if self.highlight_pairs else None

    def to_dict(self) -> dict[str, Any]:
        """The evaluation as JSON takes it."""
        return {
            "reviews": self.reviews,
            "pairs": self.pairs,
            "keywords": describe_table(self.keywords),
            "sentiments": describe_table(self.sentiments),
            "sentiment_accuracy": self.sentiment_accuracy,
            "sign_accuracy": self.sign_accuracy,
            "highlight_pairs": self.highlight_pairs,
            "highlight_hits": self.highlight_hits,
            "highlight_hit_rate": self.highlight_hit_rate,
        }


def evaluate(scorer: Scorer, reviews: Sequence[LabelledReview]) -> Evaluation:
    """Measure a bundle at its own thresholds.

    Raises:
        InputContractError: the reviews name no keyword.
    """
    return measure(scorer, scorer.bundle.manifest.thresholds, reviews)


def measure(cascade: Cascade, thresholds: Mapping[str, float], reviews: Sequence[LabelledReview]) -> Evaluation:
    """Measure a cascade; a keyword is found where its probability is at least its threshold.

    Raises:
        InputContractError: the reviews name no keyword.
    """
    taxonomy = cascade.taxonomy
    pairs = sentiment_pairs(reviews)
    if not pairs:
        raise InputContractError(
            f"Nothing to measure: {len(reviews)} labelled reviews name no keyword. Give more labels."
        )
    probabilities = cascade.keyword_probabilities([review.text for review in reviews])
    limits = np.array([thresholds[name] for name in taxonomy.keywords], dtype=probabilities.dtype)
    found = (probabilities >= limits).astype(np.int8)

    names = taxonomy.sentiment_names
    truth = np.array([names.index(label.sentiment) for _, label in pairs])
    judged = cascade.sentiments([(text, label.keyword) for text, label in pairs])
    predicted = np.array([names.index(score.sentiment) for score in judged])
    signs = np.sign([level.value for level in taxonomy.sentiments])

    highlight_pairs, highlight_hits = _count_hits(cascade, reviews)
    return Evaluation(
        reviews=len(reviews),
        pairs=len(pairs),
        keywords=classification_table(keyword_matrix(reviews, taxonomy), found, taxonomy.keywords),
        sentiments=classification_table(truth, predicted, names),
        sentiment_accuracy=float(np.mean(truth == predicted)),
        sign_accuracy=float(np.mean(signs[truth] == signs[predicted])),
        highlight_pairs=highlight_pairs,
        highlight_hits=highlight_hits,
    )


def _count_hits(cascade: Cascade, reviews: Sequence[LabelledReview]) -> tuple[int, int]:
    pairs = [(text, label) for text, label in sentiment_pairs(reviews) if label.evidence]
    highlights = cascade.highlights([(text, label.keyword) for text, label in pairs])
    hits = [
        highlight is not None and normalize(highlight.word) in map(normalize, label.evidence)
        for highlight, (_, label) in zip(highlights, pairs, strict=True)
    ]
    return len(hits), sum(hits)
