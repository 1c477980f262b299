"""The Spark session: Delta switched on, workers kept, the screen kept quiet."""

import os
import sys
from collections.abc import Mapping

from pyspark.sql import SparkSession

_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.python.worker.reuse": "true",  # a worker keeps the models that it loaded
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "1024",  # a pool of texts, scored together
    "spark.sql.session.timeZone": "Asia/Seoul",  # the malls' days
    # Delta's parser drops the arguments of sql(query, args) otherwise (delta-io/delta#7640).
    "spark.sql.legacy.parameterSubstitution.constantsOnly": "true",
    "spark.ui.showConsoleProgress": "false",  # jobs print a progress line of their own
    "spark.databricks.delta.snapshotPartitions": "2",
}


def start_session(name: str, settings: Mapping[str, str] | None = None) -> SparkSession:
    """Start, or join, the session. `settings` add to those that spark-submit was given."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # workers see the packages that the driver sees
    builder = SparkSession.builder.appName(name)
    for key, value in {**_SETTINGS, **(settings or {})}.items():
        builder = builder.config(key, value)
    session: SparkSession = builder.getOrCreate()
    return session
