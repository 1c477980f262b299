"""One chunk: scored once into the stage, then committed to the results and to the quarantine."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from reviewlens.errors import LedgerError
from reviewlens.spark.pending import Chunk, read_chunk
from reviewlens.spark.schemas import (
    BUNDLE_ID,
    CATEGORY,
    CREATED_AT,
    ENGINE,
    FINGERPRINT,
    IS_NEW,
    KEYWORDS,
    MALL_ID,
    PROBABILITIES,
    PRODUCT,
    RATING,
    RAW,
    REASON,
    REFUSAL,
    REFUSED_AT,
    REVIEW_ID,
    RUN_ID,
    SCORE,
    SCORE_DDL,
    SCORED_AT,
    TEXT,
    TRUNCATED,
    WORK,
    WORK_SUMS,
)
from reviewlens.spark.tables import TableRef, latest_version

_SCORED_DDL = f"""
    {REVIEW_ID} STRING, {MALL_ID} STRING, {TEXT} STRING, {CATEGORY} STRING, {PRODUCT} STRING, {RATING} DOUBLE,
    {CREATED_AT} TIMESTAMP, {FINGERPRINT} STRING, {REASON} STRING, {IS_NEW} BOOLEAN, {SCORE} STRUCT<{SCORE_DDL}>
"""


@dataclass(frozen=True, slots=True)
class Committed:
    """What a chunk did: rows by outcome, the version of `review_scores` that holds them, and what it cost.

    `failed` of the quarantined rows broke the models. `work` has the keys of `WORK_SUMS` and `ENGINE`.
    """

    chunk: int
    scored: int
    quarantined: int
    failed: int
    scores_version: int
    score_seconds: float
    write_seconds: float
    work: dict[str, Any]


def commit_chunk(
    spark: SparkSession,
    chunk: Chunk,
    stage: str,
    score: Callable[[Column], Column],
    tables: Mapping[str, TableRef],
    run_id: str,
    bundle_id: str,
    task_rows: int,
    hold_error_budget: Callable[[int], None],
) -> Committed:
    """Score a chunk and commit it: one version of `review_scores`, and one of `quarantine` where a row needs it.

    `hold_error_budget` is called with the number of rows that broke the models, before anything is committed.

    Raises:
        LedgerError: rows went missing between the stage and its result.
    """
    began = time.monotonic()
    staged = _score_once(spark, read_chunk(spark, chunk, task_rows), f"{stage}/scored/{chunk.number}", score)
    outcomes = F.col(REASON).isNull().alias("is_scored"), F.col(f"{SCORE}.{REFUSAL}").isNotNull().alias("is_failed")
    counts = staged.groupBy(*outcomes, IS_NEW).count().collect()
    scored = sum(row["count"] for row in counts if row.is_scored)
    quarantined = sum(row["count"] for row in counts if not row.is_scored)
    failed = sum(row["count"] for row in counts if row.is_failed)
    if scored + quarantined != chunk.rows:
        raise LedgerError(f"Chunk {chunk.number}: {chunk.rows} rows in, {scored} scored, {quarantined} refused.")
    hold_error_budget(failed)
    replaces = any(not row[IS_NEW] for row in counts)
    scored_at = time.monotonic()

    stamp = {BUNDLE_ID: F.lit(bundle_id), RUN_ID: F.lit(run_id)}
    results = staged.where(F.col(REASON).isNull()).select(*_score_columns()).withColumns(stamp)
    refusals = staged.where(F.col(REASON).isNotNull()).select(*_refusal_columns()).withColumns(stamp)
    known = staged.where(~F.col(IS_NEW)).select(REVIEW_ID) if replaces else None
    if scored or replaces:
        _write(spark, tables["review_scores"], results.withColumn(SCORED_AT, F.current_timestamp()), known)
    if quarantined or replaces:
        _write(spark, tables["quarantine"], refusals.withColumn(REFUSED_AT, F.current_timestamp()), known)
    return Committed(
        chunk=chunk.number,
        scored=scored,
        quarantined=quarantined,
        failed=failed,
        scores_version=latest_version(spark, tables["review_scores"]),
        score_seconds=scored_at - began,
        write_seconds=time.monotonic() - scored_at,
        work=_sum_work(staged),
    )


def _score_once(spark: SparkSession, rows: DataFrame, path: str, score: Callable[[Column], Column]) -> DataFrame:
    """Materialise before anything branches: a filter over a UDF's output would run the UDF again."""
    text = F.when(F.col(REASON).isNull(), F.col(TEXT))
    rows.withColumn(SCORE, score(text)).write.mode("overwrite").parquet(path)
    staged = spark.read.schema(_SCORED_DDL).parquet(path)
    return staged.withColumn(REASON, F.coalesce(F.col(REASON), F.col(f"{SCORE}.{REFUSAL}")))


def _sum_work(staged: DataFrame) -> dict[str, Any]:
    """What the chunk cost, from the stage itself: a task that ran twice counts once."""
    work = staged.select(f"{SCORE}.{WORK}.*")
    sums = [F.sum(name).alias(name) for name in WORK_SUMS]
    engines = [F.max(name).alias(name) for name in ENGINE]
    [total] = work.agg(*sums, *engines).collect()
    return total.asDict()


def _score_columns() -> list[Column]:
    plain = [F.col(name) for name in (REVIEW_ID, MALL_ID, CATEGORY, CREATED_AT, FINGERPRINT)]
    return plain + [F.col(f"{SCORE}.{name}") for name in (PROBABILITIES, KEYWORDS, TRUNCATED)]


def _refusal_columns() -> list[Column]:
    raw = [REVIEW_ID, MALL_ID, TEXT, CATEGORY, PRODUCT, RATING, CREATED_AT]
    fields = [part for name in raw for part in (F.lit(name), F.col(name).cast("string"))]
    return [F.col(REVIEW_ID), F.col(MALL_ID), F.col(REASON), F.create_map(*fields).alias(RAW), F.col(FINGERPRINT)]


def _write(spark: SparkSession, table: TableRef, rows: DataFrame, known: DataFrame | None) -> None:
    """Append rows; where some reviews are `known` already, replace what the table holds of them, in one commit."""
    names = rows.columns
    if known is None:
        rows.createOrReplaceTempView("chunk_rows")
        columns = ", ".join(names)
        spark.sql(f"INSERT INTO {table.sql} ({columns}) SELECT {columns} FROM chunk_rows")  # noqa: S608
        return
    # Rows that the table loses come with nothing but their id.
    known.join(rows, REVIEW_ID, "full").createOrReplaceTempView("chunk_changes")
    spark.sql(
        f"MERGE INTO {table.sql} AS held USING chunk_changes AS change ON held.{REVIEW_ID} = change.{REVIEW_ID} "  # noqa: S608
        f"WHEN MATCHED AND change.{FINGERPRINT} IS NULL THEN DELETE "
        f"WHEN MATCHED THEN UPDATE SET {', '.join(f'held.{name} = change.{name}' for name in names)} "
        f"WHEN NOT MATCHED AND change.{FINGERPRINT} IS NOT NULL THEN INSERT ({', '.join(names)}) "
        f"VALUES ({', '.join(f'change.{name}' for name in names)})"
    )
