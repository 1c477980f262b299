"""Drift: whether a week's rate is one that the weeks before let expect.

The test is Fisher's exact one in its predictive form: given the reference, the week's hits are beta-binomial, with the
prior that makes each tail Fisher's conditional p-value (Altham 1969, JRSS B 31; prediction limits: Thatcher 1964,
JRSS B 26). Rates vary between weeks more than chance alone explains, so a reference counts as a smaller one, the more
so the more its own weeks differ. Over all comparisons the false discovery rate is held (Benjamini and Hochberg 1995).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import betaln, gammaln
from scipy.stats import false_discovery_control

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# What a comparison is, and what `find_drift` needs to know of it.
KEYS = ["mall_id", "keyword", "measure"]
COUNTS = [
    "week_rows",
    "week_hits",
    "reference_rows",
    "reference_hits",
    "reference_weeks",  # weeks of the reference that have rows
    "squared_rows",  # sum of rows² over them
    "squared_hits",  # sum of hits² / rows over them
]
_BATCH_TERMS = 2_000_000
_MOST_ROWS = 1_000_000  # a larger week tells no more: by then its noise is nothing beside the reference's


def find_drift(counts: pd.DataFrame, false_alarms: float) -> pd.DataFrame:
    """The comparisons whose week left its bounds, the least likely first.

    Args:
        counts: one row for each comparison, in the columns of `KEYS` and `COUNTS`. Where week or reference has no
            rows there is nothing to compare, and no alarm.
        false_alarms: expected share of false alarms among all alarms.

    Returns:
        `KEYS`, week_rows, week_rate, reference_rows, reference_rate, low, high, dispersion, p_value, q_value. A rate
        within [low, high] would have been no alarm.
    """
    is_comparable = (counts["week_rows"] > 0) & (counts["reference_rows"] > 0)
    compared = counts.loc[is_comparable, [*KEYS, *COUNTS]].reset_index(drop=True)
    reference_rate = (compared["reference_hits"] / compared["reference_rows"]).to_numpy(float)
    dispersion = estimate_dispersion(compared)
    size = effective_size(compared, dispersion)
    rows = np.minimum(compared["week_rows"].to_numpy(np.int64), _MOST_ROWS)
    week_rate = (compared["week_hits"] / compared["week_rows"]).to_numpy(float)
    p_values = compute_p_values(np.rint(week_rate * rows).astype(np.int64), rows, reference_rate, size)
    q_values = false_discovery_control(p_values) if len(p_values) else p_values
    is_alarm = q_values <= false_alarms
    # The largest p-value that is an alarm here (Benjamini and Hochberg's step-up).
    cut = false_alarms * is_alarm.sum() / max(len(p_values), 1)
    bounds = rows[is_alarm], reference_rate[is_alarm], size[is_alarm]
    alarms = compared.loc[is_alarm, [*KEYS, "week_rows", "reference_rows"]].assign(
        week_rate=week_rate[is_alarm],
        reference_rate=reference_rate[is_alarm],
        low=_find_low(*bounds, cut),
        high=1 - _find_low(bounds[0], 1 - bounds[1], bounds[2], cut),
        dispersion=dispersion[is_alarm],
        p_value=p_values[is_alarm],
        q_value=q_values[is_alarm],
    )
    return alarms.sort_values(["p_value", *KEYS], ignore_index=True)


def estimate_dispersion(counts: pd.DataFrame) -> Floats:
    """How much a rate varies between weeks beyond chance: the correlation of two rows of a week, 0 where there is none.

    By moments of the reference's weeks (as Kleinman 1973, JASA 68), summed over a keyword, over a mall, and for the
    comparison alone; the largest of the three, since some keywords and some malls are less steady than others. A
    reference of one week tells nothing: there it is 0, and the bounds are those of chance alone.
    """
    rows, hits = (counts[name].to_numpy(float) for name in ("reference_rows", "reference_hits"))
    squared_rows, squared_hits = (counts[name].to_numpy(float) for name in ("squared_rows", "squared_hits"))
    variance = hits / rows * (1 - hits / rows)
    free = counts["reference_weeks"].to_numpy(float) - 1
    moments = counts[KEYS].assign(
        excess=squared_hits - hits**2 / rows - variance * free,
        room=variance * (rows - squared_rows / rows - free),
    )
    largest = np.zeros(len(counts))
    for keys in (["measure", "keyword"], ["measure", "mall_id"], KEYS):
        sums = moments.groupby(keys, dropna=False, sort=False)[["excess", "room"]].transform("sum")
        excess, room = sums["excess"].to_numpy(float), sums["room"].to_numpy(float)
        is_known = room > np.finfo(float).eps * 2**10
        largest = np.maximum(largest, np.where(is_known, excess, 0) / np.where(is_known, room, 1))
    return np.minimum(largest, 1)


def effective_size(counts: pd.DataFrame, dispersion: Floats) -> Floats:
    """Rows of a steady reference that would tell as much of the week's rate; all of them where there is no dispersion.

    The variance of a week's rate around the reference's is p (1 - p) / size: the reference's own, and a week's.
    """
    rows, squared_rows = (counts[name].to_numpy(float) for name in ("reference_rows", "squared_rows"))
    size: Floats = 1 / (dispersion + (1 + dispersion * (squared_rows / rows - 1)) / rows)
    return size


def compute_p_values(hits: Integers, rows: Integers, rate: Floats, size: Floats) -> Floats:
    """Two-sided p-values of `hits` of a week's `rows`, where the reference had `rate` in `size` rows.

    Twice the tail on the side where the week is; with whole sizes that is Fisher's exact test.
    """
    is_above = hits > rate * rows
    counted = np.where(is_above, hits, rows - hits)
    toward = np.where(is_above, rate, 1 - rate) * size + 1
    against = np.where(is_above, 1 - rate, rate) * size
    p_values = np.ones(len(hits))
    differs = hits != rate * rows
    p_values[differs] = np.minimum(
        1, 2 * _sum_upper_tails(counted[differs], rows[differs], toward[differs], against[differs])
    )
    return p_values


def _sum_upper_tails(hits: Integers, rows: Integers, alpha: Floats, beta: Floats) -> Floats:
    """P(X >= hits) of beta-binomials, all terms of many of them at once: scipy's own goes one by one."""
    tails = np.empty(len(hits))
    lengths = rows - hits + 1
    ends = np.cumsum(lengths)
    begin = 0
    while begin < len(hits):
        limit = ends[begin] - lengths[begin] + _BATCH_TERMS
        end = max(begin + 1, int(np.searchsorted(ends, limit, side="right")))
        part = slice(begin, end)
        k, n, a, b = hits[part], rows[part], alpha[part], beta[part]
        starts = np.cumsum(lengths[part]) - lengths[part]
        owner = np.repeat(np.arange(end - begin), lengths[part])
        x = np.arange(len(owner)) - (starts - k)[owner]
        constant = gammaln(n + 1) - betaln(a, b) - gammaln(n + a + b)
        terms = constant[owner] + gammaln(x + a[owner]) - gammaln(x + 1)
        terms += gammaln(n[owner] - x + b[owner]) - gammaln(n[owner] - x + 1)
        tails[part] = np.add.reduceat(np.exp(terms), starts)
        begin = end
    return tails


def _find_low(rows: Integers, rate: Floats, size: Floats, cut: float) -> Floats:
    """The smallest rate of a week whose p-value is above `cut`, by bisection."""
    outside, inside = np.full(len(rows), -1), np.floor(rate * rows).astype(np.int64)
    while np.any(is_open := inside - outside > 1):
        middle = (inside + outside) // 2
        is_inside = np.zeros(len(rows), bool)
        tried: Any = (array[is_open] for array in (middle, rows, rate, size))
        is_inside[is_open] = compute_p_values(*tried) > cut
        inside = np.where(is_open & is_inside, middle, inside)
        outside = np.where(is_open & ~is_inside, middle, outside)
    low: Floats = inside / rows
    return low
