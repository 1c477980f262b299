"""How many rows each stratum gives: exact proportional allocation between bounds, in integers throughout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt

from reviewlens.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Allocation:
    """The size of each stratum, and how many of the rows asked for all strata together do not have."""

    sizes: dict[str, int]
    shortfall: int


def allocate(
    populations: Mapping[str, int],
    rows: int,
    *,
    weights: Mapping[str, int] | None = None,
    minimum: int = 0,
    cap: int | None = None,
    floors: Mapping[str, int] | None = None,
) -> Allocation:
    """Share `rows` out over strata in proportion to their weights, each between its bounds.

    The real-valued shares are clamp(level * weight, low, high), with the one level at which they sum to `rows`: what a
    stratum cannot give, the others give in proportion. Each share is then cut to an integer, and the rows left over go
    to the largest remainders; ties go to the larger population, then to the smaller key.

    Largest remainders have the Alabama paradox: with one row more to share out, a stratum may get one less. A draw
    that grows therefore gives the sizes that it has as `floors`; then the larger draw holds the smaller one.

    Args:
        populations: rows of each stratum.
        rows: rows to share out.
        weights: what shares are proportional to, above zero for every stratum; without it, the populations.
        minimum: rows that each stratum gives at least, or all where it has fewer.
        cap: rows that each stratum gives at most.
        floors: rows that single strata give at least, such as those that were drawn already.

    Returns:
        Sizes that sum to `rows`; where the upper bounds do not allow it, the upper bounds and the shortfall.

    Raises:
        ConfigError: the lower bounds sum to more than `rows`, or one of them is above its upper bound.
    """
    floors = floors or {}
    keys = [key for key, population in populations.items() if population > 0]
    most = max(populations.values(), default=0) if cap is None else cap
    lows = [max(min(minimum, populations[key]), floors.get(key, 0)) for key in keys]
    highs = [min(most, populations[key]) for key in keys]
    _hold_bounds(lows, highs, rows)
    sizes = dict.fromkeys(populations, 0)
    shortfall = rows - sum(highs)
    if shortfall >= 0:
        return Allocation(sizes | dict(zip(keys, highs, strict=True)), shortfall)
    shares = [(weights or populations)[key] for key in keys]
    level, unit = _find_level(shares, lows, highs, rows)
    remainders = []
    for key, share, low, high in zip(keys, shares, lows, highs, strict=True):
        whole, remainder = divmod(level * share, unit)
        sizes[key] = min(max(whole, low), high)
        if low <= whole < high and remainder:
            remainders.append((-remainder, -populations[key], key))
    remainders.sort()
    for _, _, key in remainders[: rows - sum(sizes.values())]:
        sizes[key] += 1
    return Allocation(sizes, 0)


def equal_weights(populations: Mapping[str, int]) -> dict[str, int]:
    """Weights that share out the same number of rows to each stratum."""
    return dict.fromkeys(populations, 1)


def neyman_weights(
    populations: Mapping[str, int], sums: Mapping[str, int], squares: Mapping[str, int]
) -> dict[str, int]:
    """Population times spread, which makes the variance of the total's estimate least (Neyman 1934).

    N * deviation = sqrt(N * sum of squares - square of the sum), which integers give exactly. One unit of spread is
    added to each: strata without any still get rows, and where none has any the shares follow the populations.

    Args:
        populations: rows of each stratum, N.
        sums: sums of an integer measure of each row, such as its uncertainty in units of 1/10,000.
        squares: sums of its squares.
    """
    return {key: isqrt(rows * squares[key] - sums[key] ** 2) + rows for key, rows in populations.items()}


def _hold_bounds(lows: Sequence[int], highs: Sequence[int], rows: int) -> None:
    above = [low - high for low, high in zip(lows, highs, strict=True) if low > high]
    if above:
        raise ConfigError(
            f"{len(above):,} strata must give up to {max(above):,} rows more than their maximum or population allows: "
            "raise max_rows or lower min_rows."
        )
    if sum(lows) > rows:
        raise ConfigError(
            f"The minimum of each of {len(lows):,} strata takes {sum(lows):,} rows in all, {sum(lows) - rows:,} more "
            f"than the {rows:,} to draw: lower min_rows or raise rows."
        )


def _find_level(shares: Sequence[int], lows: Sequence[int], highs: Sequence[int], rows: int) -> tuple[int, int]:
    """The level at which the clamped shares sum to `rows`, as numerator and denominator.

    The sum is piecewise linear in the level, with a bend where a stratum leaves its low and one where it meets its
    high; bends are passed in order until the sum reaches `rows`.
    """
    # Two fractions with denominators up to 2^b differ by 2^-2b or more, or not at all: the cut keys sort them exactly.
    shift = 2 * max(shares).bit_length()
    bends = [(bound << shift) // share for bounds in (lows, highs) for bound, share in zip(bounds, shares, strict=True)]
    total, slope = sum(lows), 0
    for index in sorted(range(len(bends)), key=bends.__getitem__):
        stratum, is_high = index % len(shares), index >= len(shares)
        share, bound = shares[stratum], (highs if is_high else lows)[stratum]
        if total * share + slope * bound >= rows * share:
            break
        total += bound if is_high else -bound
        slope += -share if is_high else share
    return (rows - total, slope) if slope else (bound, share)  # where it is flat, every level up to this bend will do
