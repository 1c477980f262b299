"""Sizes of strata: exact, within bounds, and the same as by other ways to the same program."""

import itertools
import time
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from reviewlens.errors import ConfigError
from reviewlens.sampling.allocation import allocate, equal_weights, neyman_weights

POPULATIONS = st.dictionaries(
    st.text(max_size=3),
    st.one_of(st.integers(0, 9), st.integers(0, 10_000), st.integers(0, 10**12)),
    min_size=1,
    max_size=12,
)


def solve_shares(weights: Sequence[int], lows: Sequence[int], highs: Sequence[int], rows: int) -> list[Fraction]:
    """The real-valued program by another way: try which strata are at which bound, and keep what is optimal.

    It is: minimise the sum of (x - weight)^2 / weight with the x between their bounds and of sum `rows`. Its optimality
    conditions say that one level makes x = level * weight inside the bounds, at most x at a low, at least x at a high.
    The program is strictly convex, so whatever meets them is the solution.
    """
    for sides in itertools.product(["low", "high", "free"], repeat=len(weights)):
        at = list(zip(sides, weights, lows, highs, strict=True))
        fixed = sum(low if side == "low" else high for side, _, low, high in at if side != "free")
        slope = sum(weight for side, weight, _, _ in at if side == "free")
        if slope:
            levels = {Fraction(rows - fixed, slope)}
        else:
            levels = (
                {Fraction(bound, weight) for _, weight, *bounds in at for bound in bounds} if fixed == rows else set()
            )
        for level in levels:
            if all(
                level * weight <= low
                if side == "low"
                else level * weight >= high
                if side == "high"
                else low <= level * weight <= high
                for side, weight, low, high in at
            ):
                return [min(max(level * weight, Fraction(low)), Fraction(high)) for _, weight, low, high in at]
    raise AssertionError


@st.composite
def small_programs(draw: st.DrawFn) -> tuple[dict[str, int], dict[str, int], int, int, int | None]:
    """Up to five strata with their weights, a number of rows, a minimum and a cap that go together."""
    populations = dict(zip("abcde", draw(st.lists(st.integers(1, 12), min_size=1, max_size=5)), strict=False))
    weights = {key: draw(st.integers(1, 9)) for key in populations}
    cap = draw(st.none() | st.integers(1, 12))
    minimum = draw(st.integers(0, min(3, cap or 3)))
    low = sum(min(minimum, population) for population in populations.values())
    high = sum(min(cap or 12, population) for population in populations.values())
    return populations, weights, draw(st.integers(low, high)), minimum, cap


@settings(max_examples=500, deadline=None)
@given(small_programs())
def test_sizes_are_the_nearest_integers_to_the_optimal_shares(
    program: tuple[dict[str, int], dict[str, int], int, int, int | None],
) -> None:
    """No other sizes within the bounds are nearer; among equals, the larger population and the smaller key gain."""
    populations, weights, rows, minimum, cap = program
    sizes = allocate(populations, rows, weights=weights, minimum=minimum, cap=cap).sizes
    lows = [min(minimum, population) for population in populations.values()]
    highs = [min(cap or population, population) for population in populations.values()]
    shares = solve_shares(list(weights.values()), lows, highs, rows)
    around = [
        range(max(low, int(x) - 1), min(high, int(x) + 2) + 1) for x, low, high in zip(shares, lows, highs, strict=True)
    ]
    candidates = [each for each in itertools.product(*around) if sum(each) == rows]
    ranked = sorted(populations, key=lambda key: (-populations[key], key))
    keys = list(populations)
    best = min(
        candidates,
        key=lambda each: (
            sum((size - share) ** 2 for size, share in zip(each, shares, strict=True)),
            [-each[keys.index(key)] for key in ranked],
        ),
    )
    assert tuple(sizes.values()) == best


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_an_integer_solver_finds_nothing_nearer(seed: int) -> None:
    """Forty strata: SciPy's branch and bound minimises the distance to the shares, and comes no nearer."""
    random = np.random.default_rng(seed)
    populations = {f"m{index}": int(10 ** random.uniform(0, 4)) for index in range(40)}
    minimum, cap = 2, 300
    lows = np.array([min(minimum, each) for each in populations.values()])
    highs = np.array([min(cap, each) for each in populations.values()])
    rows = int(random.integers(lows.sum(), highs.sum()))
    low, high = 0.0, float(cap)  # the level by bisection: the sum only grows with it
    weights = np.array(list(populations.values()))
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(middle * weights, lows, highs).sum() < rows else (low, middle)
    shares = np.clip(high * weights, lows, highs)
    # Variables: the sizes, and above each its distance from the share.
    eye, zero = np.eye(40), np.zeros(40)
    solution = milp(
        np.concatenate([zero, np.ones(40)]),
        integrality=np.concatenate([np.ones(40), zero]),
        bounds=Bounds(np.concatenate([lows, zero]), np.concatenate([highs, np.full(40, np.inf)])),
        constraints=[
            LinearConstraint(np.hstack([eye, -eye]), ub=shares),
            LinearConstraint(np.hstack([eye, eye]), lb=shares),
            LinearConstraint(np.concatenate([np.ones(40), zero])[None], rows, rows),
        ],
    )
    sizes = np.array(list(allocate(populations, rows, minimum=minimum, cap=cap).sizes.values()))
    assert sizes.sum() == rows
    assert np.abs(sizes - shares).sum() == pytest.approx(solution.fun, abs=1e-6)


