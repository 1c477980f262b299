"""Differences of two models, their intervals, and the rules of the gates."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from reviewlens.training.bootstrap import Counts, Difference, PairedBootstrap, percentile_interval
from reviewlens.training.comparison import (
    Limits,
    class_f1,
    compare_keywords,
    compare_sentiments,
    count_keywords,
    count_sentiments,
    macro_f1,
)
from reviewlens.training.findings import (
    KEYWORD_F1,
    KEYWORD_MACRO_F1,
    SENTIMENT_ACCURACY,
    SENTIMENT_MACRO_F1,
    Finding,
    select_findings,
    verdict_of,
    with_verdict,
)

LIMITS = Limits(min_gain=0.0, max_loss=0.02, max_keyword_loss=0.05, min_keyword_rows=10, max_sentiment_loss=0.03)


def made_up(rows: int, keywords: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth and two predictions that are right for most reviews, and wrong for much the same ones."""
    rng = np.random.default_rng(seed)
    truth = rng.random((rows, keywords)) < 0.3
    hard = rng.random((rows, keywords)) < 0.15
    luck = rng.random((2, rows, keywords)) < 0.05
    return truth.astype(np.int8), (truth ^ hard ^ luck[0]).astype(np.int8), (truth ^ hard ^ luck[1]).astype(np.int8)


def test_resamples_are_those_of_a_naive_loop() -> None:
    """Drawing the reviews by index and measuring with scikit-learn gives the same differences, resample by resample."""
    truth, old, new = made_up(40, 3, seed=1)
    bootstrap = PairedBootstrap.draw(count_keywords(truth, old), count_keywords(truth, new), 300, seed=5)
    naive = []
    for weights in np.random.default_rng(5).multinomial(40, np.full(40, 1 / 40), size=300):
        drawn = np.repeat(np.arange(40), weights)
        scores = [f1_score(truth[drawn], each[drawn], average="macro", zero_division=0) for each in (new, old)]
        naive.append(scores[0] - scores[1])
    draws = macro_f1(bootstrap.challenger_draws) - macro_f1(bootstrap.champion_draws)
    np.testing.assert_allclose(draws[:, 0], naive, atol=1e-12)
    [found] = bootstrap.compare(macro_f1, 0.9)
    whole = [f1_score(truth, each, average="macro") for each in (old, new)]
    assert (found.champion, found.challenger) == pytest.approx(tuple(whole))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(naive, [0.05, 0.95])))


def test_the_interval_covers_the_true_difference_as_often_as_it_says() -> None:
    """Of 200 test parts of 200 reviews about 90% have the difference of all reviews within their 90% interval."""
    truth, old, new = made_up(40_000, 4, seed=2)
    new = np.where(np.random.default_rng(3).random(new.shape) < 0.3, truth, new)
    counts = count_keywords(truth, old), count_keywords(truth, new)
    true = float((macro_f1(counts[1].sum(axis=0)) - macro_f1(counts[0].sum(axis=0)))[0])
    covered = 0
    for part in range(200):
        rows = slice(200 * part, 200 * part + 200)
        [found] = PairedBootstrap.draw(counts[0][rows], counts[1][rows], 300, part).compare(macro_f1, 0.9)
        covered += found.low <= true <= found.high
    assert true > 0.03
    assert 0.84 <= covered / 200 <= 0.96


def test_the_same_model_differs_by_nothing_and_does_not_gain() -> None:
    """Zero everywhere with an interval of zero: no keyword fails, and macro F1 is no gain, so the gate says no."""
    truth, old, _ = made_up(100, 3, seed=4)
    counts = count_keywords(truth, old)
    findings = compare_keywords(counts, counts, ["가격", "배송", "색상"], LIMITS, 200, 0.95, 7)
    assert {(each.difference, each.low, each.high) for each in findings} == {(0.0, 0.0, 0.0)}
    assert [each.passed for each in findings] == [False, None, True, True, True]
    assert verdict_of(with_verdict(findings, 100)) == Finding("gate", rows=100, passed=False)


