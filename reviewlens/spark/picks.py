"""A round's pool as the selection needs it, and the picks that it leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from reviewlens.errors import BusyError, ConfigError, InputContractError
from reviewlens.sampling.criteria import CLUSTER, CRITERIA
from reviewlens.spark.conflicts import busy_on_conflict
from reviewlens.spark.schemas import (
    BUNDLE_ID,
    DRAW_ORDER,
    IS_RANDOM,
    KEYWORDS,
    LABELS,
    POPULATION,
    PROBABILITIES,
    QUOTA,
    REASON,
    REVIEW_ID,
    ROUND,
    SCORES_VERSION,
    SOURCE_VERSION,
    STRATUM,
    TABLES,
    TEXT,
)
from reviewlens.spark.tables import TableRef, latest_version, read_table, table_exists

_CRITERION = "STRUCT<value: DOUBLE, percentile: DOUBLE, detail: STRING>"
_PICK_DDL = f"""
    {REVIEW_ID} STRING, pool_rows BIGINT, {QUOTA} BIGINT, {IS_RANDOM} BOOLEAN, pick_probability DOUBLE,
    {REASON} STRING, reasons ARRAY<STRING>, criteria MAP<STRING, {_CRITERION}>, {CLUSTER} INT
"""
_SHOWN = ("settings", "pool_version", "labels_version", "rarity_source")


@dataclass(frozen=True, slots=True)
class Pool:
    """A round's pool at one version of its table; `population` is what it was drawn from."""

    rows: DataFrame
    version: int
    count: int
    population: int
    bundle_id: str
    source_version: int
    scores_version: int


@dataclass(frozen=True, slots=True)
class Origin:
    """What a round's picks were chosen with and by, kept with each of them."""

    settings: str
    pool_version: int
    labels_version: int | None
    rarity_source: str
    chosen_at: datetime


def find_pool(spark: SparkSession, target: TableRef, round_name: str) -> Pool:
    """The pool of a round.

    Raises:
        InputContractError: there is none, or its draw did not end.
    """
    pool, rounds = target.child("retraining_pool"), target.child("retraining_rounds")
    advice = f"draw it with the job sample_reviews --round {round_name}"
    if not (table_exists(spark, pool) and table_exists(spark, rounds)):
        raise InputContractError(f"No pool of round {round_name} in {target.location}: {advice}.")
    version = latest_version(spark, pool)
    rows = read_table(spark, pool, version).where(F.col(ROUND) == round_name)
    origins = rows.groupBy(BUNDLE_ID, SOURCE_VERSION, SCORES_VERSION).count().collect()
    count = sum(row["count"] for row in origins)
    draw = read_table(spark, rounds).where(F.col(ROUND) == round_name).orderBy(F.desc("requested")).first()
    if not count:
        raise InputContractError(
            f"No pool of round {round_name} in {pool.location}: {advice}, or give another --round."
        )
    if draw is None or draw["drawn"] != count or len(origins) > 1:
        raise InputContractError(
            f"The pool of round {round_name} in {pool.location} is not whole: its draw was cut off, or goes on now. "
            f"Let it end: {advice}."
        )
    [origin] = origins
    return Pool(
        rows, version, count, draw[POPULATION], origin[BUNDLE_ID], origin[SOURCE_VERSION], origin[SCORES_VERSION]
    )


def hold_bundle(pool: Pool, round_name: str, bundle_id: str, name: str) -> None:
    """Hold that the pool was scored by this bundle.

    Raises:
        ConfigError: another one scored it.
    """
    if pool.bundle_id != bundle_id:
        raise ConfigError(
            f"Bundle {pool.bundle_id} scored the pool of round {round_name}, and {name} is bundle {bundle_id}: give "
            "--bundle the directory of the one that scored it, or begin another round with sample_reviews."
        )


