"""Getting a bundle to where the tasks run."""

import shutil
from pathlib import Path
from tempfile import mkdtemp

from pyspark.sql import SparkSession

from reviewlens.bundle import Bundle


def ship_bundle(spark: SparkSession, bundle: Bundle) -> str:
    """Make the bundle readable to every task, and say how tasks name it.

    In local mode that is its own path. On a cluster Spark sends an archive once to each executor, which unpacks it.
    """
    context = spark.sparkContext
    if str(context.master).split("[")[0] == "local":
        return str(bundle.path)
    name = f"bundle-{bundle.bundle_id}"
    archive = shutil.make_archive(str(Path(mkdtemp()) / name), "zip", bundle.path)
    context.addArchive(f"{archive}#{name}")
    return name
