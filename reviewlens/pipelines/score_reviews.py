"""The nightly run: what is new in the source, scored chunk by chunk into the results."""

import json
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from rich.console import Console
from rich.table import Table

from reviewlens.bundle import Bundle, read_bundle
from reviewlens.config import ScoreReviewsConfig
from reviewlens.display import print_line
from reviewlens.errors import QuarantineLimitError
from reviewlens.spark.bundles import ship_bundle
from reviewlens.spark.commits import Committed, commit_chunk
from reviewlens.spark.ledger import write_entry
from reviewlens.spark.pending import Chunk, select_pending, stage_chunks
from reviewlens.spark.progress import RowProgress
from reviewlens.spark.registry import locate_bundle
from reviewlens.spark.scoring import Engine, score_udf
from reviewlens.spark.source import count_reviews, select_reviews, with_fingerprint, with_refusal
from reviewlens.spark.tables import (
    TableRef,
    create_tables,
    create_views,
    latest_version,
    read_table,
    remove_folder,
    staging_folder,
    table_exists,
)
from reviewlens.taxonomy import read_taxonomy

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunReport:
    """The run's line of the ledger. In a finished run input = scored + quarantined + unchanged."""

    run_id: str
    status: str
    started_at: datetime
    source: str
    source_version: int
    bundle_id: str
    taxonomy_version: str
    options: str
    input: int
    scored: int = 0
    quarantined: int = 0
    unchanged: int = 0
    chunks: int = 0
    seconds: float = 0.0
    rows_per_second: float = 0.0
    finished_at: datetime | None = None


def run(spark: SparkSession, config: ScoreReviewsConfig, console: Console) -> RunReport:
    """Score what the results lack, and say what was done.

    Raises:
        ConfigError: the bundle, its taxonomy or the target is not what the run needs.
        InputContractError: the source breaks its contract; nothing was scored.
        QuarantineLimitError: more was refused than `max_quarantine_share`; what could be scored is committed.
    """
    began = time.monotonic()
    source, target = TableRef.parse(config.source), TableRef.parse(config.target)
    bundle = read_bundle(locate_bundle(spark, target, config.bundle), read_taxonomy(config.taxonomy))
    report, pending = _look_at(spark, config, bundle, source, target)
    if config.dry_run:
        return _rehearse(pending, config, report, console)

    tables = create_tables(spark, target)
    stage = f"{staging_folder(spark, target)}/{report.run_id}"
    try:
        chunks = stage_chunks(spark, pending, stage, config.chunk_rows)
        done = _score_chunks(spark, config, bundle, chunks, tables, stage, report.run_id, console)
    finally:
        remove_folder(spark, stage)
    create_views(spark, target, config.sql_dir)

    report = _finish(report, chunks, done, time.monotonic() - began)
    write_entry(spark, tables, "scoring_runs", asdict(report))
    show_report(report, console)
    _hold_quarantine_limit(report, config.max_quarantine_share)
    return report


def _look_at(
    spark: SparkSession, config: ScoreReviewsConfig, bundle: Bundle, source: TableRef, target: TableRef
) -> tuple[RunReport, DataFrame]:
    """Check the source at one pinned version, and select what is pending in it."""
    version = latest_version(spark, source)
    reviews = select_reviews(read_table(spark, source, version), config.columns)
    options = json.dumps(
        {
            "backend": config.backend,
            "dtype": config.dtype,
            "highlight": config.highlight.model_dump(),
            "max_chars": config.max_chars,
        }
    )
    report = RunReport(
        run_id=uuid.uuid4().hex[:12],
        status="started",
        started_at=datetime.now().astimezone(),
        source=source.location,
        source_version=version,
        bundle_id=bundle.bundle_id,
        taxonomy_version=bundle.manifest.taxonomy.version,
        options=options,
        input=count_reviews(reviews),
    )
    known = [target.child(name) for name in ("review_scores", "quarantine")]
    scores, quarantine = (read_table(spark, ref) if table_exists(spark, ref) else None for ref in known)
    marked = with_refusal(with_fingerprint(reviews, bundle.bundle_id, options), config.max_chars)
    return report, select_pending(marked, scores, quarantine)


