"""What a round's picks come to, for a person and for a machine."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reviewlens.sampling.criteria import CRITERIA
from reviewlens.sampling.figures import name_stratum
from reviewlens.sampling.selection import RANDOM

_TOP = 10


@dataclass(frozen=True, slots=True)
class ChoiceReport:
    """A round's picks in figures, and what they were chosen with.

    Attributes:
        reasons: picks that each reason took.
        all_reasons: picks that have each reason.
        moved: picks beyond their stratum's quota.
        strata: strata that have picks.
        coverage: share of the population in strata that have a random pick; the model is measured on no others.
        rarity_source: the training data that rarity was measured by.
    """

    status: Literal["chosen", "unchanged"]
    round: str
    requested: int
    picks: int
    shortfall: int
    moved: int
    reasons: dict[str, int]
    all_reasons: dict[str, int]
    strata: int
    coverage: float
    pool_rows: int
    bundle_id: str
    source_version: int
    scores_version: int
    pool_version: int | None
    labels_version: int | None
    rarity_source: str | None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What picks count up to; the fields are those of `ChoiceReport`."""

    picks: int
    moved: int
    reasons: dict[str, int]
    all_reasons: dict[str, int]
    strata: int
    coverage: float


def count_picks(picks: pd.DataFrame, population: int) -> Counts:
    """Count a round's picks.

    Args:
        picks: columns stratum, population, quota, is_random, reason and reasons, a row for each pick.
        population: reviews that the pool was drawn from.
    """
    taken, of_stratum = Counter(picks["reason"]), Counter(picks["stratum"])
    covered = picks[picks["is_random"].astype(bool)].drop_duplicates("stratum")["population"].sum()
    quotas = dict(zip(picks["stratum"], picks["quota"].astype(int), strict=True))
    return Counts(
        picks=len(picks),
        moved=sum(max(0, count - quotas[stratum]) for stratum, count in of_stratum.items()),
        reasons={name: taken[name] for name in (RANDOM, *CRITERIA)},
        all_reasons={name: sum(name in reasons for reasons in picks["reasons"]) for name in (RANDOM, *CRITERIA)},
        strata=len(of_stratum),
        coverage=float(covered) / population,
    )


def show_choice(report: ChoiceReport, picks: pd.DataFrame, console: Console) -> None:
    """Print the picks as tables for a person."""
    if report.status == "unchanged":
        console.print(f"Nothing to do: the picks of round {report.round} were chosen before.", markup=False)
    console.print(_reasons_table(report))
    console.print(_strata_table(picks))
    if 0 < report.coverage < 1:
        console.print(
            f"Random picks are in malls or categories with {report.coverage:.1%} of the population: what is measured "
            "by them says nothing of the rest.",
            highlight=False,
        )
    if report.moved:
        console.print(f"{report.moved:,} picks went beyond their quota: others had only rows that may not be taken.")
    if report.shortfall:
        console.print(
            f"{report.shortfall:,} of {report.requested:,} picks are missing: what is left of the pool's "
            f"{report.pool_rows:,} reviews is a near-duplicate, of a crowded cluster, or worth 0 to every criterion."
        )


def _reasons_table(report: ChoiceReport) -> Table:
    table = Table(title=Text(f"round {report.round}: picks by reason"), title_justify="left")
    table.add_column("reason")
    for name in ("taken", "all that have it"):
        table.add_column(name, justify="right")
    for name, taken in report.reasons.items():
        table.add_row(name, f"{taken:,}", f"{report.all_reasons[name]:,}")
    table.add_section()
    table.add_row(f"of {report.pool_rows:,} in the pool", f"{report.picks:,}", "")
    return table


def _strata_table(picks: pd.DataFrame) -> Table:
    malls = picks.groupby("stratum").agg(
        population=("population", "first"),
        quota=("quota", "first"),
        picks=("reason", "size"),
        random=("is_random", "sum"),
    )
    malls = malls.sort_values("population", ascending=False, kind="stable")
    table = Table(title="picks by mall or category", title_justify="left")
    table.add_column("", overflow="fold")
    for name in malls.columns:
        table.add_column(name, justify="right")
    for stratum, row in malls.head(_TOP).iterrows():
        table.add_row(Text(name_stratum(str(stratum))), *(f"{int(value):,}" for value in row))
    if len(malls) > _TOP:
        rest = malls.iloc[_TOP:].sum()
        table.add_row(f"... {len(malls) - _TOP:,} more", *(f"{int(value):,}" for value in rest))
    return table
