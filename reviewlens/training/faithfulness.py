"""Do highlights show what the model goes by? Comprehensiveness and sufficiency, each beside a random word's.

After DeYoung et al. 2020, "ERASER: A benchmark to evaluate rationalized NLP models", section 4.2. With p the
probability of a keyword:

- comprehensiveness = p(text) - p(text with the top k words hidden): high where the words are needed;
- sufficiency = p(text) - p(text with all but the top k words hidden): low where the words are enough.

Words are ranked by what hiding each of them alone takes from p. Hidden words become the mask token, as in scoring.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from reviewlens.inference.results import WordEffects
from reviewlens.taxonomy import Taxonomy
from reviewlens.text import Word, hide_words, normalize, split_words
from reviewlens.training.bootstrap import Counts, PairedBootstrap
from reviewlens.training.findings import COMPREHENSIVENESS, RANDOM, SUFFICIENCY, Finding

SIZES = (1, 2, 3)
MEASURES = (COMPREHENSIVENESS, SUFFICIENCY, RANDOM + COMPREHENSIVENESS, RANDOM + SUFFICIENCY)


class Explained(Protocol):
    """What is measured; `Scorer` is one."""

    taxonomy: Taxonomy

    @property
    def mask(self) -> str:
        """The text of the mask token."""

    def keyword_probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.floating]:
        """Every keyword's probability, of shape (texts, keywords)."""

    def word_effects(self, texts: Sequence[str]) -> list[WordEffects]:
        """What each word's absence does to every keyword."""


def measure_faithfulness(model: Explained, pairs: Sequence[tuple[str, str]], seed: int) -> Counts:
    """Comprehensiveness and sufficiency of each (text, keyword), of shape (pairs, measures, sizes).

    The measures are `MEASURES`, the sizes `SIZES`. NaN at k words for a text of k words or fewer, where there is
    nothing to choose. The random words of a pair depend on `seed` and its place alone: of k + 1 words k are those of k.
    """
    values = np.full((len(pairs), len(MEASURES), len(SIZES)), np.nan)
    texts = list(dict.fromkeys(text for text, _ in pairs))
    effects = dict(zip(texts, model.word_effects(texts), strict=True))
    columns = [model.taxonomy.keywords.index(keyword) for _, keyword in pairs]
    variants: list[str] = []
    places: list[tuple[int, int, int]] = []
    for index, ((text, _), column) in enumerate(zip(pairs, columns, strict=True)):
        body, words = _visible(text, effects[text])
        orders = rank_words(effects[text], column), np.random.default_rng([seed, index]).permutation(len(words))
        for kind, order in enumerate(orders):
            for at, size in enumerate(SIZES):
                if size < len(words):
                    variants += hide_top(body, words, order[:size].tolist(), model.mask)
                    places += [(index, 2 * kind, at), (index, 2 * kind + 1, at)]
    if variants:
        probabilities = model.keyword_probabilities(variants)
        for row, place in enumerate(places):
            text, column = pairs[place[0]][0], columns[place[0]]
            values[place] = effects[text].probabilities[column] - probabilities[row, column]
    return values


def rank_words(effects: WordEffects, column: int) -> npt.NDArray[np.intp]:
    """Indices of the words, the one whose absence lowers keyword number `column` most first; ties in text order."""
    return np.argsort(effects.without[:, column].round(6), kind="stable")


def hide_top(body: str, words: Sequence[Word], top: Sequence[int], mask: str) -> tuple[str, str]:
    """The text without the top words, and the text with nothing but them."""
    kept = set(top)
    return (
        hide_words(body, [word for index, word in enumerate(words) if index in kept], mask),
        hide_words(body, [word for index, word in enumerate(words) if index not in kept], mask),
    )


def compare_faithfulness(
    champion: Counts,
    challenger: Counts,
    review_of: npt.NDArray[np.integer],
    reviews: int,
    resamples: int,
    confidence: float,
    seed: int,
) -> list[Finding]:
    """The mean of each measure at each number of words, for both models on the same pairs; no gate.

    Args:
        champion: what `measure_faithfulness` gives.
        challenger: the same pairs'.
        review_of: the review's number for each pair: pairs of a review are drawn together.
        reviews: number of reviews.
        resamples: of the bootstrap.
        confidence: of the intervals.
        seed: of the resamples.
    """
    sums = [_sum_by_review(values, review_of, reviews) for values in (champion, challenger)]
    bootstrap = PairedBootstrap.draw(sums[0], sums[1], resamples, seed)
    rows = bootstrap.champion[:, :, 1].astype(int)
    found = iter(bootstrap.compare(_means, confidence))
    return [
        next(found).as_finding(measure, f"{size} word{'s' * (size > 1)}", int(rows[at, column]))
        for at, measure in enumerate(MEASURES)
        for column, size in enumerate(SIZES)
    ]


def _visible(text: str, effects: WordEffects) -> tuple[str, list[Word]]:
    """The words in the model's window with their offsets in the text as scored, and that text up to their end."""
    body = normalize(text)
    words = split_words(body)[: len(effects.words)]
    return (body[: words[-1].end] if words else ""), words


def _sum_by_review(values: Counts, review_of: npt.NDArray[np.integer], reviews: int) -> Counts:
    """Sums and numbers of defined values, of shape (reviews, measures, sizes, 2)."""
    sums = np.zeros((reviews, *values.shape[1:], 2))
    np.add.at(sums, review_of, np.stack([np.nan_to_num(values), ~np.isnan(values)], axis=-1))
    return sums


def _means(sums: Counts) -> Counts:
    """Means of shape (..., measures × sizes)."""
    totals, numbers = sums[..., 0], sums[..., 1]
    means = np.divide(totals, numbers, out=np.full_like(totals, np.nan), where=numbers > 0)
    return means.reshape(*means.shape[:-2], -1)