@settings(max_examples=2_000, deadline=None)
@given(POPULATIONS, st.integers(0, 10**13), st.integers(0, 5), st.none() | st.integers(5, 10**6))
def test_sizes_sum_to_the_rows_within_all_bounds(
    populations: dict[str, int], rows: int, minimum: int, cap: int | None
) -> None:
    """Or the shortfall is said, or the error says by how much the minimum is too high."""
    lows = {key: min(minimum, population) for key, population in populations.items()}
    highs = {key: population if cap is None else min(cap, population) for key, population in populations.items()}
    if sum(lows.values()) > rows:
        with pytest.raises(ConfigError, match=f"{sum(lows.values()) - rows:,} more than the"):
            allocate(populations, rows, minimum=minimum, cap=cap)
        return
    allocation = allocate(populations, rows, minimum=minimum, cap=cap)
    assert allocation.sizes.keys() == populations.keys()
    assert sum(allocation.sizes.values()) + allocation.shortfall == rows
    assert allocation.shortfall == max(0, rows - sum(highs.values()))
    assert all(lows[key] <= size <= highs[key] for key, size in allocation.sizes.items())
    shuffled = dict(sorted(populations.items(), reverse=True))
    assert allocate(shuffled, rows, minimum=minimum, cap=cap).sizes == allocation.sizes


@settings(max_examples=1_000, deadline=None)
@given(POPULATIONS, st.lists(st.integers(0, 50_000), min_size=2, max_size=4))
def test_a_draw_that_grows_never_takes_a_row_back(populations: dict[str, int], requests: list[int]) -> None:
    """With the sizes so far as floors, whatever the steps."""
    sizes: dict[str, int] = {}
    for rows in sorted(requests):
        grown = allocate(populations, rows, floors=sizes).sizes
        assert all(grown[key] >= size for key, size in sizes.items())
        sizes = grown


def test_without_floors_a_larger_draw_may_take_a_row_back() -> None:
    """The Alabama paradox, which is why floors are there."""
    populations = {"a": 6, "b": 6, "c": 2}
    ten, eleven = allocate(populations, 10).sizes, allocate(populations, 11).sizes
    assert (ten, eleven) == ({"a": 4, "b": 4, "c": 2}, {"a": 5, "b": 5, "c": 1})
    assert allocate(populations, 11, floors=ten).sizes == {"a": 5, "b": 4, "c": 2}


def test_what_small_strata_cannot_give_is_shared_in_proportion() -> None:
    """The small one gives all it has; the rest of its equal share is split over the others."""
    populations = {"large": 600, "middle": 300, "small": 10}
    assert allocate(populations, 100, weights=equal_weights(populations)).sizes == {
        "large": 45,
        "middle": 45,
        "small": 10,
    }
    assert allocate(populations, 100, minimum=30).sizes == {"large": 60, "middle": 30, "small": 10}


def test_neyman_follows_the_spread_and_is_safe_without_any() -> None:
    """Twice the deviation, twice the rows; without any spread, by population."""
    populations = {"calm": 100, "wild": 100}
    # Halves at 0 and 100, and at 0 and 200: deviations of 50 and 100, each one unit more.
    weights = neyman_weights(populations, {"calm": 5_000, "wild": 10_000}, {"calm": 500_000, "wild": 2_000_000})
    assert weights == {"calm": 5_100, "wild": 10_100}
    flat = {"a": 30, "b": 10}
    assert neyman_weights(flat, {"a": 90, "b": 30}, {"a": 270, "b": 90}) == flat


def test_lower_bounds_that_cannot_be_met_say_by_how_much() -> None:
    """In sum, and against a stratum's own upper bound."""
    with pytest.raises(ConfigError, match=r"each of 3 strata takes 7 rows in all, 3 more than the 4 to draw"):
        allocate({"a": 5, "b": 5, "c": 1}, 4, minimum=3)
    with pytest.raises(ConfigError, match="1 strata must give up to 2 rows more than their maximum"):
        allocate({"a": 5, "b": 5}, 6, cap=1, floors={"a": 3})


def test_a_hundred_thousand_strata_take_seconds() -> None:
    """Malls of one review and of millions, at once."""
    populations = {f"m{index}": 1 + 10**7 // (index + 1) for index in range(100_000)}
    began = time.monotonic()
    allocation = allocate(populations, 250_000, minimum=1, cap=5_000)
    assert time.monotonic() - began < 5
    assert sum(allocation.sizes.values()) == 250_000
    assert (min(allocation.sizes.values()), max(allocation.sizes.values())) == (1, 5_000)
