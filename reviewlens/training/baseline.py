"""The baseline that a trained pair of models has to beat: character n-grams and logistic regression, on one CPU."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from reviewlens.inference.highlight import find_highlight
from reviewlens.inference.results import Highlight, SentimentScore, WordEffects
from reviewlens.taxonomy import Taxonomy
from reviewlens.text import hide_words, normalize, split_words
from reviewlens.training.dataset import LabelledReview, keyword_matrix, sentiment_pairs

_GRAMS = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3), lowercase=False).build_analyzer()
# Chosen on a held-out part of the written corpus; a keyword C of 100 takes longer for 0.004 of F1.
_KEYWORD_C, _SENTIMENT_C = 30.0, 10.0


class Baseline:
    """A cascade as `reviewlens.training.evaluation` measures it, whose highlights hide a word by taking it out."""

    def __init__(self, taxonomy: Taxonomy, keyword: Pipeline, sentiment: Pipeline) -> None:
        self.taxonomy = taxonomy
        self._keyword, self._sentiment = keyword, sentiment

    @classmethod
    def fit(cls, reviews: Sequence[LabelledReview], taxonomy: Taxonomy) -> Self:
        """Fit both stages, in a minute or two for ten thousand reviews. At least two sentiment levels must occur."""
        keyword = _make_classifier(_read_grams, _KEYWORD_C)
        keyword.fit([normalize(review.text) for review in reviews], keyword_matrix(reviews, taxonomy))
        pairs = sentiment_pairs(reviews)
        sentiment = _make_classifier(_read_pair_grams, _SENTIMENT_C)
        sentiment.fit(
            [(normalize(text), label.keyword) for text, label in pairs],
            [taxonomy.sentiment_names.index(label.sentiment) for _, label in pairs],
        )
        return cls(taxonomy, keyword, sentiment)

    def keyword_probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Every keyword's probability, of shape (texts, keywords)."""
        probabilities: npt.NDArray[np.float64] = self._keyword.predict_proba([normalize(text) for text in texts])
        return probabilities

    def sentiments(self, pairs: Sequence[tuple[str, str]]) -> list[SentimentScore]:
        """The sentiment of each (text, keyword)."""
        names = self.taxonomy.sentiment_names
        probabilities = np.zeros((len(pairs), len(names)))
        # A level that no training pair has is no class of the classifier, and keeps probability 0.
        probabilities[:, self._sentiment.classes_] = self._sentiment.predict_proba(
            [(normalize(text), keyword) for text, keyword in pairs]
        )
        return [
            SentimentScore(names[best], float(row[best]), dict(zip(names, row.tolist(), strict=True)))
            for row, best in zip(probabilities, probabilities.argmax(axis=1).tolist(), strict=True)
        ]

    def highlights(self, pairs: Sequence[tuple[str, str]]) -> list[Highlight | None]:
        """The word of each text whose absence lowers the keyword's probability most, or None."""
        effects = {text: self._leave_out(text) for text, _ in pairs}
        return [find_highlight(effects[text], self.taxonomy.keywords.index(keyword)) for text, keyword in pairs]

    def _leave_out(self, text: str) -> WordEffects:
        words = split_words(text)
        variants = [text, *(hide_words(text, [word], "") for word in words)]
        whole, *without = self.keyword_probabilities(variants)
        return WordEffects(words, whole.astype(np.float32), np.array(without, dtype=np.float32))


def _make_classifier(analyzer: Any, c: float) -> Pipeline:
    return make_pipeline(
        TfidfVectorizer(analyzer=analyzer, sublinear_tf=True, min_df=2),
        OneVsRestClassifier(LogisticRegression(C=c, solver="liblinear")),
    )


def _read_grams(text: str) -> list[str]:
    grams: list[str] = _GRAMS(text)
    return grams


def _read_pair_grams(pair: tuple[str, str]) -> list[str]:
    """The text's n-grams twice: as they are, and tied to the keyword, so that each keyword has weights of its own."""
    text, keyword = pair
    grams = _read_grams(text)
    return [*grams, *(f"{keyword}\x00{gram}" for gram in grams)]
