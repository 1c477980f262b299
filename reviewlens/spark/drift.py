"""The counts that drift is seen in: a week's reviews and mentions, and those of the weeks before."""

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from reviewlens.spark.conflicts import busy_on_conflict
from reviewlens.spark.schemas import BUNDLE_ID, CREATED_AT, KEYWORDS, MALL_ID, SCORED_AT, TABLES
from reviewlens.spark.tables import TableRef

MENTIONED = "mentioned"  # of a mall's reviews, those that have the keyword
NEGATIVE = "negative"  # of the mentions of a keyword, those that are negative
_WEEKS_BEFORE = "weeks_before"


@dataclass(frozen=True, slots=True)
class Weeks:
    """A week of `days` days that ends with `end`, and `reference_days` before it. All dates are included."""

    end: date
    days: int
    reference_days: int

    @property
    def start(self) -> date:
        """The week's first day."""
        return self.end - timedelta(days=self.days - 1)

    @property
    def reference_start(self) -> date:
        """The reference's first day; its last is the one before the week."""
        return self.start - timedelta(days=self.reference_days)


def read_newest_day(scores: DataFrame) -> date | None:
    """The newest day of a scored review; a day after the scoring is a slip of the source, and passed over."""
    day = _day()
    newest = scores.where(day <= F.to_date(SCORED_AT)).agg(F.max(day).alias("day")).first()
    assert newest is not None
    found: date | None = newest["day"]
    return found


def select_weeks(scores: DataFrame, weeks: Weeks) -> DataFrame:
    """The scores of the week and of its reference, with how many weeks before they are: 0 is the week itself."""
    first, after = F.lit(weeks.reference_start), F.lit(weeks.end + timedelta(days=1))
    # Each column by itself, so that the filter reaches Delta, which skips files by it.
    is_within = ((F.col(CREATED_AT) >= first) & (F.col(CREATED_AT) < after)) | (
        F.col(CREATED_AT).isNull() & (F.col(SCORED_AT) >= first) & (F.col(SCORED_AT) < after)
    )
    before = F.ceil(F.datediff(F.lit(weeks.start), _day()) / weeks.days).cast("int")
    return scores.where(is_within).select(MALL_ID, KEYWORDS, BUNDLE_ID, before.alias(_WEEKS_BEFORE))


def count_bundles(dated: DataFrame) -> dict[str, tuple[int, int]]:
    """For each bundle, how many reviews of the week and of all weeks it scored; the one with most of the week first."""
    counts = dated.groupBy(BUNDLE_ID).agg(
        F.count_if(F.col(_WEEKS_BEFORE) == 0).alias("week"), F.count("*").alias("all")
    )
    rows = counts.orderBy(F.desc("week"), F.desc("all"), BUNDLE_ID).collect()
    return {row[BUNDLE_ID]: (row["week"], row["all"]) for row in rows}


def count_mentions(dated: DataFrame) -> DataFrame:
    """One row for each mall, keyword and measure that the week could be compared in, as `find_drift` takes them.

    One pass and no join, so a null mall is a group like any other: every review has exactly one row whose position is
    0 or null, with or without keywords, and those rows count the mall's reviews.
    """
    pairs = F.arrays_zip(F.col(f"{KEYWORDS}.keyword"), F.col(f"{KEYWORDS}.sentiment_value"))
    found = dated.select(MALL_ID, _WEEKS_BEFORE, F.posexplode_outer(pairs).alias("position", "pair"))
    by_week = found.groupBy(MALL_ID, _WEEKS_BEFORE, F.col("pair.keyword").alias("keyword")).agg(
        F.count_if(F.coalesce("position", F.lit(0)) == 0).alias("first_rows"),
        F.count("position").alias("mentions"),
        F.count_if(F.col("pair.sentiment_value") < 0).alias("negative"),
    )
    # Aggregated by now: a mall has no more rows than weeks times keywords.
    reviews = F.sum("first_rows").over(Window.partitionBy(MALL_ID, _WEEKS_BEFORE))
    by_mall = Window.partitionBy(MALL_ID)
    first_rows = F.col("first_rows")
    malls = by_week.withColumn("reviews", reviews).withColumns(
        {
            "week_reviews": F.sum(_in_week(first_rows)).over(by_mall),
            "reference_reviews": F.sum(_in_reference(first_rows)).over(by_mall),
            "weeks": F.sum(_in_reference(first_rows / F.col("reviews"))).over(by_mall),
            "squared_reviews": F.sum(_in_reference(first_rows * F.col("reviews"))).over(by_mall),
        }
    )
    return _measure(malls.where(F.col("keyword").isNotNull()))


def write_alerts(spark: SparkSession, table: TableRef, alerts: pd.DataFrame, weeks: Weeks) -> None:
    """Make `alerts` what the table holds of the week, in one commit.

    Raises:
        BusyError: another run wrote the same week at the same time.
    """
    rows = spark.createDataFrame(alerts, schema=spark.createDataFrame([], TABLES["drift_alerts"]).schema)
    is_of_week = f"week_start = DATE'{weeks.start}' AND week_end = DATE'{weeks.end}'"
    week = rows.coalesce(1).write.format("delta").mode("overwrite").option("replaceWhere", is_of_week)
    with busy_on_conflict(f"Another run wrote {table.location} at the same time: run again."):
        week.saveAsTable(table.sql)


def _day() -> Column:
    return F.to_date(F.coalesce(CREATED_AT, SCORED_AT))


def _in_week(value: Column) -> Column:
    return F.when(F.col(_WEEKS_BEFORE) == 0, value).otherwise(0)


def _in_reference(value: Column) -> Column:
    return F.when(F.col(_WEEKS_BEFORE) > 0, value).otherwise(0)


def _measure(malls: DataFrame) -> DataFrame:
    """Both measures of each mall and keyword."""
    mentions, negative = F.col("mentions"), F.col("negative")
    figures = malls.groupBy(MALL_ID, "keyword").agg(
        *(F.first(name).alias(name) for name in ("week_reviews", "reference_reviews", "weeks", "squared_reviews")),
        F.sum(_in_week(mentions)).alias("week_mentions"),
        F.sum(_in_week(negative)).alias("week_negative"),
        F.sum(_in_reference(mentions)).alias("mentions"),
        F.sum(_in_reference(negative)).alias("negative"),
        F.sum(_in_reference(F.lit(1))).alias("mention_weeks"),
        F.sum(_in_reference(mentions * mentions)).alias("squared_mentions"),
        F.sum(_in_reference(mentions * mentions / F.col("reviews"))).alias("mention_share"),
        F.sum(_in_reference(negative * negative / mentions)).alias("negative_share"),
    )
    names = {
        MENTIONED: "week_reviews week_mentions reference_reviews mentions weeks squared_reviews mention_share",
        NEGATIVE: "week_mentions week_negative mentions negative mention_weeks squared_mentions negative_share",
    }
    measures = [_name_counts(measure, columns.split()) for measure, columns in names.items()]
    measured = figures.select(MALL_ID, "keyword", F.inline(F.array(*measures)))
    return measured.where(F.col("week_rows") > 0)


def _name_counts(measure: str, columns: list[str]) -> Column:
    kinds = {
        "week_rows": "bigint",
        "week_hits": "bigint",
        "reference_rows": "bigint",
        "reference_hits": "bigint",
        "reference_weeks": "double",
        "squared_rows": "double",
        "squared_hits": "double",
    }
    counts = [F.col(column).cast(kind).alias(name) for column, (name, kind) in zip(columns, kinds.items(), strict=True)]
    return F.struct(F.lit(measure).alias("measure"), *counts)
