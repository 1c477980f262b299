"""Evaluations: what a comparison of two bundles found, written once."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime

from delta.tables import DeltaTable
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from reviewlens.spark.conflicts import busy_on_conflict
from reviewlens.spark.schemas import TABLES
from reviewlens.spark.tables import TableRef, create_tables, read_table, table_exists
from reviewlens.training.findings import GATE, Contest, Finding

_EVALUATIONS = "evaluations"
_POSITION = "position"


def read_findings(spark: SparkSession, target: TableRef, evaluation_id: str) -> list[Finding]:
    """What an evaluation found, in the order in which it was written; nothing where there is no such evaluation."""
    ref = target.child(_EVALUATIONS)
    if not table_exists(spark, ref):
        return []
    names = [field.name for field in fields(Finding)]
    rows = read_table(spark, ref).where(F.col("evaluation_id") == evaluation_id).orderBy(_POSITION)
    return [Finding(**row.asDict()) for row in rows.select(*names).collect()]


def read_newest(spark: SparkSession, target: TableRef, challenger: str, champion: str) -> str | None:
    """The id of the newest evaluation of two bundles, whatever its training set and settings."""
    is_of_both = (F.col("challenger") == challenger) & (F.col("champion") == champion) & (F.col("measure") == GATE)
    verdicts = read_table(spark, target.child(_EVALUATIONS)).where(is_of_both)
    newest: Row | None = verdicts.orderBy(F.desc("evaluated_at"), F.desc("evaluation_id")).first()
    return None if newest is None else str(newest["evaluation_id"])


def write_evaluation(
    spark: SparkSession, target: TableRef, contest: Contest, findings: Sequence[Finding], now: datetime
) -> None:
    """Write an evaluation in one commit, unless it is there.

    Raises:
        BusyError: another run wrote the table at the same time; nothing of this one was written.
    """
    ref = create_tables(spark, target, [_EVALUATIONS])[_EVALUATIONS]
    schema = spark.createDataFrame([], TABLES[_EVALUATIONS]).schema
    common = asdict(contest) | {"evaluated_at": now}
    entries = [common | asdict(finding) | {_POSITION: position} for position, finding in enumerate(findings)]
    rows = spark.createDataFrame([tuple(entry[name] for name in schema.names) for entry in entries], schema).coalesce(1)
    held = DeltaTable.forName(spark, ref.sql).alias("held")
    merge = held.merge(rows.alias("new"), F.expr("held.evaluation_id = new.evaluation_id")).whenNotMatchedInsertAll()
    with busy_on_conflict(f"Another run wrote {ref.location} at the same time: nothing was written. Start again."):
        merge.execute()
