"""The rounds of retraining: what was drawn, at which versions, and what may follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from reviewlens.errors import ConfigError, InputContractError
from reviewlens.spark.schemas import ROUND, SALT
from reviewlens.spark.tables import TableRef, latest_version, read_table

_FIXED = {"salt": "salt", "strata": "strata", "allocation": "allocation", "source": "source", "bundle_id": "bundle"}
_FIXED_WHILE_IT_STAYS = {"min_rows": "min_rows", "max_rows": "max_rows"}


@dataclass(frozen=True, slots=True)
class Pins:
    """The versions of all tables that a draw depends on."""

    source_version: int
    scores_version: int
    quarantine_version: int
    runs_version: int
    labels_version: int
    picks_version: int


@dataclass(frozen=True, slots=True)
class Draw:
    """A row of `retraining_rounds`."""

    round: str
    salt: str
    strata: str
    allocation: str
    requested: int
    min_rows: int
    max_rows: int | None
    source: str
    bundle_id: str
    source_version: int = 0
    scores_version: int = 0
    quarantine_version: int = 0
    runs_version: int = 0
    labels_version: int = 0
    picks_version: int = 0
    drawn: int = 0
    shortfall: int = 0
    population: int = 0
    drawn_at: datetime | None = None

    @property
    def pins(self) -> Pins:
        """The versions that the draw was made at."""
        return Pins(**{name: getattr(self, name) for name in Pins.__slots__})


def read_draws(spark: SparkSession, table: TableRef, round_name: str, salt: str) -> list[Draw]:
    """The draws of a round, in the order in which it grew.

    Raises:
        ConfigError: another round was drawn with this salt; the two would share their reviews.
    """
    is_related = (F.col(ROUND) == round_name) | (F.col(SALT) == salt)
    draws = [Draw(**row.asDict()) for row in read_table(spark, table).where(is_related).orderBy("requested").collect()]
    for draw in draws:
        if draw.round != round_name and draw.salt == salt:
            raise ConfigError(
                f"Round {draw.round} was drawn with salt {salt!r} already, and round {round_name} would begin with the "
                "same reviews: give another salt."
            )
    return [draw for draw in draws if draw.round == round_name]


def hold_round(draws: Sequence[Draw], asked: Draw) -> None:
    """Hold that a round only grows, and stays what it is otherwise.

    Raises:
        ConfigError: lists all that differs from the round's last draw.
    """
    last = draws[-1]
    fixed = _FIXED | (_FIXED_WHILE_IT_STAYS if asked.requested == last.requested else {})
    faults = [
        f"{key} is {getattr(asked, name)}, and was {getattr(last, name)}"
        for name, key in fixed.items()
        if getattr(asked, name) != getattr(last, name)
    ]
    if asked.requested < last.requested:
        faults.append(f"rows is {asked.requested:,}, and {last.requested:,} were asked for already")
    if faults:
        raise ConfigError(
            f"Round {last.round} was drawn before, and may only grow. {'; '.join(faults)}. Give the round's own values "
            "and as many rows or more, or begin another round with --round."
        )


def pin_versions(spark: SparkSession, tables: Mapping[str, TableRef]) -> Pins:
    """The newest version of each table."""
    names = ("source", "review_scores", "quarantine", "scoring_runs", "labels", "retraining_picks")
    return Pins(*(latest_version(spark, tables[name]) for name in names))


def read_pinned(spark: SparkSession, tables: Mapping[str, TableRef], pins: Pins) -> dict[str, DataFrame]:
    """Each table as it was at its pinned version.

    Raises:
        InputContractError: a version is no longer there.
    """
    versions = {
        "source": pins.source_version,
        "review_scores": pins.scores_version,
        "quarantine": pins.quarantine_version,
        "scoring_runs": pins.runs_version,
        "labels": pins.labels_version,
        "retraining_picks": pins.picks_version,
    }
    rows = {}
    for name, version in versions.items():
        try:
            rows[name] = read_table(spark, tables[name], version)
        except AnalysisException as error:
            raise InputContractError(
                f"{tables[name].location} has no version {version} any more, which the round was drawn at: begin "
                "another round."
            ) from error
    return rows
