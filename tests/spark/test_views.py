"""The analysts' views over real Delta tables: for a session over a path, and for everyone in a schema."""

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import SparkSession

from reviewlens.spark.schemas import TABLES
from reviewlens.spark.tables import TableRef, create_tables, create_views, read_table

SQL = Path(__file__).parents[2] / "conf" / "sql"
SEOUL = ZoneInfo("Asia/Seoul")
NOON = datetime(2026, 7, 31, 12, tzinfo=SEOUL)
PAST_MIDNIGHT = datetime(2026, 7, 31, 0, 30, tzinfo=SEOUL)  # 30 July in UTC

REVIEWS = [
    (
        *("r1", "A", "상의", PAST_MIDNIGHT),
        [
            ("디자인", 0.75, "긍정", 1, 0.5, ("예쁘지만", 3, 7, 0.25)),
            ("배송", 0.875, "매우부정", -2, 0.625, ("늦어요😢", 13, 17, 0.125)),
        ],
    ),
    ("r2", "A", None, NOON, [("배송", 0.5, "중립", 0, 0.5, None)]),
    ("r3", "A", "상의", NOON, []),
    ("r4", None, None, None, [("배송", 0.5, "매우긍정", 2, 0.5, ("빨라요", 0, 3, 0.25))]),
    ("r5", None, None, NOON, None),
    ("r7", "A", None, datetime(2026, 7, 30, 12, tzinfo=SEOUL), []),  # another day of the same mall
    # The level's value as an earlier taxonomy had it.
    ("r6", "A", "상의", NOON, [("배송", 0.5, "매우부정", -3, 0.5, ("최악", 0, 2, 0.25))]),
]


@pytest.fixture(scope="module")
def lakehouse(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> TableRef:
    """Scores of `REVIEWS` under a path."""
    target = TableRef.parse(str(tmp_path_factory.mktemp("lakehouse")))
    scores = create_tables(spark, target)["review_scores"]
    rows = [
        (*head, {"배송": 0.5}, keywords, head[0] == "r1", "print", "bundle", "run", NOON) for *head, keywords in REVIEWS
    ]
    frame = spark.createDataFrame(rows, TABLES["review_scores"]).coalesce(1)
    frame.write.format("delta").mode("append").save(scores.location)
    return target


@pytest.fixture(scope="module")
def analyst(spark: SparkSession, lakehouse: TableRef) -> SparkSession:
    """A session of its own with the views over the lakehouse."""
    session = spark.newSession()
    create_views(session, lakehouse, SQL)
    return session


def test_review_keywords_has_a_flat_row_for_each_keyword_found(analyst: SparkSession) -> None:
    """Highlights keep their offsets, a missing highlight is null, and reviews without a keyword give no row."""
    keywords = analyst.table("review_keywords")
    assert keywords.columns == [
        *("review_id", "mall_id", "category", "created_at", "keyword", "probability"),
        *("sentiment", "sentiment_value", "sentiment_probability"),
        *("highlight", "highlight_start", "highlight_end", "probability_without_highlight"),
        *("truncated", "bundle_id", "run_id", "scored_at"),
    ]
    rows = [tuple(row) for row in keywords.drop("created_at", "scored_at").orderBy("review_id", "keyword").collect()]
    flat = [
        ("r1", "A", "상의", "디자인", 0.75, "긍정", 1, 0.5, "예쁘지만", 3, 7, 0.25, True),
        ("r1", "A", "상의", "배송", 0.875, "매우부정", -2, 0.625, "늦어요😢", 13, 17, 0.125, True),
        ("r2", "A", None, "배송", 0.5, "중립", 0, 0.5, None, None, None, None, False),
        ("r4", None, None, "배송", 0.5, "매우긍정", 2, 0.5, "빨라요", 0, 3, 0.25, False),
        ("r6", "A", "상의", "배송", 0.5, "매우부정", -3, 0.5, "최악", 0, 2, 0.25, False),
    ]
    assert rows == [(*row, "bundle", "run") for row in flat]


def test_mall_keyword_daily_counts_reviews_by_mall_day_and_keyword(analyst: SparkSession) -> None:
    """Days are Seoul's, or those of scoring; a null mall is a group; silent reviews count among the mall's."""
    daily = analyst.table("mall_keyword_daily")
    assert daily.columns == [
        *("mall_id", "day", "keyword", "reviews", "mall_reviews", "share", "sentiments"),
        *("negative", "neutral", "positive", "mean_sentiment"),
    ]
    assert dict(daily.dtypes)["sentiments"] == "map<string,bigint>"
    day = date(2026, 7, 31)
    assert [tuple(row) for row in daily.orderBy("mall_id", "keyword").collect()] == [
        (None, day, "배송", 1, 2, 1 / 2, {"매우긍정": 1}, 0, 0, 1, 2.0),
        ("A", day, "디자인", 1, 4, 1 / 4, {"긍정": 1}, 0, 0, 1, 1.0),
        ("A", day, "배송", 3, 4, 3 / 4, {"매우부정": 2, "중립": 1}, 2, 1, 0, -5 / 3),
    ]


def test_views_in_a_schema_stay_and_follow_the_table(spark: SparkSession, lakehouse: TableRef) -> None:
    """Another session finds them by name, created twice or once, and they show what was appended since."""
    nightly, other = spark.newSession(), spark.newSession()
    nightly.sql("CREATE SCHEMA analysts")
    target = TableRef.parse("analysts")
    scores = create_tables(nightly, target)["review_scores"]
    for _ in range(2):
        create_views(nightly, target, SQL)
    assert nightly.catalog.currentDatabase() == "default"

    read_table(nightly, lakehouse.child("review_scores")).write.format("delta").mode("append").saveAsTable(scores.sql)

    views: list[Any] = other.sql("SHOW VIEWS IN analysts").collect()
    assert {(view["viewName"], view["isTemporary"]) for view in views} == {
        ("review_keywords", False),
        ("mall_keyword_daily", False),
    }
    assert other.table("analysts.review_keywords").count() == 5
    assert other.sql("SELECT sum(reviews) FROM analysts.mall_keyword_daily").first() == (5,)


def test_views_over_a_path_are_the_sessions_alone(spark: SparkSession, analyst: SparkSession) -> None:
    """Nothing is left in the catalog for other sessions to trip over."""
    assert analyst.catalog.tableExists("review_keywords")
    assert not spark.newSession().catalog.tableExists("review_keywords")
