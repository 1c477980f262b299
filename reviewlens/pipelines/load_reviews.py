"""Load a file of reviews, or the corpus that ships with ReviewLens, into a Delta table."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window
from rich.console import Console

from reviewlens.display import print_figures
from reviewlens.errors import ConfigError, InputContractError
from reviewlens.spark.files import BROKEN, UNREAD_DATE, UNREAD_RATING, match_columns, read_file, select_columns
from reviewlens.spark.schemas import CATEGORY, CREATED_AT, MALL_ID, PRODUCT, RATING, REVIEW_ID, REVIEWS_DDL, TEXT
from reviewlens.spark.source import count_reviews
from reviewlens.spark.tables import TableRef, read_table, table_exists, verify_schema

CORPUS = Path(__file__).parents[1] / "starter" / "corpus" / "reviews.jsonl"

_NO_MALL = "-"
_ID_DIGITS = 20
_HASH = "content_hash"
# The corpus belongs to no mall: these names and their shares in percent are made up.
_MADE_UP_MALLS = {"가람몰": 38, "나래몰": 24, "다솜몰": 16, "라온몰": 11, "마루몰": 7, "바다몰": 3, "새벽몰": 1}
_MADE_UP_DAYS = 28
_DAY_S = 86_400


def run(
    spark: SparkSession,
    file: Path | None,
    target: str,
    columns: Mapping[str, str | None],
    rows: int | None,
    today: date,
    console: Console | None = None,
) -> dict[str, Any]:
    """Replace the table `target` by the reviews of a file.

    Args:
        spark: the session.
        file: Parquet, CSV or JSON lines, visible to every executor; None takes the corpus that ships with ReviewLens,
            with made-up malls and days.
        target: a path with a slash in it, or a catalog name.
        columns: our name to the file's, '' for none; whatever is None or not there is guessed.
        rows: at most this many reviews, chosen by a hash of their ids; None takes all.
        today: the made-up days are the four weeks before this one.
        console: where the figures are printed; None is the screen.

    Returns:
        The figures that were printed.

    Raises:
        InputContractError: the file cannot be read, lacks a column, or repeats an id.
        ConfigError: `target` holds something other than reviews.
    """
    ref, origin = TableRef.parse(target), file or CORPUS
    console = console or Console()
    _check_target(spark, ref)
    console.out(f"Reading {origin}", highlight=False)
    table = read_file(spark, origin)
    matched = match_columns(origin, table.columns, columns if file else {})
    parsed = select_columns(table, matched).persist()  # the file is read once, then checked and written from memory
    try:
        unread = _count_unread(parsed, origin)
        reviews = _complete(parsed, has_id=matched[REVIEW_ID] is not None)
        count_reviews(reviews)
        if rows is not None:
            reviews = reviews.orderBy(F.xxhash64(REVIEW_ID), REVIEW_ID).limit(rows)
        if file is None:
            reviews = with_made_up_malls(reviews, today)
        reviews.writeTo(ref.sql).using("delta").createOrReplace()
    finally:
        parsed.unpersist()
    figures = {"file": str(origin), "target": ref.location, **_count_loaded(spark, ref), **unread}
    figures["columns"] = {ours: theirs or "none" for ours, theirs in matched.items()}
    if file is None:
        figures["made_up"] = f"{MALL_ID}, {CREATED_AT}"
    print_figures(console, "Reviews loaded", figures)
    return figures


def with_content_id(reviews: DataFrame) -> DataFrame:
    """Give each review an id from the SHA-256 of its content; the second of equal ones has `-2` after it, and so on."""
    content = F.to_json(F.struct(MALL_ID, TEXT, CATEGORY, PRODUCT, RATING, CREATED_AT))
    hashed = reviews.withColumn(_HASH, F.substring(F.sha2(content, 256), 1, _ID_DIGITS))
    number = F.row_number().over(Window.partitionBy(_HASH).orderBy(_HASH))
    name = F.when(number == 1, F.col(_HASH)).otherwise(F.concat_ws("-", _HASH, number.cast("string")))
    return hashed.withColumn(REVIEW_ID, name).drop(_HASH)


def with_made_up_malls(reviews: DataFrame, today: date) -> DataFrame:
    """Give each review a made-up mall, and a made-up time in the four weeks before `today`, by hashes of its id."""
    malls = F.array(*(F.lit(name) for name, percent in _MADE_UP_MALLS.items() for _ in range(percent)))
    midnight = F.unix_timestamp(F.lit(today).cast("timestamp"))
    written = F.timestamp_seconds(midnight - 1 - _hash_id("time", _MADE_UP_DAYS * _DAY_S))
    return reviews.withColumn(MALL_ID, malls[_hash_id("mall", 100)]).withColumn(CREATED_AT, written)


def _check_target(spark: SparkSession, ref: TableRef) -> None:
    """Only a table of reviews, or nothing, is replaced."""
    if table_exists(spark, ref):
        verify_schema(spark, ref, REVIEWS_DDL)
    elif ref.is_path and Path(ref.location).exists():
        raise ConfigError(f"{ref.location} is there, and is no Delta table: give another target, or remove it.")
    elif not ref.is_path and not spark.catalog.databaseExists(ref.sql.rpartition(".")[0] or "default"):
        raise ConfigError(f"No schema for {ref.location} in the catalog: create it, or give a path with a slash in it.")


def _count_unread(parsed: DataFrame, origin: Path) -> dict[str, int]:
    counts = parsed.agg(*(F.count_if(name).alias(name) for name in (BROKEN, UNREAD_RATING, UNREAD_DATE))).first()
    assert counts is not None
    if counts[BROKEN]:
        raise InputContractError(
            f"{origin}: {counts[BROKEN]:,} lines cannot be parsed, or have more or fewer fields than the header. In a "
            "CSV, texts with commas, quotes or line ends need quotes around them, and quotes inside doubled."
        )
    return {"unread_ratings": counts[UNREAD_RATING], "unread_dates": counts[UNREAD_DATE]}


def _complete(parsed: DataFrame, *, has_id: bool) -> DataFrame:
    reviews = parsed.drop(BROKEN, UNREAD_RATING, UNREAD_DATE)
    reviews = reviews.withColumn(MALL_ID, F.coalesce(MALL_ID, F.lit(_NO_MALL)))
    return reviews if has_id else with_content_id(reviews)


def _count_loaded(spark: SparkSession, ref: TableRef) -> dict[str, int]:
    counts = read_table(spark, ref).agg(F.count("*").alias("reviews"), F.countDistinct(MALL_ID).alias("malls")).first()
    assert counts is not None
    return {"reviews": counts.reviews, "malls": counts.malls}


def _hash_id(purpose: str, buckets: int) -> Column:
    return F.pmod(F.xxhash64(REVIEW_ID, F.lit(purpose)), F.lit(buckets))
