"""The selection: which rows of a pool are worth labelling, mall by mall, and why."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf

import numpy as np
import numpy.typing as npt
import pandas as pd

from reviewlens.errors import ConfigError
from reviewlens.sampling.allocation import allocate
from reviewlens.sampling.criteria import CLUSTER
from reviewlens.sampling.similarity import TakenTexts

RANDOM = "random"
REASON_PERCENTILE = 0.9
_CROWD = 2  # times its even share that a cluster may give at least
_SHARE_UNITS = 1_000_000


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen.

    Attributes:
        picks: rows of the pool in the order in which they were taken, the random ones first, with `quota`, `pool_rows`,
            `is_random`, `pick_probability` (NaN unless random), `reason` and `reasons`.
        quotas: picks of each stratum.
        moved: picks beyond their stratum's quota, taken because other strata had only rows that are not allowed.
        shortfall: picks asked for that the pool could not give.
    """

    picks: pd.DataFrame
    quotas: dict[str, int]
    moved: int
    shortfall: int


def select_picks(
    pool: pd.DataFrame,
    rows: int,
    random_share: float,
    shares: Mapping[str, float],
    cluster_share: float = 0.1,
    max_similarity: float = 0.8,
) -> Selection:
    """Choose `rows` rows of a pool.

    Picks are shared out over the strata in proportion to their populations. A share of them is a pure random draw:
    the first rows of each stratum in draw order, which are a simple random sample of its population because the pool
    is; they are taken before any criterion is looked at. For the rest the criteria take turns: the one furthest behind
    its quota takes the row of the highest percentile that is allowed: its stratum has room, no taken row is a
    near-duplicate, its cluster is not crowded, and the criterion's value is above 0. What a criterion or, at the end,
    a stratum cannot give, the others give. Ties go by draw order.

    Args:
        pool: columns review_id, text, stratum, population, draw_order, cluster, and `<criterion>_value` and
            `<criterion>_percentile` for each of `shares`.
        rows: picks to choose.
        random_share: share of them that is the random draw.
        shares: of the criteria in the rest; made to sum to one.
        cluster_share: share of the rest that may come from one cluster, or twice an even share where clusters are few.
        max_similarity: similarity of character n-grams above which two texts are near-duplicates.

    Raises:
        ConfigError: no criterion has a share above 0.
    """
    if not any(share > 0 for share in shares.values()):
        raise ConfigError("At least one criterion needs a share above 0: give shares.")
    ordered = pool.sort_values(["draw_order", "review_id"], kind="stable", ignore_index=True)
    populations = dict(zip(ordered["stratum"].tolist(), ordered["population"].tolist(), strict=True))
    held = {str(name): int(count) for name, count in ordered["stratum"].value_counts().items()}
    allocation = allocate(held, rows, weights=populations)
    random_rows = round(random_share * sum(allocation.sizes.values()))
    random_sizes = allocate(allocation.sizes, random_rows, weights=populations).sizes

    position = ordered.groupby("stratum").cumcount()
    random_picks = np.flatnonzero(position < ordered["stratum"].map(random_sizes))
    room = {name: size - random_sizes[name] for name, size in allocation.sizes.items()}
    chosen = sum(room.values())
    turns = _Turns(ordered, random_picks, room, chosen, cluster_share, max_similarity)
    quotas = share_quotas(shares, chosen)
    turns.play(quotas)
    moved = turns.play(quotas, beyond_strata=True)
    picks = _describe(ordered, random_picks, turns.taken, list(shares), allocation.sizes, random_sizes)
    return Selection(picks, allocation.sizes, moved, rows - len(picks))


def share_quotas(shares: Mapping[str, float], rows: int) -> dict[str, int]:
    """Rows of each criterion by largest remainders; a criterion without a share has no part in it."""
    weights = {name: round(share * _SHARE_UNITS) for name, share in shares.items() if share > 0}
    return allocate(
        dict.fromkeys(weights, rows), rows, weights={name: max(1, each) for name, each in weights.items()}
    ).sizes


