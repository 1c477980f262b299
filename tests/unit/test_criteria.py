"""The criteria that need no training: boundary, sentiment, percentiles."""

import numpy as np
import pytest

from reviewlens.sampling.boundary import keyword_boundary
from reviewlens.sampling.criteria import rank_percentiles
from reviewlens.sampling.uncertainty import growth_ratios, sentiment_uncertainty

LEVELS = ("부정", "중립", "긍정")


def test_closeness_is_1_at_each_keywords_own_threshold_and_0_at_the_ends() -> None:
    """It is p / t below, (1 - p) / (1 - t) above; the nearest keyword counts, the first of equals."""
    thresholds = np.array([0.4, 0.8])
    probabilities = np.array([[0.4, 0.0], [0.1, 0.9], [0.0, 1.0], [0.7, 0.4], [1.0, 0.6]])
    values, columns = keyword_boundary(probabilities, thresholds)
    np.testing.assert_allclose(values, [1, 0.5, 0, 0.5, 0.75])
    assert columns.tolist() == [0, 1, 0, 0, 1]


def test_thresholds_at_the_ends_and_no_reviews_are_no_division_by_zero() -> None:
    """A threshold of 0 or 1 is met exactly there."""
    values, _ = keyword_boundary(np.array([[0.0], [0.25]]), np.array([0.0]))
    np.testing.assert_allclose(values, [1, 0.75])
    values, _ = keyword_boundary(np.array([[1.0], [0.25]]), np.array([1.0]))
    np.testing.assert_allclose(values, [1, 0.25])
    assert keyword_boundary(np.zeros((0, 2)), np.array([0.5, 0.5]))[0].shape == (0,)


def test_a_sentiments_growth_is_of_smoothed_shares_and_clipped() -> None:
    """Twice the labels are no growth; a level that was never there, or is gone, stays within the bounds."""
    assert growth_ratios(LEVELS, {"긍정": 14, "부정": 6}, {"긍정": 7, "부정": 3}) == pytest.approx(
        {"부정": (7 / 23) / (4 / 13), "중립": 0.5652173913, "긍정": (15 / 23) / (8 / 13)}
    )
    extreme = growth_ratios(LEVELS, {"부정": 100}, {"긍정": 100})
    assert extreme == {"부정": 2, "중립": 1, "긍정": 0.5}


@pytest.mark.parametrize(("newest", "before"), [(None, None), ({"긍정": 5}, None)])
def test_fewer_than_two_labelled_rounds_weigh_nothing(newest: dict[str, int] | None, before: None) -> None:
    """Ratio 1 for every level."""
    assert growth_ratios(LEVELS, newest, before) == dict.fromkeys(LEVELS, 1.0)


def test_the_sentiment_value_is_the_largest_over_the_keywords_found() -> None:
    """(1 - max p) times the level's growth; 0 and no detail where no keyword was found."""
    found = [[("배송", "부정", 0.9), ("가격", "긍정", 0.8)], [], [("배송", "부정", 0.9)], [("배송", "부정", 1.0)]]
    values, details = sentiment_uncertainty(found, {"부정": 2.0, "긍정": 0.5})
    np.testing.assert_allclose(values, [0.2, 0, 0.2, 0])
    assert details == ["배송/부정", None, "배송/부정", None]
    assert sentiment_uncertainty([[]], {})[0].tolist() == [0]


def test_percentiles_are_midranks() -> None:
    """Equal values share the middle of their ranks."""
    np.testing.assert_allclose(rank_percentiles(np.array([3.0, 1.0, 1.0, 7.0])), [0.625, 0.25, 0.25, 0.875])
    assert rank_percentiles(np.array([])).shape == (0,)
    np.testing.assert_allclose(rank_percentiles(np.zeros(4)), 0.5)
