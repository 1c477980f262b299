"""Drift: what is an alarm, and what is not."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact

from reviewlens.sampling.drift import compute_p_values, estimate_dispersion, find_drift

WEEKS = 8


def count(rows: np.ndarray, hits: np.ndarray) -> pd.DataFrame:
    """Counts of malls × keywords from rows (malls, 1 + weeks) and hits (malls, keywords, 1 + weeks), the week first."""
    malls, keywords, _ = hits.shape
    all_rows = np.broadcast_to(rows[:, None, :], hits.shape).reshape(malls * keywords, -1)
    all_hits = hits.reshape(malls * keywords, -1)
    before, found = all_rows[:, 1:], all_hits[:, 1:]
    return pd.DataFrame(
        {
            "mall_id": np.repeat([f"mall{mall}" for mall in range(malls)], keywords),
            "keyword": np.tile([f"keyword{keyword}" for keyword in range(keywords)], malls),
            "measure": "mentioned",
            "week_rows": all_rows[:, 0],
            "week_hits": all_hits[:, 0],
            "reference_rows": before.sum(axis=1),
            "reference_hits": found.sum(axis=1),
            "reference_weeks": (before > 0).sum(axis=1),
            "squared_rows": (before**2).sum(axis=1),
            "squared_hits": (found**2 / np.maximum(before, 1)).sum(axis=1),
        }
    )


def simulate(seed: int, dispersion: str, malls: int = 60, keywords: int = 14) -> tuple[np.ndarray, np.ndarray]:
    """Malls of very uneven sizes whose rates are steady, or vary from week to week alike, by keyword, or by mall."""
    rng = np.random.default_rng(seed)
    sizes = np.minimum(20 * (rng.pareto(1.0, malls) + 1), 20_000)
    rows = rng.poisson(sizes[:, None] * np.exp(rng.normal(0, 0.2, (malls, 1 + WEEKS))))
    rates = np.clip(rng.beta(1.2, 8, keywords) * np.exp(rng.normal(0, 0.5, (malls, keywords))), 0.001, 0.9)
    correlation = {
        "steady": np.full((malls, keywords), 1e-9),
        "alike": np.full((malls, keywords), 0.01),
        "by keyword": np.broadcast_to(rng.gamma(0.5, 0.01, keywords) + 1e-9, (malls, keywords)),
        "by mall": np.broadcast_to(rng.gamma(0.5, 0.01, malls)[:, None] + 1e-9, (malls, keywords)),
    }[dispersion]
    precision = 1 / correlation - 1
    shape = (malls, keywords, 1 + WEEKS)
    weekly = rng.beta(
        np.broadcast_to((rates * precision)[:, :, None], shape),
        np.broadcast_to(((1 - rates) * precision)[:, :, None], shape),
    )
    return rows, rng.binomial(rows[:, None, :], weekly)


def test_without_dispersion_it_is_fishers_exact_test() -> None:
    """Twice the smaller one-sided p-value, at most 1, for hundreds of small tables."""
    rng = np.random.default_rng(1)
    rows, before = rng.integers(1, 60, 300), rng.integers(1, 300, 300)
    hits, found = rng.binomial(rows, 0.35), rng.binomial(before, 0.3)
    ours = compute_p_values(hits, rows, found / before, before.astype(float))
    tables = [[[k, n - k], [f, b - f]] for k, n, f, b in zip(hits, rows, found, before, strict=True)]
    sides = [min(fisher_exact(table, side).pvalue for side in ("less", "greater")) for table in tables]
    np.testing.assert_allclose(ours, np.minimum(1, 2 * np.array(sides)), rtol=1e-9)


@pytest.mark.parametrize("dispersion", ["steady", "alike", "by keyword", "by mall"])
def test_where_nothing_drifts_false_alarms_are_as_rare_as_promised(dispersion: str) -> None:
    """With nothing to find, every alarm is false: at most 5% of the weeks may have any. 100 weeks, 7 of slack."""
    weeks_with_alarm = sum(len(find_drift(count(*simulate(seed, dispersion)), 0.05)) > 0 for seed in range(100))
    assert weeks_with_alarm <= 12


def test_the_same_change_is_an_alarm_in_a_big_mall_and_none_in_a_small_one() -> None:
    """A rate that doubles: found among 2,000 reviews, unremarkable among 10; the alarm's bounds hold the reference."""
    rows = np.array([[2000] * 9, [10] * 9])
    hits = np.array([[[400] + [200] * 8], [[2] + [1] * 8]])
    [alarm] = find_drift(count(rows, hits), 0.05).to_dict("records")
    assert (alarm["mall_id"], alarm["week_rate"], alarm["reference_rate"]) == ("mall0", 0.2, 0.1)
    assert 0.08 < alarm["low"] < 0.1 < alarm["high"] < 0.12
    assert alarm["p_value"] < 1e-20


def test_a_change_is_found_among_malls_that_vary_from_week_to_week() -> None:
    """A big mall whose rate doubles, amid noise of which chance alone would make dozens of alarms."""
    rows, hits = simulate(3, "alike")
    mall, keyword = int(rows.sum(axis=1).argmax()), int(hits.sum(axis=(0, 2)).argmax())
    hits[mall, keyword, 0] = hits[mall, keyword, 0] * 2
    alarms = find_drift(count(rows, hits), 0.05)
    assert alarms[["mall_id", "keyword"]].to_numpy().tolist() == [[f"mall{mall}", f"keyword{keyword}"]]
    assert 0 < alarms["dispersion"][0] < 0.05


def test_bounds_are_where_alarms_begin() -> None:
    """One hit fewer than the bound is an alarm, the bound itself is none."""
    rows = np.array([[500] * 9])
    counts = count(rows, np.array([[[400] + [250] * 8]]))
    high = find_drift(counts, 0.05)["high"][0]
    at_bound = counts.assign(week_hits=round(high * 500))
    assert find_drift(at_bound, 0.05).empty
    assert len(find_drift(at_bound.assign(week_hits=round(high * 500) + 1), 0.05)) == 1


def test_what_cannot_be_compared_is_no_alarm() -> None:
    """A mall with one review, a null mall, a new mall, a silent week, a keyword at 0% or 100%, and nothing at all."""
    rows = np.array([[1, 0, 1, *[0] * 6], [30] + [0] * 8, [0] + [30] * 8, [20] * 9, [20] * 9, [20] * 9])
    hits = np.array([[1, 0, 0, *[0] * 6], [30] + [0] * 8, [0] + [9] * 8, [0] * 9, [20] * 9, [10] * 9])[:, None]
    counts = count(rows, hits)
    counts.loc[5, "mall_id"] = None
    assert find_drift(counts, 0.05).empty
    assert find_drift(counts.iloc[:0], 0.05).empty


def test_dispersion_is_that_of_the_weeks() -> None:
    """Nothing where weeks differ by chance or less or there is but one; about what was simulated otherwise."""
    even = count(np.array([[50] * 9]), np.array([[[10] * 9]]))
    one = count(np.array([[50, 50, *[0] * 7]]), np.array([[[10, 10, *[0] * 7]]]))
    assert estimate_dispersion(even).tolist() == estimate_dispersion(one).tolist() == [0]
    rng = np.random.default_rng(5)
    weekly = rng.beta(0.3 * 99, 0.7 * 99, (400, 1, 1 + WEEKS))
    rows = np.full((400, 1 + WEEKS), 200)
    many = count(rows, rng.binomial(rows[:, None, :], weekly))
    assert np.median(estimate_dispersion(many)) == pytest.approx(0.01, rel=0.3)
