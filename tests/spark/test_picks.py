"""What the selection is told of earlier rounds."""

from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import SparkSession

from reviewlens.spark.picks import count_sentiments
from reviewlens.spark.schemas import LABEL_DDL
from reviewlens.spark.tables import TableRef, create_tables, read_table
from reviewlens.taxonomy import Taxonomy


def test_sentiments_are_counted_in_the_two_newest_rounds_before(
    spark: SparkSession, tmp_path: Path, taxonomy: Taxonomy
) -> None:
    """By random picks where both rounds have labels of some; by all labels otherwise; a single round alone."""
    labels = create_tables(spark, TableRef.parse(str(tmp_path / "lake")), ["labels"])["labels"]
    good, bad = taxonomy.sentiment_names[-1], taxonomy.sentiment_names[0]

    def add(round_name: str, day: int, is_random: bool, *sentiments: str) -> None:
        found: list[tuple[str, str, list[object]]] = [("배송", each, []) for each in sentiments]
        row = (f"{round_name}{day}", round_name, "r1", is_random, found, datetime(2026, 1, day, tzinfo=UTC))
        ddl = f"""annotation_id STRING, round STRING, review_id STRING, is_random BOOLEAN, labels ARRAY<{LABEL_DDL}>,
            imported_at TIMESTAMP"""
        spark.createDataFrame([row], ddl).write.format("delta").mode("append").save(labels.location)

    def count() -> list[dict[str, int]]:
        return count_sentiments(read_table(spark, labels), "now")

    assert count() == []
    add("b", 2, False, good, bad)
    add("now", 9, True, bad)
    assert count() == [{good: 1, bad: 1}]
    add("a", 3, True, good, good, bad)
    add("a", 4, False, bad)
    assert count() == [{good: 2, bad: 2}, {good: 1, bad: 1}]
    add("b", 5, True, bad)
    add("old", 1, True, good)
    assert count() == [{good: 2, bad: 1}, {bad: 1}]
