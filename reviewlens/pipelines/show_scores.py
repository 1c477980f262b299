"""Show what the tables hold: some reviews with their highlights, what each mall's reviews speak of, the last run."""

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from reviewlens.config import Columns
from reviewlens.display import MallKeyword, Mark, print_figures, show_malls, show_review
from reviewlens.errors import InputContractError
from reviewlens.spark.schemas import BUNDLE_ID, CATEGORY, CREATED_AT, KEYWORDS, MALL_ID, REVIEW_ID, RUN_ID, TEXT
from reviewlens.spark.source import select_reviews
from reviewlens.spark.tables import TableRef, latest_version, read_table, table_exists

_SEVERAL = 3
_READABLE_CHARS = 160
_NO_MALL = "-"


def run(
    spark: SparkSession,
    source: str,
    target: str,
    columns: Columns,
    reviews: int = 6,
    malls: int = 4,
    keywords: int = 6,
    console: Console | None = None,
) -> dict[str, Any]:
    """Print reviews with their highlights, malls with their keywords, and the figures of the last scoring run.

    Args:
        spark: the session.
        source: the Delta table of reviews that was scored.
        target: where its results are.
        columns: what the source calls its columns.
        reviews: how many reviews.
        malls: how many malls, the largest first.
        keywords: how many keywords of each mall, the most frequent first.
        console: where it is printed; None is the screen.

    Returns:
        The figures of the last run.

    Raises:
        InputContractError: there are no results yet, or the source breaks its contract.
    """
    console = console or Console(highlight=False)
    folder = TableRef.parse(target)
    scored, ledger = folder.child("review_scores"), folder.child("scoring_runs")
    for ref in (scored, ledger):
        if not table_exists(spark, ref):
            raise InputContractError(f"No table {ref.location}: run score_reviews with this target first.")
    origin = TableRef.parse(source)
    latest_version(spark, origin)  # says so where there is no such table
    texts = select_reviews(read_table(spark, origin), columns).select(REVIEW_ID, TEXT)
    scores = read_table(spark, scored)
    for row in choose_reviews(scores, texts, reviews):
        console.print(show_review(_heading(row), row[TEXT], [_mark(found) for found in row[KEYWORDS]]))
    console.print(show_malls(count_keywords(scores, malls, keywords)))
    figures = read_last_run(read_table(spark, ledger))
    print_figures(console, "Last run", figures)
    return figures


def choose_reviews(scores: DataFrame, texts: DataFrame, limit: int) -> Sequence[Row]:
    """The reviews that show most: praise beside blame, several highlights, not too long; then by a hash of the id.

    A review whose text has changed since it was scored is left out: its highlights stand elsewhere.
    """
    # An expression, since the functions for arrays take lambdas that name no field.
    in_place = f"""forall({KEYWORDS}, k -> k.highlight IS NULL
        OR substring({TEXT}, k.highlight.start + 1, k.highlight.end - k.highlight.start) = k.highlight.word)"""
    is_mixed = F.expr(
        f"exists({KEYWORDS}, k -> k.sentiment_value > 0) AND exists({KEYWORDS}, k -> k.sentiment_value < 0)"
    )
    highlights = F.expr(f"size(filter({KEYWORDS}, k -> k.highlight IS NOT NULL))")
    return (
        scores.join(texts, REVIEW_ID)
        .where(in_place)
        .orderBy(
            is_mixed.desc(),
            F.least(highlights, F.lit(_SEVERAL)).desc(),
            F.char_length(TEXT) > _READABLE_CHARS,
            F.xxhash64(REVIEW_ID),
            REVIEW_ID,
        )
        .select(REVIEW_ID, MALL_ID, CATEGORY, CREATED_AT, TEXT, KEYWORDS)
        .limit(limit)
        .collect()
    )


def count_keywords(scores: DataFrame, malls: int, keywords: int) -> list[MallKeyword]:
    """For the malls with most reviews, the keywords with most mentions and the shares of their sentiments."""
    mall = F.coalesce(MALL_ID, F.lit(_NO_MALL)).alias("mall")
    sizes = scores.groupBy(mall).agg(F.count("*").alias("mall_reviews")).orderBy(F.desc("mall_reviews"), "mall")
    largest = {row["mall"]: row["mall_reviews"] for row in sizes.limit(malls).collect()}
    mentions = scores.select(mall, F.explode(KEYWORDS).alias("found")).where(F.col("mall").isin(list(largest)))
    counts = (
        mentions.groupBy("mall", "found.keyword")
        .agg(
            F.count("*").alias("mentions"),
            F.avg((F.col("found.sentiment_value") > 0).cast("int")).alias("positive"),
            F.avg((F.col("found.sentiment_value") < 0).cast("int")).alias("negative"),
        )
        .orderBy(F.desc("mentions"), "keyword")
        .collect()
    )
    return [
        MallKeyword(name, size, row["keyword"], row["mentions"], row["positive"], row["negative"])
        for name, size in largest.items()
        for row in [row for row in counts if row["mall"] == name][:keywords]
    ]


def read_last_run(ledger: DataFrame) -> dict[str, Any]:
    """The figures of the run that started last; nothing where none has."""
    last = ledger.orderBy(F.desc("started_at"), RUN_ID).first()
    names = ("input", "scored", "quarantined", "unchanged", "seconds", "rows_per_second", BUNDLE_ID, RUN_ID, "status")
    return {name: last[name] for name in names} if last else {}


def _heading(row: Row) -> str:
    day = row[CREATED_AT] and row[CREATED_AT].strftime("%Y-%m-%d")
    return " · ".join(str(part) for part in (row[MALL_ID], row[CATEGORY], day, row[REVIEW_ID]) if part)


def _mark(found: Row) -> Mark:
    span = (found.highlight.start, found.highlight.end) if found.highlight else None
    return Mark(found.keyword, found.sentiment, found.sentiment_value, span)
