"""Which rows are still to be scored, staged once and cut into chunks."""

from dataclasses import dataclass
from math import ceil

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from reviewlens.spark.schemas import CHUNK, FINGERPRINT, IS_NEW, REASON, REVIEW_ID, REVIEWS_DDL

_SCORED, _REFUSED = "scored_fingerprint", "refused_fingerprint"
_STAGED_DDL = f"{REVIEWS_DDL}, {FINGERPRINT} STRING, {REASON} STRING, {IS_NEW} BOOLEAN"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of the pending rows that one Delta commit carries."""

    number: int
    rows: int
    path: str


def select_pending(reviews: DataFrame, scores: DataFrame | None, quarantine: DataFrame | None) -> DataFrame:
    """The reviews whose result is not there, or belongs to another fingerprint.

    A review is done when exactly one of `review_scores` and `quarantine` holds it, under its fingerprint; so a chunk
    that was interrupted between its two commits is pending again. `is_new` tells those that neither table knows.
    """
    if scores is None or quarantine is None:
        return reviews.withColumn(IS_NEW, F.lit(True))
    scored = scores.select(REVIEW_ID, F.col(FINGERPRINT).alias(_SCORED))
    refused = quarantine.select(REVIEW_ID, F.col(FINGERPRINT).alias(_REFUSED))
    is_done = (F.col(_SCORED).eqNullSafe(F.col(FINGERPRINT)) & F.col(_REFUSED).isNull()) | (
        F.col(_REFUSED).eqNullSafe(F.col(FINGERPRINT)) & F.col(_SCORED).isNull()
    )
    return (
        reviews.join(scored, REVIEW_ID, "left")
        .join(refused, REVIEW_ID, "left")
        .where(~is_done)
        .withColumn(IS_NEW, F.col(_SCORED).isNull() & F.col(_REFUSED).isNull())
        .drop(_SCORED, _REFUSED)
    )


def stage_chunks(spark: SparkSession, pending: DataFrame, folder: str, chunk_rows: int) -> list[Chunk]:
    """Write the pending rows under `folder`, cut by a hash of their id into chunks of about `chunk_rows`."""
    pending.write.mode("overwrite").parquet(f"{folder}/pending")
    staged = spark.read.schema(_STAGED_DDL).parquet(f"{folder}/pending")
    chunks = max(1, ceil(staged.count() / chunk_rows))
    numbered = staged.withColumn(CHUNK, F.pmod(F.xxhash64(REVIEW_ID), F.lit(chunks)).cast("int"))
    numbered.repartition(chunks, CHUNK).write.mode("overwrite").partitionBy(CHUNK).parquet(f"{folder}/chunks")
    counts = spark.read.schema(f"{_STAGED_DDL}, {CHUNK} INT").parquet(f"{folder}/chunks").groupBy(CHUNK).count()
    return [
        Chunk(row[CHUNK], row["count"], f"{folder}/chunks/{CHUNK}={row[CHUNK]}")
        for row in counts.orderBy(CHUNK).collect()
    ]


def read_chunk(spark: SparkSession, chunk: Chunk, task_rows: int) -> DataFrame:
    """A chunk's rows, spread over tasks of about `task_rows`."""
    return spark.read.schema(_STAGED_DDL).parquet(chunk.path).repartition(ceil(chunk.rows / task_rows), REVIEW_ID)
