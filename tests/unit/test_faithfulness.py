"""Comprehensiveness and sufficiency, on a model whose word effects are known."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from reviewlens.inference.results import WordEffects
from reviewlens.taxonomy import Taxonomy
from reviewlens.text import hide_words, split_words
from reviewlens.training.faithfulness import MEASURES, SIZES, compare_faithfulness, measure_faithfulness
from reviewlens.training.findings import COMPREHENSIVENESS, RANDOM, SUFFICIENCY

WEIGHTS = {"늦어요": 0.5, "배송": 0.25, "은": 0.125, "좀": 0.0, "정말": 0.0}


class Additive:
    """The first keyword's probability is the sum of its words' weights, the second's is one half; it counts calls."""

    mask = "<mask>"

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        self.calls = 0

    def keyword_probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.calls += 1
        rows = np.full((len(texts), len(self.taxonomy.keywords)), 0.5, dtype=np.float32)
        rows[:, 0] = [sum(WEIGHTS.get(word.text, 0.0) for word in split_words(text)) for text in texts]
        return rows

    def word_effects(self, texts: Sequence[str]) -> list[WordEffects]:
        effects = []
        for text in texts:
            words = split_words(text)
            variants = [hide_words(text, [word], self.mask) for word in words]
            both = Additive(self.taxonomy).keyword_probabilities([text, *variants])
            effects.append(WordEffects(words, both[0], both[1:]))
        return effects


def figure(values: npt.NDArray[np.float64], pair: int, measure: str) -> list[float]:
    found: list[float] = values[pair, MEASURES.index(measure)].tolist()
    return found


def test_figures_are_those_worked_out_by_hand(taxonomy: Taxonomy) -> None:
    """Strongest words first wherever they stand; one call for all variants; no effect, no figure but zero."""
    model = Additive(taxonomy)
    text, keywords = "좀 배송 은 정말 늦어요", taxonomy.keywords
    values = measure_faithfulness(model, [(text, keywords[0]), (text, keywords[1])], seed=3)
    assert model.calls == 1
    assert values.shape == (2, len(MEASURES), len(SIZES))
    assert figure(values, 0, COMPREHENSIVENESS) == [0.5, 0.75, 0.875]
    assert figure(values, 0, SUFFICIENCY) == [0.375, 0.125, 0.0]
    assert not values[1].any()


def test_random_words_follow_the_seed_and_are_nested(taxonomy: Taxonomy) -> None:
    """Of one pair comprehensiveness never falls with more words; over many pairs it is the mean word's."""
    model, keyword = Additive(taxonomy), taxonomy.keywords[0]
    pairs = [("좀 배송 은 정말 늦어요", keyword)] * 400
    values = measure_faithfulness(model, pairs, seed=3)
    np.testing.assert_array_equal(values, measure_faithfulness(model, pairs, seed=3))
    assert (values != measure_faithfulness(model, pairs, seed=4)).any()
    random = values[:, MEASURES.index(RANDOM + COMPREHENSIVENESS)]
    assert (np.diff(random, axis=1) >= 0).all()
    assert random.mean(axis=0) == pytest.approx([0.175, 0.35, 0.525], abs=0.03)


def test_a_text_with_nothing_to_choose_has_no_figure(taxonomy: Taxonomy) -> None:
    """At k words a text needs more than k; an empty one has none at all."""
    keyword = taxonomy.keywords[0]
    values = measure_faithfulness(Additive(taxonomy), [("배송 늦어요", keyword), ("", keyword)], seed=3)
    one, two, three = figure(values, 0, COMPREHENSIVENESS)
    assert one == 0.5
    assert math.isnan(two)
    assert math.isnan(three)
    assert np.isnan(values[1]).all()
    findings = compare_faithfulness(values, values, np.array([0, 1]), 3, 20, 0.95, 7)
    assert [(each.measure, each.subject, each.rows) for each in findings[:3]] == [
        (COMPREHENSIVENESS, "1 word", 1),
        (COMPREHENSIVENESS, "2 words", 0),
        (COMPREHENSIVENESS, "3 words", 0),
    ]
    assert (findings[0].champion_value, findings[0].difference) == (0.5, 0.0)
    assert (findings[1].champion_value, findings[1].low) == (None, None)


def test_pairs_of_both_models_are_compared_review_by_review() -> None:
    """Means over pairs, their difference, and an interval that holds it."""
    rng = np.random.default_rng(1)
    old = rng.normal(0.3, 0.1, (60, len(MEASURES), len(SIZES)))
    findings = compare_faithfulness(old, old + 0.1, np.repeat(np.arange(30), 2), 40, 200, 0.95, 7)
    for each in findings:
        assert each.difference == pytest.approx(0.1)
        assert each.low == pytest.approx(0.1)
        assert each.high == pytest.approx(0.1)
        assert (each.rows, each.passed) == (60, None)
    assert findings[0].champion_value == pytest.approx(old[:, 0, 0].mean())
