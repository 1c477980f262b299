"""The ledger: what every run and every chunk did."""

from collections.abc import Mapping
from typing import Any

from pyspark.sql import SparkSession

from reviewlens.spark.schemas import TABLES
from reviewlens.spark.tables import TableRef


def write_entry(spark: SparkSession, tables: Mapping[str, TableRef], name: str, entry: Mapping[str, Any]) -> None:
    """Append one row to the ledger table `name`; columns that `entry` lacks are NULL, an unknown key is an error."""
    schema = spark.createDataFrame([], TABLES[name]).schema
    row = spark.createDataFrame([tuple(entry.get(field) for field in schema.names)], schema)
    assert not entry.keys() - set(schema.names), entry.keys() - set(schema.names)
    row.coalesce(1).write.format("delta").mode("append").saveAsTable(tables[name].sql)