@pytest.mark.parametrize(
    ("difference", "low", "passed"),
    [(0.01, -0.01, True), (0.01, -0.03, False), (0.0, 0.0, False), (-0.001, -0.01, False), (0.3, 0.2, True)],
)
def test_a_gain_is_more_than_nothing_and_rules_a_loss_out(difference: float, low: float, passed: bool) -> None:
    """Above min_gain as measured, and the interval's lower end at or above -max_loss."""
    assert LIMITS.gains(Difference(0.5, 0.5 + difference, difference, low, difference + 0.05)) is passed


@pytest.mark.parametrize(
    ("difference", "high", "passed"),
    [(-0.2, -0.01, False), (-0.2, 0.01, True), (-0.04, -0.01, True), (0.1, 0.2, True)],
)
def test_a_floor_fails_on_a_loss_that_is_large_and_no_chance(difference: float, high: float, passed: bool) -> None:
    """Either alone is no reason."""
    assert LIMITS.holds(Difference(0.8, 0.8 + difference, difference, -0.5, high), 0.05) is passed


def test_one_lost_keyword_stops_a_challenger_that_is_better_on_average() -> None:
    """A rare one with too few reviews does not."""
    truth = np.zeros((200, 3), dtype=np.int8)
    truth[:100, 0] = truth[100:140, 1] = truth[140:145, 2] = 1
    old, new = truth.copy(), truth.copy()
    old[50:100, 0] = 0
    new[125:140, 1] = new[141:145, 2] = 0
    findings = compare_keywords(
        count_keywords(truth, old), count_keywords(truth, new), ["가격", "배송", "색상"], LIMITS, 500, 0.95, 7
    )
    assert [(each.subject, each.rows, each.passed) for each in select_findings(findings, KEYWORD_F1)] == [
        ("가격", 100, True),
        ("배송", 40, False),
        ("색상", 5, None),
    ]
    [lost] = [each for each in findings if each.subject == "배송"]
    assert lost.champion_value == 1.0
    assert lost.challenger_value == pytest.approx(2 * 25 / (25 + 40))
    assert verdict_of(with_verdict(findings, 200)).passed is False


def test_sentiments_are_counted_by_review() -> None:
    """Accuracy and macro F1 are scikit-learn's; pairs of one review are drawn together."""
    review_of, truth = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 0, 1])
    old, new = np.array([0, 1, 0, 2, 1, 1]), np.array([0, 1, 1, 2, 2, 1])
    counts = [count_sentiments(review_of, truth, each, 4, 3) for each in (old, new)]
    assert counts[0][2].tolist() == [[0, 0, 1], [1, 1, 0], [1, 0, 0]]
    findings = compare_sentiments(counts[0], counts[1], LIMITS, 50, 0.95, 7)
    assert [(each.measure, each.rows) for each in findings] == [(SENTIMENT_ACCURACY, 6), (SENTIMENT_MACRO_F1, 6)]
    assert findings[0].champion_value == pytest.approx(accuracy_score(truth, old))
    assert findings[0].challenger_value == pytest.approx(accuracy_score(truth, new))
    assert findings[1].challenger_value == pytest.approx(f1_score(truth, new, average="macro"))


def test_reviews_without_any_keyword_have_no_sentiment_figures() -> None:
    """Nothing was measured, so nothing is said."""
    nothing: Counts = np.zeros((5, 3, 3))
    assert compare_sentiments(nothing, nothing, LIMITS, 50, 0.95, 7) == []
    assert class_f1(nothing[0]).tolist() == [0.0, 0.0, 0.0]


def test_a_keyword_that_is_never_there_has_no_undefined_figures() -> None:
    """And an interval takes only the resamples that have the figure."""
    low, high = percentile_interval(np.array([[np.nan, 1.0], [np.nan, np.nan], [np.nan, 3.0]]), 0.9)
    assert np.isnan([low[0], high[0]]).all()
    assert (low[1], high[1]) == pytest.approx((1.1, 2.9))
    truth, old, new = made_up(50, 2, seed=6)
    truth[:, 1] = old[:, 1] = 0
    findings = compare_keywords(
        count_keywords(truth, old), count_keywords(truth, new), ["가격", "배송"], LIMITS, 50, 0.95, 7
    )
    assert {(each.measure, each.passed) for each in findings if each.rows == 0} == {(KEYWORD_F1, None)}
    assert select_findings(findings, KEYWORD_MACRO_F1)[0].rows == 50
