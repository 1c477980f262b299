"""Delta tables by path or by catalog name: created by explicit DDL, verified at every read."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from delta.tables import DeltaTable
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import ArrayType, DataType, MapType, StructType

from reviewlens.errors import ConfigError, InputContractError
from reviewlens.spark.schemas import SCORING_TABLES, TABLES, VIEWS

# Readers other than Spark, delta-rs among them, do not all know deletion vectors.
_PROPERTIES = "'delta.enableDeletionVectors' = 'false', 'delta.checkpointPolicy' = 'classic'"


@dataclass(frozen=True, slots=True)
class TableRef:
    """Where a table lives: `location` is a path, or a catalog name such as `shop.reviews`."""

    location: str
    is_path: bool

    @classmethod
    def parse(cls, location: str) -> Self:
        """A location with a slash is a path (relative ones from the working directory); any other is a catalog name."""
        if "/" not in location:
            return cls(location, is_path=False)
        return cls(location if "://" in location else str(Path(location).absolute()), is_path=True)

    def child(self, name: str) -> "TableRef":
        """A table under this location: `path/name`, or `schema.name`."""
        return TableRef(f"{self.location}/{name}" if self.is_path else f"{self.location}.{name}", self.is_path)

    @property
    def sql(self) -> str:
        """The table as SQL names it, quoted part by part."""
        if self.is_path:
            return f"delta.{quote(self.location)}"
        return ".".join(quote(part) for part in self.location.split("."))


def read_table(spark: SparkSession, ref: TableRef, version: int | None = None) -> DataFrame:
    """The table's rows, at one version where it is given."""
    at = "" if version is None else f" VERSION AS OF {version}"
    return spark.sql(f"SELECT * FROM {ref.sql}{at}")  # noqa: S608  quoted above, and an integer


def latest_version(spark: SparkSession, ref: TableRef) -> int:
    """The newest version of a Delta table.

    Raises:
        InputContractError: there is no table, or it is not Delta.
    """
    try:
        history = spark.sql(f"DESCRIBE HISTORY {ref.sql} LIMIT 1").first()
    except AnalysisException as error:
        raise InputContractError(
            f"{ref.location} cannot be read as a Delta table. It must exist and be Delta: a path has a slash in it "
            "(./reviews), a catalog name has none (shop.reviews)."
        ) from error
    assert history is not None
    return int(history["version"])


def create_tables(
    spark: SparkSession, target: TableRef, names: Iterable[str] = tuple(SCORING_TABLES)
) -> dict[str, TableRef]:
    """Create whichever of the named tables is missing under `target`, verify all, and say where each one is.

    Raises:
        ConfigError: the target's schema is not there.
        InputContractError: a table has other columns than this release writes.
    """
    if not target.is_path and not spark.catalog.databaseExists(target.sql):
        raise ConfigError(f"No schema {target.location} in the catalog: create it, or give a path with a slash in it.")
    refs = {name: target.child(name) for name in names}
    for name, ref in refs.items():
        spark.sql(f"CREATE TABLE IF NOT EXISTS {ref.sql} ({TABLES[name]}) USING DELTA TBLPROPERTIES ({_PROPERTIES})")
        verify_schema(spark, ref, TABLES[name])
    return refs


def table_exists(spark: SparkSession, ref: TableRef) -> bool:
    """Whether there is a Delta table."""
    if ref.is_path:
        return bool(DeltaTable.isDeltaTable(spark, ref.location))
    return spark.catalog.tableExists(ref.sql)


def verify_schema(spark: SparkSession, ref: TableRef, ddl: str) -> None:
    """Compare a table's columns with their declaration, nullability aside.

    Raises:
        InputContractError: lists every column that is missing, unknown or of another type.
    """
    expected = {field.name: _bare(field.dataType) for field in spark.createDataFrame([], ddl).schema}
    actual = {field.name: _bare(field.dataType) for field in read_table(spark, ref).schema}
    faults = [f"{name} is missing" for name in expected.keys() - actual.keys()]
    faults += [f"{name} is not known" for name in actual.keys() - expected.keys()]
    faults += [
        f"{name} is {actual[name]}, not {expected[name]}"
        for name in expected.keys() & actual.keys()
        if actual[name] != expected[name]
    ]
    if faults:
        raise InputContractError(
            f"{ref.location} is not a table of this release: {'; '.join(sorted(faults))}. "
            "Give another target, or bring the table to this release's schema."
        )


def create_views(spark: SparkSession, target: TableRef, sql_dir: Path) -> None:
    """Create the analysts' views: in the target's schema, or for this session where the target is a path."""
    kind = "TEMPORARY VIEW" if target.is_path else "VIEW"
    if target.is_path:
        for name in SCORING_TABLES:
            read_table(spark, target.child(name)).createOrReplaceTempView(name)
    else:
        # A session of its own: no temporary view of the caller's stands before a table, and its schema stays.
        spark = spark.newSession()
        spark.sql(f"USE {target.sql}")
    for name in VIEWS:
        body = (sql_dir / f"{name}.sql").read_text(encoding="utf-8")
        spark.sql(f"CREATE OR REPLACE {kind} {name} AS {body}")


def staging_folder(spark: SparkSession, target: TableRef) -> str:
    """A folder beside the results for what a run stages; the run removes its part of it."""
    if target.is_path:
        return f"{target.location}/_staging"
    return f"{spark.catalog.getDatabase(target.sql).locationUri}/_staging"


def remove_folder(spark: SparkSession, folder: str) -> None:
    """Remove a folder, on whatever file system it is; none there is fine."""
    jvm = spark.sparkContext._jvm  # noqa: SLF001  Hadoop's file systems have no other door from Python
    path = jvm.org.apache.hadoop.fs.Path(folder)  # type: ignore[union-attr]
    path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()).delete(path, True)  # noqa: SLF001


def quote(identifier: str) -> str:
    """An identifier as SQL takes it, whatever is in it."""
    return "`" + identifier.replace("`", "``") + "`"


def _bare(kind: DataType) -> str:
    """A type's name without nullability."""
    if isinstance(kind, StructType):
        return "struct<" + ",".join(f"{field.name}:{_bare(field.dataType)}" for field in kind) + ">"
    if isinstance(kind, ArrayType):
        return f"array<{_bare(kind.elementType)}>"
    if isinstance(kind, MapType):
        return f"map<{_bare(kind.keyType)},{_bare(kind.valueType)}>"
    return kind.simpleString()
