"""The model registry: which bundle an alias stands for."""

from pathlib import Path

from pyspark.sql import SparkSession

from reviewlens.bundle import STARTER, resolve_bundle
from reviewlens.spark.tables import TableRef, read_table, table_exists

CHAMPION = "champion"


def locate_bundle(spark: SparkSession, target: TableRef, bundle: str) -> Path:
    """The directory of a bundle: `champion` as the target's registry has it, `starter`, or a path.

    While no bundle was promoted the starter is the champion.
    """
    if bundle != CHAMPION:
        return resolve_bundle(bundle)
    registry = target.child("model_registry")
    if not table_exists(spark, registry):
        return STARTER
    newest = read_table(spark, registry).where(f"alias = '{CHAMPION}'").orderBy("number", ascending=False).first()
    return Path(newest["path"]) if newest else STARTER