def collect_pool(pool: Pool, keywords: Sequence[str]) -> pd.DataFrame:
    """The pool on the driver: a round's pool is as large as its configuration says.

    Returns:
        review_id, text, stratum, population, draw_order; `probabilities`, a list in the order of `keywords`; and
        `found`, a list of (keyword, most probable sentiment, its probability).
    """
    probabilities = [F.coalesce(F.element_at(PROBABILITIES, F.lit(name)), F.lit(0.0)) for name in keywords]
    parts = ("keyword", "sentiment", "sentiment_probability")
    rows = pool.rows.select(
        REVIEW_ID,
        TEXT,
        STRATUM,
        POPULATION,
        DRAW_ORDER,
        F.array(*probabilities).alias(PROBABILITIES),
        *(F.coalesce(F.col(f"{KEYWORDS}.{part}"), F.array()).alias(part) for part in parts),
    ).toPandas()
    found = [list(zip(*each, strict=True)) for each in zip(*(rows[part] for part in parts), strict=True)]
    rows["found"] = pd.Series(found, dtype="object")
    return rows.drop(columns=list(parts))


def count_sentiments(labels: DataFrame, round_name: str) -> list[dict[str, int]]:
    """Labels of each sentiment in the newest two labelled rounds before this one, the newest first.

    Chosen picks hold more of what the criteria sought, in one round more than in another: where both rounds have
    labels of random picks, only those are counted.
    """
    of_others = labels.where(F.col(ROUND).isNotNull() & (F.col(ROUND) != round_name))
    newest = of_others.groupBy(ROUND).agg(F.min("imported_at").alias("since")).orderBy(F.desc("since"), F.desc(ROUND))
    rounds = [row[ROUND] for row in newest.limit(2).collect()]
    counted = (
        of_others.where(F.col(ROUND).isin(rounds))
        .select(ROUND, IS_RANDOM, F.explode(LABELS).alias("label"))
        .groupBy(ROUND, IS_RANDOM, F.col("label.sentiment").alias("sentiment"))
        .count()
        .collect()
    )
    by_random = all(any(row[ROUND] == name and row[IS_RANDOM] for row in counted) for name in rounds)
    counts: dict[str, dict[str, int]] = {name: {} for name in rounds}
    for row in counted:
        if row[IS_RANDOM] or not by_random:
            of_round = counts[row[ROUND]]
            of_round[row["sentiment"]] = of_round.get(row["sentiment"], 0) + row["count"]
    return list(counts.values())


def read_chosen(spark: SparkSession, picks: TableRef, round_name: str) -> pd.DataFrame:
    """A round's picks on the driver, none before they are chosen: what tables and figures of the round need."""
    columns = (ROUND, STRATUM, POPULATION, QUOTA, TEXT, IS_RANDOM, REASON, "reasons", *_SHOWN)
    rows = read_table(spark, picks).where(F.col(ROUND) == round_name).select(*columns)
    return rows.orderBy(REVIEW_ID).toPandas()


def write_picks(
    spark: SparkSession, table: TableRef, pool: Pool, picks: pd.DataFrame, round_name: str, origin: Origin
) -> None:
    """Write a round's picks in one commit, unless the round has some.

    Raises:
        BusyError: another run chose the round's picks meanwhile.
    """
    reasons = spark.createDataFrame([_as_row(pick) for pick in picks.to_dict("records")], _PICK_DDL)
    stamp = {name: F.lit(getattr(origin, name)) for name in Origin.__slots__}
    schema = spark.createDataFrame([], TABLES["retraining_picks"]).schema
    rows = pool.rows.drop(QUOTA).join(F.broadcast(reasons), REVIEW_ID).withColumns(stamp).select(*schema.names)
    held = DeltaTable.forName(spark, table.sql).alias("held")
    merge = held.merge(rows.alias("chosen"), F.col(f"held.{ROUND}") == F.lit(round_name)).whenNotMatchedInsertAll()
    overtaken = f"Another run chose the picks of round {round_name} at the same time: run again to see them."
    with busy_on_conflict(overtaken):
        written = merge.execute().first()
    assert written is not None
    if written["num_inserted_rows"] != len(picks):
        raise BusyError(overtaken)


def _as_row(pick: dict[Any, Any]) -> tuple[Any, ...]:
    criteria = {
        name: (float(pick[f"{name}_value"]), float(pick[f"{name}_percentile"]), pick[f"{name}_detail"])
        for name in CRITERIA
    }
    return (
        pick[REVIEW_ID],
        int(pick["pool_rows"]),
        int(pick[QUOTA]),
        bool(pick[IS_RANDOM]),
        float(pick["pick_probability"]) if pick[IS_RANDOM] else None,
        pick[REASON],
        list(pick["reasons"]),
        criteria,
        int(pick[CLUSTER]),
    )
