"""The source's contract, and what is pending in it."""

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from reviewlens.config import Columns
from reviewlens.errors import InputContractError
from reviewlens.spark.pending import select_pending
from reviewlens.spark.source import count_reviews, refusal_reason, select_reviews, with_fingerprint


def test_every_fault_of_the_columns_is_in_one_message(spark: SparkSession) -> None:
    """Missing and wrongly typed columns come together, with what is there."""
    table = spark.createDataFrame([], "id BIGINT, shop STRUCT<a: INT>, body BINARY, stars STRING")
    columns = Columns(review_id="id", mall_id="shop", text="body", rating="stars", created_at="day")
    with pytest.raises(InputContractError) as caught:
        select_reviews(table, columns)
    for part in (
        "mall_id: column shop is struct<a:int>, and must be text or integer",
        "text: column body is binary, and must be text",
        "rating: column stars is string, and must be a number",
        "created_at: there is no column day (columns: id, shop, body, stars)",
    ):
        assert part in str(caught.value)


def test_columns_are_mapped_and_cast(spark: SparkSession) -> None:
    """Odd names are quoted, integers become text, what is not mapped is NULL."""
    table = spark.createDataFrame([(7, 3, "좋아요", 5)], "`리뷰 id.` BIGINT, mall INT, `내용` STRING, `별점` INT")
    columns = Columns(review_id="리뷰 id.", mall_id="mall", text="내용", rating="별점")
    [row] = select_reviews(table, columns).collect()
    assert tuple(row) == ("7", "3", "좋아요", None, None, 5.0, None)


def test_null_and_repeated_ids_are_counted_and_named(spark: SparkSession) -> None:
    """One message says how many of each, and which."""
    reviews = spark.createDataFrame([("a",), ("a",), ("b",), (None,), ("c'",), ("c'",), ("c'",)], "review_id STRING")
    with pytest.raises(InputContractError, match=r"null in 1 of 7 rows; 3 rows repeat a review_id .*'a', \"c'\""):
        count_reviews(reviews)


def test_ids_of_their_own_are_counted(spark: SparkSession) -> None:
    """No fault, the number of rows."""
    assert count_reviews(spark.createDataFrame([("a",), ("b",)], "review_id STRING")) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "null_text"),
        ("", "empty_text"),
        (" \t\n\u3000\u00a0", "empty_text"),
        ("가" * 11, "too_long"),
        ("가" * 10, None),
        ("😀" * 10, None),  # code points, not UTF-16 units
        ("👍", None),
    ],
)
def test_what_cannot_be_scored_has_a_reason(spark: SparkSession, text: str | None, reason: str | None) -> None:
    """Null, blank, or over `max_chars` code points."""
    reviews = spark.createDataFrame([(text,)], "text STRING")
    [row] = reviews.select(refusal_reason(F.col("text"), 10).alias("reason")).collect()
    assert row.reason == reason


def test_a_fingerprint_follows_text_bundle_and_options(spark: SparkSession) -> None:
    """Each of the three changes it; NULL is not the empty text."""
    texts = spark.createDataFrame([("좋아요",), ("",), (None,)], "text STRING")
    prints = {
        row.fingerprint
        for bundle, options in (("a", "1"), ("b", "1"), ("a", "2"), ("a", "1"))
        for row in with_fingerprint(texts, bundle, options).collect()
    }
    assert len(prints) == 9


def test_pending_is_what_no_table_holds_under_its_fingerprint(spark: SparkSession) -> None:
    """New, edited and half-committed reviews are pending; scored and refused ones are done."""
    reviews = spark.createDataFrame(
        [("new", "1"), ("scored", "1"), ("edited", "2"), ("refused", "1"), ("mended", "2"), ("half", "2")],
        "review_id STRING, fingerprint STRING",
    )
    scores = spark.createDataFrame(
        [("scored", "1"), ("edited", "1"), ("half", "2")], "review_id STRING, fingerprint STRING"
    )
    quarantine = spark.createDataFrame(
        [("refused", "1"), ("mended", "1"), ("half", "1")], "review_id STRING, fingerprint STRING"
    )
    pending = select_pending(reviews, scores, quarantine).collect()
    assert {(row.review_id, row.is_new) for row in pending} == {
        ("new", True),
        ("edited", False),
        ("mended", False),
        ("half", False),
    }
