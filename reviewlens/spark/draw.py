"""The draw: strata counted, the first of each by their hashed ids taken, the pool replaced in one commit."""

from collections.abc import Mapping
from math import isqrt

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F

from reviewlens.errors import InputContractError
from reviewlens.spark.conflicts import busy_on_conflict
from reviewlens.spark.eligible import DRAW_KEY, REASONS, UNCERTAINTY
from reviewlens.spark.schemas import (
    BUNDLE_ID,
    CATEGORY,
    CREATED_AT,
    DRAW_ORDER,
    FINGERPRINT,
    INCLUSION_PROBABILITY,
    KEYWORDS,
    MALL_ID,
    POPULATION,
    PROBABILITIES,
    QUOTA,
    REASON,
    REVIEW_ID,
    ROUND,
    STRATUM,
    TEXT,
)
from reviewlens.spark.tables import TableRef

SUM, SQUARES = "uncertainty_sum", "uncertainty_squares"
_BOUND, _DRAWN_AT = "bound", "drawn_at"
_SIZES_DDL = f"{STRATUM} STRING, {POPULATION} BIGINT, {QUOTA} BIGINT, {_BOUND} BIGINT"
_DRAWN_DDL = f"{REVIEW_ID} STRING, {STRATUM} STRING, {POPULATION} BIGINT, {QUOTA} BIGINT, {DRAW_ORDER} INT"
_WIDTH = 6  # about standard deviations of a count
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


def count_strata(judged: DataFrame) -> list[Row]:
    """One row for each stratum: its population, sum and squares of uncertainty, and a count for each of `REASONS`."""
    is_eligible = F.col(REASON).isNull()
    measure = F.when(is_eligible, F.col(UNCERTAINTY))
    return (
        judged.groupBy(STRATUM)
        .agg(
            F.count_if(is_eligible).alias(POPULATION),
            F.sum(measure).alias(SUM),
            F.sum(measure * measure).alias(SQUARES),
            *(F.count_if(F.col(REASON) == reason).alias(reason) for reason in REASONS),
        )
        .collect()
    )


def draw_rows(
    spark: SparkSession,
    judged: DataFrame,
    populations: Mapping[str, int],
    sizes: Mapping[str, int],
    path: str,
    width: int = _WIDTH,
) -> DataFrame:
    """The `sizes[stratum]` eligible reviews of each stratum whose draw keys are least, ties by id; staged at `path`.

    Only keys under a bound are ordered, set so that a few more rows than needed are under it. Every stratum is counted
    afterwards; those that came short get a wider bound, at last the whole stratum.

    Args:
        spark: the session.
        judged: rows of `JUDGED_DDL`.
        populations: eligible rows of each stratum.
        sizes: rows to draw of each stratum.
        path: folder that the drawn rows are staged in.
        width: how far the first bound is from the expected one, about in standard deviations.
    """
    widths = {stratum: width for stratum, size in sizes.items() if size}
    first = Window.partitionBy(STRATUM).orderBy(DRAW_KEY, REVIEW_ID)
    while True:
        rows = [
            (stratum, populations[stratum], sizes[stratum], key_bound(populations[stratum], sizes[stratum], each))
            for stratum, each in widths.items()
        ]
        bounds = spark.createDataFrame(rows, _SIZES_DDL)
        near = judged.where(F.col(REASON).isNull()).join(F.broadcast(bounds), STRATUM)
        ordered = near.where(F.col(DRAW_KEY) <= F.col(_BOUND)).withColumn(DRAW_ORDER, F.row_number().over(first))
        taken = ordered.where(F.col(DRAW_ORDER) <= F.col(QUOTA))
        taken.select(REVIEW_ID, STRATUM, POPULATION, QUOTA, DRAW_ORDER).write.mode("overwrite").parquet(path)
        drawn = spark.read.schema(_DRAWN_DDL).parquet(path)
        counts = drawn.groupBy(STRATUM).count()
        is_short = F.coalesce("count", F.lit(0)) < F.col(QUOTA)
        short = [row[STRATUM] for row in bounds.join(counts, STRATUM, "left").where(is_short).select(STRATUM).collect()]
        if not short:
            return drawn
        widths |= {stratum: 8 * max(1, widths[stratum]) for stratum in short}


def key_bound(population: int, size: int, width: int) -> int:
    """The key at or under which about `size + width * (sqrt(size) + 2)` of a population's hashed ids are."""
    wanted = size + width * (isqrt(size) + 2)
    return _HIGHEST if wanted >= population else _LOWEST + (wanted << 64) // population


def read_drawn(drawn: DataFrame, scored: DataFrame, reviews: DataFrame) -> DataFrame:
    """The drawn reviews with their texts and scores. The drawn are few, and go to where the many are read."""
    kept = (REVIEW_ID, MALL_ID, CATEGORY, CREATED_AT, PROBABILITIES, KEYWORDS, FINGERPRINT, BUNDLE_ID)
    scores = scored.select(*kept).join(F.broadcast(drawn), REVIEW_ID)
    texts = reviews.select(REVIEW_ID, TEXT).join(F.broadcast(drawn.select(REVIEW_ID)), REVIEW_ID)
    return scores.join(texts, REVIEW_ID).withColumn(INCLUSION_PROBABILITY, F.col(QUOTA) / F.col(POPULATION))


def hold_one_row_each(pool: DataFrame, rows: int) -> None:
    """Hold that each drawn review came back once.

    Raises:
        InputContractError: the source repeats ids among those that were drawn.
    """
    counts = pool.agg(F.count("*").alias("rows"), F.countDistinct(REVIEW_ID).alias("ids")).first()
    assert counts is not None
    if not counts.rows == counts.ids == rows:
        raise InputContractError(
            f"{rows:,} reviews were drawn, and {counts.rows:,} rows with {counts.ids:,} ids were read: the source "
            f"repeats a {REVIEW_ID}. Each review needs one id: mend the source, score it, and begin the round again."
        )


def write_pool(spark: SparkSession, table: TableRef, pool: DataFrame, round_name: str) -> None:
    """Make `pool` what the table holds of the round, in one commit; rows that stay keep the time they were drawn at.

    Raises:
        BusyError: another run wrote the round at the same time.
    """
    is_of_round = F.col(f"held.{ROUND}") == F.lit(round_name)
    held = DeltaTable.forName(spark, table.sql).alias("held")
    merge = (
        held.merge(pool.alias("drawn"), is_of_round & (F.col(f"held.{REVIEW_ID}") == F.col(f"drawn.{REVIEW_ID}")))
        .whenMatchedUpdate(set={name: F.col(f"drawn.{name}") for name in pool.columns if name != _DRAWN_AT})
        .whenNotMatchedInsertAll()
        .whenNotMatchedBySourceDelete(is_of_round)
    )
    with busy_on_conflict(f"Another run wrote the pool of round {round_name} at the same time: run again."):
        merge.execute()
