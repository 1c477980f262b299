"""A round begins: its pool is drawn from what was scored and not labelled yet, mall by mall."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Literal

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reviewlens.bundle import read_bundle
from reviewlens.config import Columns, SampleReviewsConfig
from reviewlens.display import print_line
from reviewlens.errors import InputContractError
from reviewlens.sampling.allocation import Allocation, allocate, equal_weights, neyman_weights
from reviewlens.spark.draw import SQUARES, SUM, count_strata, draw_rows, hold_one_row_each, read_drawn, write_pool
from reviewlens.spark.eligible import JUDGED_DDL, REASONS, judge_reviews, uncertainty
from reviewlens.spark.ledger import write_entry
from reviewlens.spark.progress import RowProgress
from reviewlens.spark.registry import locate_bundle
from reviewlens.spark.rounds import Draw, hold_round, pin_versions, read_draws, read_pinned
from reviewlens.spark.schemas import BUNDLE_ID, POPULATION, ROUND, SALT, SCORES_VERSION, SOURCE_VERSION, STRATUM
from reviewlens.spark.source import select_reviews
from reviewlens.spark.tables import TableRef, create_tables, latest_version, read_table, remove_folder, staging_folder
from reviewlens.taxonomy import read_taxonomy

OTHER_BUNDLE = "scored_by_another_bundle"
_SCORING = ("review_scores", "quarantine", "scoring_runs")
_WRITTEN = ("retraining_rounds", "retraining_pool", "retraining_picks", "labels")
_TOP = 10


@dataclass(frozen=True, slots=True)
class DrawReport:
    """What a run did: the round as it now stands, what was left out and why, and the largest strata."""

    status: Literal["drawn", "grown", "repaired", "unchanged"]
    draw: Draw
    left_out: dict[str, int] = field(default_factory=dict)
    strata: int = 0
    largest: tuple[tuple[str, int, int], ...] = ()
    seconds: float = 0.0


def run(spark: SparkSession, config: SampleReviewsConfig, console: Console) -> DrawReport:
    """Draw the round's pool, or let it grow; the same request again finds nothing to do.

    Raises:
        ConfigError: the bundle, the round, its salt or its minimum is not what a draw needs.
        InputContractError: there is nothing that could be drawn, or the source breaks its contract.
    """
    began = time.monotonic()
    source, target = TableRef.parse(config.source), TableRef.parse(config.target)
    tables = {"source": source, **{name: target.child(name) for name in _SCORING}}
    for name in ("source", "review_scores"):
        latest_version(spark, tables[name])  # before anything is created
    bundle = read_bundle(locate_bundle(spark, target, config.bundle), read_taxonomy(config.taxonomy))
    tables |= create_tables(spark, target, (*_SCORING, *_WRITTEN))
    asked = _ask(config, source, bundle.bundle_id)
    draws = read_draws(spark, tables["retraining_rounds"], asked.round, asked.salt)
    if draws:
        hold_round(draws, asked)
        if asked.requested == draws[-1].requested and _is_whole(spark, tables["retraining_pool"], draws[-1]):
            return _show(DrawReport("unchanged", draws[-1], seconds=time.monotonic() - began), console)

    thresholds = bundle.manifest.thresholds if asked.allocation == "neyman" else None
    stage = f"{staging_folder(spark, target)}/{uuid.uuid4().hex[:12]}"
    try:
        report = _draw(spark, tables, config.columns, draws, asked, config.strata, thresholds, stage, console)
    finally:
        remove_folder(spark, stage)
    if report.status != "repaired":
        write_entry(spark, tables, "retraining_rounds", asdict(report.draw))
    return _show(replace(report, seconds=time.monotonic() - began), console)


def _ask(config: SampleReviewsConfig, source: TableRef, bundle_id: str) -> Draw:
    return Draw(
        round=config.round,
        salt=config.salt or config.round,
        strata=",".join(config.strata),
        allocation=config.allocation,
        requested=config.rows,
        min_rows=config.min_rows,
        max_rows=config.max_rows,
        source=source.location,
        bundle_id=bundle_id,
    )


def _is_whole(spark: SparkSession, pool: TableRef, draw: Draw) -> bool:
    """Whether the pool holds what the ledger says; a run that was killed between its two commits left it otherwise."""
    return read_table(spark, pool).where(F.col(ROUND) == draw.round).count() == draw.drawn


def _draw(
    spark: SparkSession,
    tables: Mapping[str, TableRef],
    columns: Columns,
    draws: Sequence[Draw],
    asked: Draw,
    strata: Sequence[str],
    thresholds: Mapping[str, float] | None,
    stage: str,
    console: Console,
) -> DrawReport:
    """Judge every scored review once, share the rows out over the strata, draw, and write the pool."""
    pins = draws[-1].pins if draws else pin_versions(spark, tables)
    pinned = read_pinned(spark, tables, pins)
    reviews, scores = select_reviews(pinned["source"], columns), pinned["review_scores"]
    scored_by = {row[BUNDLE_ID]: row["count"] for row in scores.groupBy(BUNDLE_ID).count().collect()}
    total = _hold_scored(scored_by, asked.bundle_id)
    scored = scores.where(F.col(BUNDLE_ID) == asked.bundle_id)

    with RowProgress(spark.sparkContext, total, console, "judging") as progress, progress.part(total):
        judged = _judge(pinned, scored, reviews, asked, strata, thresholds)
        judged.write.parquet(f"{stage}/judged")
    judged = spark.read.schema(JUDGED_DDL).parquet(f"{stage}/judged")
    counts = count_strata(judged)
    left_out = {OTHER_BUNDLE: sum(scored_by.values()) - total}
    left_out |= {reason: sum(row[reason] for row in counts) for reason in REASONS}
    populations = _hold_eligible(counts, left_out, total, asked.bundle_id)

    allocation = _share_out(counts, populations, [*(each for each in draws if each.requested < asked.requested), asked])
    drawn = draw_rows(spark, judged, populations, allocation.sizes, f"{stage}/drawn")
    draw = replace(
        asked,
        **asdict(pins),
        drawn=sum(allocation.sizes.values()),
        shortfall=allocation.shortfall,
        population=sum(populations.values()),
        drawn_at=datetime.now().astimezone(),
    )
    _write(spark, tables["retraining_pool"], read_drawn(drawn, scored, reviews), draw, f"{stage}/pool")
    largest = sorted(populations, key=lambda stratum: (-populations[stratum], stratum))[:_TOP]
    is_repair = bool(draws) and draws[-1].requested == asked.requested
    return DrawReport(
        status="repaired" if is_repair else "grown" if draws else "drawn",
        draw=draws[-1] if is_repair else draw,
        left_out=left_out,
        strata=len(populations),
        largest=tuple((stratum, populations[stratum], allocation.sizes[stratum]) for stratum in largest),
    )


def _hold_scored(scored_by: Mapping[str, int], bundle_id: str) -> int:
    if not scored_by.get(bundle_id):
        others = ", ".join(f"bundle {name} scored {rows:,}" for name, rows in sorted(scored_by.items()))
        raise InputContractError(
            f"Bundle {bundle_id} has scored no reviews ({others or 'no bundle has'}): run score_reviews with this "
            "bundle first, or give --bundle the one that scored them."
        )
    return scored_by[bundle_id]


def _judge(
    pinned: Mapping[str, DataFrame],
    scored: DataFrame,
    reviews: DataFrame,
    asked: Draw,
    strata: Sequence[str],
    thresholds: Mapping[str, float] | None,
) -> DataFrame:
    runs = pinned["scoring_runs"].where(F.col(BUNDLE_ID) == asked.bundle_id)
    options = [row.options for row in runs.select("options").distinct().collect()]
    if not options:
        raise InputContractError(
            f"Bundle {asked.bundle_id} has finished no run, so that nothing says how its reviews were scored: let "
            "score_reviews run to its end first."
        )
    return judge_reviews(
        scored,
        reviews,
        pinned["quarantine"],
        pinned["labels"],
        pinned["retraining_picks"].where(F.col(ROUND) != asked.round),
        bundle_id=asked.bundle_id,
        options=options,
        salt=asked.salt,
        strata=strata,
        spread=None if thresholds is None else uncertainty(thresholds),
    )


def _hold_eligible(counts: Sequence[Row], left_out: Mapping[str, int], total: int, bundle_id: str) -> dict[str, int]:
    populations = {row[STRATUM]: row[POPULATION] for row in counts if row[POPULATION]}
    if not populations:
        reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in left_out.items() if rows and reason in REASONS)
        raise InputContractError(
            f"None of the {total:,} reviews that bundle {bundle_id} scored can be drawn: {reasons}. "
            "Score new reviews first."
        )
    return populations


def _share_out(counts: Sequence[Row], populations: Mapping[str, int], history: Sequence[Draw]) -> Allocation:
    """The allocation of the last draw of `history`, each with the sizes of the one before as its floors."""
    weights = None
    if history[-1].allocation == "equal":
        weights = equal_weights(populations)
    elif history[-1].allocation == "neyman":
        sums, squares = ({row[STRATUM]: row[name] for row in counts} for name in (SUM, SQUARES))
        weights = neyman_weights(populations, sums, squares)
    allocation = Allocation({}, 0)
    for draw in history:
        allocation = allocate(
            populations,
            draw.requested,
            weights=weights,
            minimum=draw.min_rows,
            cap=draw.max_rows,
            floors=allocation.sizes,
        )
    return allocation


def _write(spark: SparkSession, table: TableRef, pool: DataFrame, draw: Draw, stage: str) -> None:
    """Stage the pool, so that the merge reads the wide tables once, and make it the round's."""
    stamp = {name: F.lit(getattr(draw, name)) for name in (ROUND, SALT, SOURCE_VERSION, SCORES_VERSION, "drawn_at")}
    pool.withColumns(stamp).write.parquet(stage)
    staged = spark.read.parquet(stage)
    hold_one_row_each(staged, draw.drawn)
    write_pool(spark, table, staged, draw.round)