def _rehearse(pending: DataFrame, config: ScoreReviewsConfig, report: RunReport, console: Console) -> RunReport:
    rows = pending.count()
    chunks = -(-rows // config.chunk_rows)
    console.print(
        f"{report.input:,} reviews in {report.source} (version {report.source_version}): {rows:,} to score, "
        f"{report.input - rows:,} unchanged. {chunks} chunks of about {rows // max(chunks, 1):,} rows. "
        "Dry run: nothing was scored, and nothing written."
    )
    return replace(report, status="dry run", unchanged=report.input - rows, chunks=chunks)


def _score_chunks(
    spark: SparkSession,
    config: ScoreReviewsConfig,
    bundle: Bundle,
    chunks: Sequence[Chunk],
    tables: Mapping[str, TableRef],
    stage: str,
    run_id: str,
    console: Console,
) -> list[Committed]:
    threads = int(spark.sparkContext.getConf().get("spark.task.cpus", "1") or 1)
    score = score_udf(
        Engine(
            bundle_path=ship_bundle(spark, bundle),
            bundle_id=bundle.bundle_id,
            device=config.device,
            backend=config.backend,
            dtype=config.dtype,
            token_budget=config.token_budget,
            threads=threads,
            shortlist=config.highlight.words if config.highlight.mode == "shortlist" else None,
        )
    )
    done: list[Committed] = []
    with RowProgress(spark.sparkContext, sum(chunk.rows for chunk in chunks), console) as progress:
        for chunk in chunks:
            with progress.part(chunk.rows):
                budget = partial(_hold_error_budget, done, chunk.rows, config.max_error_share)
                committed = commit_chunk(
                    spark, chunk, stage, score, tables, run_id, bundle.bundle_id, config.task_rows, budget
                )
            _write_chunk(spark, tables, run_id, chunk, committed)
            if not done:
                _log.info("Engine: %s", describe_engine(committed))
            done.append(committed)
    return done


def _write_chunk(
    spark: SparkSession, tables: Mapping[str, TableRef], run_id: str, chunk: Chunk, committed: Committed
) -> None:
    entry = {"run_id": run_id, "input": chunk.rows, "committed_at": datetime.now().astimezone()}
    figures = asdict(committed)
    write_entry(spark, tables, "scoring_chunks", entry | figures.pop("work") | figures)


def describe_engine(committed: Committed) -> str:
    """What a chunk was computed with, in one line."""
    work = committed.work
    if work["backend"] is None:
        return "nothing was computed"
    return (
        f"{work['backend']} {work['dtype']} on {work['device']}, threads {work['threads']}, "
        f"token budget {work['token_budget']:,}"
    )


def _hold_error_budget(done: Sequence[Committed], rows: int, limit: float, failed: int) -> None:
    failures = failed + sum(chunk.failed for chunk in done)
    handled = rows + sum(chunk.scored + chunk.quarantined for chunk in done)
    if failures > limit * handled:
        raise QuarantineLimitError(
            f"The models failed on {failures:,} of {handled:,} reviews, more than max_error_share {limit:g}: the "
            "bundle or the machine is at fault rather than the reviews. Earlier chunks are committed, this one is not."
        )


def _finish(report: RunReport, chunks: Sequence[Chunk], done: Sequence[Committed], seconds: float) -> RunReport:
    scored, quarantined = sum(chunk.scored for chunk in done), sum(chunk.quarantined for chunk in done)
    scoring_seconds = sum(chunk.score_seconds + chunk.write_seconds for chunk in done)
    return replace(
        report,
        status="done",
        finished_at=datetime.now().astimezone(),
        scored=scored,
        quarantined=quarantined,
        unchanged=report.input - sum(chunk.rows for chunk in chunks),
        chunks=len(done),
        seconds=seconds,
        rows_per_second=scored / scoring_seconds if scoring_seconds else 0.0,
    )


def show_report(report: RunReport, console: Console) -> None:
    """Print the run as a table for people and a JSON line for machines."""
    if report.scored + report.quarantined == 0:
        console.print(f"Nothing to score: all {report.input:,} reviews are unchanged.")
    table = Table(title=f"run {report.run_id}", title_justify="left")
    for name in ("input", "scored", "quarantined", "unchanged", "chunks", "seconds", "rows/s"):
        table.add_column(name, justify="right")
    table.add_row(
        *(f"{count:,}" for count in (report.input, report.scored, report.quarantined, report.unchanged, report.chunks)),
        f"{report.seconds:,.1f}",
        f"{report.rows_per_second:,.1f}",
    )
    console.print(table)
    line: dict[str, Any] = {"event": "score_reviews", **asdict(report)}
    print_line(console, line)


def _hold_quarantine_limit(report: RunReport, limit: float) -> None:
    handled = report.scored + report.quarantined
    if handled and report.quarantined / handled > limit:
        raise QuarantineLimitError(
            f"{report.quarantined:,} of {handled:,} new reviews were refused, more than max_quarantine_share "
            f"{limit:g}: look at their reasons in {report.source}'s quarantine. What could be scored is committed."
        )
