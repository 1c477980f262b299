"""Labels as an import leaves them, for the tests of what follows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import Row, SparkSession

from reviewlens.spark.schemas import TABLES
from reviewlens.spark.tables import TableRef, create_tables

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def label(keyword: str, sentiment: str = "긍정", *highlights: tuple[str, int, int]) -> dict[str, Any]:
    """One keyword of an answer."""
    words = [dict(zip(("word", "start", "end"), each, strict=True)) for each in highlights]
    return {"keyword": keyword, "sentiment": sentiment, "highlights": words}


def answer(review_id: str, annotator: str, *labels: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A row of `labels`."""
    plain = {
        "annotation_id": f"{review_id} {annotator}",
        "round": "1차",
        "review_id": review_id,
        "mall_id": "가몰",
        "text": f"배송 늦어요 {review_id}",
        "annotator": annotator,
        "labels": list(labels),
        "is_random": True,
        "taxonomy_version": "2026.1",
        "format": "jsonl",
        "labelled_at": NOW,
        "imported_at": NOW,
    }
    return plain | changes


def write_rows(
    spark: SparkSession, lake: Path, table: str, rows: Sequence[dict[str, Any]], mode: str = "append"
) -> None:
    """Rows of a table; columns that they lack are NULL."""
    create_tables(spark, TableRef.parse(str(lake)), (table,))
    schema = spark.createDataFrame([], TABLES[table]).schema
    written = spark.createDataFrame([tuple(row.get(name) for name in schema.names) for row in rows], schema)
    written.coalesce(1).write.format("delta").mode(mode).save(str(lake / table))


def read_rows(spark: SparkSession, lake: Path, table: str) -> list[Row]:
    """All rows of a table."""
    return spark.read.format("delta").load(str(lake / table)).collect()