def _show(report: DrawReport, console: Console) -> DrawReport:
    """Print the draw as tables for people and a JSON line for machines."""
    draw = report.draw
    if report.status == "unchanged":
        console.print(f"Nothing to do: round {draw.round} holds its {draw.drawn:,} reviews already.", highlight=False)
    else:
        strata = Table(title=f"round {draw.round}: {report.status}", title_justify="left")
        strata.add_column(draw.strata, overflow="fold")
        for name in ("population", "drawn"):
            strata.add_column(name, justify="right")
        for stratum, population, size in report.largest:
            strata.add_row(Text(stratum[1:-1]), f"{population:,}", f"{size:,}")
        if report.strata > len(report.largest):
            strata.add_row(f"... {report.strata - len(report.largest):,} more", "", "")
        strata.add_section()
        strata.add_row(f"all {report.strata:,}", f"{draw.population:,}", f"{draw.drawn:,}")
        console.print(strata)
        left_out = Table(title="left out", title_justify="left", show_header=False)
        left_out.add_column()
        left_out.add_column(justify="right")
        for reason, rows in report.left_out.items():
            left_out.add_row(reason.replace("_", " "), f"{rows:,}")
        console.print(left_out)
    if draw.shortfall:
        console.print(f"{draw.shortfall:,} of {draw.requested:,} rows could not be drawn: all there were are in.")
    figures = {**asdict(draw), "left_out": report.left_out, "strata_count": report.strata, "seconds": report.seconds}
    line = {"event": "sample_reviews", "status": report.status, **figures}
    print_line(console, line)
    return report