class _Turns:
    """The criteria taking rows in turn, and what is still allowed."""

    def __init__(
        self,
        pool: pd.DataFrame,
        random_rows: npt.NDArray[np.intp],
        room: Mapping[str, int],
        rows: int,
        cluster_share: float,
        max_similarity: float,
    ) -> None:
        self.taken: dict[int, str] = {}
        self._pool, self._rows, self._room = pool, rows, dict(room)
        self._texts, self._strata, self._clusters = (pool[name].tolist() for name in ("text", "stratum", CLUSTER))
        self._similar = TakenTexts(max_similarity)
        self._barred = set(random_rows.tolist())  # never to be looked at again
        for row in random_rows.tolist():
            self._similar.add(self._texts[row])
        crowd = max(cluster_share * rows, _CROWD * rows / max(1, pool[CLUSTER].nunique()))
        self._cluster_room = dict.fromkeys(self._clusters, ceil(round(crowd, 6)))

    def play(self, quotas: Mapping[str, int], *, beyond_strata: bool = False) -> int:
        """Take rows until there are enough or none is allowed; the number taken."""
        queues = {name: self._queue(name, beyond_strata=beyond_strata) for name in quotas}
        before = len(self.taken)
        counts = Counter(self.taken.values())
        while queues and len(self.taken) < self._rows:
            name = min(queues, key=lambda each: (counts[each] / quotas[each] if quotas[each] else inf, counts[each]))
            row = next(queues[name], None)
            if row is None:
                del queues[name]
                continue
            counts[name] += 1
            self._take(row, name)
        return len(self.taken) - before

    def _queue(self, name: str, *, beyond_strata: bool) -> Iterator[int]:
        """The criterion's rows from the highest percentile down, each allowed at the time it is asked for."""
        values, percentiles = (self._pool[f"{name}_{kind}"].to_numpy() for kind in ("value", "percentile"))
        for row in np.argsort(-percentiles, kind="stable").tolist():
            if values[row] > 0 and (beyond_strata or self._room[self._strata[row]] > 0) and self._is_allowed(row):
                yield row

    def _is_allowed(self, row: int) -> bool:
        """Whether nothing like it was taken. What is not allowed once never will be."""
        if row in self._barred:
            return False
        if self._cluster_room[self._clusters[row]] > 0 and not self._similar.holds_near_duplicate(self._texts[row]):
            return True
        self._barred.add(row)
        return False

    def _take(self, row: int, name: str) -> None:
        self.taken[row] = name
        self._barred.add(row)
        self._similar.add(self._texts[row])
        self._room[self._strata[row]] -= 1
        self._cluster_room[self._clusters[row]] -= 1


def _describe(
    pool: pd.DataFrame,
    random_rows: npt.NDArray[np.intp],
    taken: Mapping[int, str],
    criteria: Sequence[str],
    quotas: Mapping[str, int],
    random_sizes: Mapping[str, int],
) -> pd.DataFrame:
    """The picks with what is known of why."""
    picks = pool.iloc[[*random_rows.tolist(), *taken]].reset_index(drop=True)
    picks["quota"] = picks["stratum"].map(quotas)
    picks["pool_rows"] = picks["stratum"].map(pool["stratum"].value_counts())
    picks["is_random"] = np.arange(len(picks)) < len(random_rows)
    probability = picks["stratum"].map(random_sizes) / picks["population"]
    picks["pick_probability"] = probability.where(picks["is_random"])
    reasons = [RANDOM] * len(random_rows) + list(taken.values())
    picks["reason"] = pd.Series(reasons, dtype=object)
    stands_out = [
        ((picks[f"{name}_percentile"] >= REASON_PERCENTILE) & (picks[f"{name}_value"] > 0)).to_numpy()
        for name in criteria
    ]
    picks["reasons"] = pd.Series(
        [
            [reason, *(name for name, out in zip(criteria, stands_out, strict=True) if out[row] and name != reason)]
            for row, reason in enumerate(reasons)
        ],
        dtype=object,
    )
    return picks
