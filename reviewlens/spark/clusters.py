"""The clusters of a bundle's vectors: fitted once, kept with the bundle's id, and used by its later rounds."""

from collections.abc import Callable
from datetime import datetime

import numpy as np
import pandas as pd
from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from reviewlens.sampling.outliers import Clusters, fit_clusters
from reviewlens.spark.conflicts import busy_on_conflict
from reviewlens.spark.schemas import BUNDLE_ID, REVIEW_ID, TABLES, TEXT
from reviewlens.spark.tables import TableRef, read_table

FIT_ROWS = 5_000
_TASK_ROWS = 500
_SAMPLE_SALT = "clusters"


def read_clusters(spark: SparkSession, table: TableRef, bundle_id: str) -> Clusters | None:
    """The clusters of a bundle, None before they are fitted."""
    rows = read_table(spark, table).where(F.col(BUNDLE_ID) == bundle_id).orderBy("cluster").collect()
    if not rows:
        return None
    return Clusters(
        np.array([row["centroid"] for row in rows], dtype=np.float32),
        np.array([row["rows"] for row in rows], dtype=np.int64),
        np.array([row["median_distance"] for row in rows]),
    )


def fit_pool(texts: DataFrame, rows: int, embed: Callable[[Column], Column], clusters: int) -> Clusters:
    """Fit clusters on the vectors of at most `FIT_ROWS` texts, the first by a hash of their ids.

    Args:
        texts: columns review_id and text.
        rows: how many they are.
        embed: a `vector_udf`.
        clusters: clusters at most.
    """
    sample = texts.orderBy(F.xxhash64(F.lit(_SAMPLE_SALT), REVIEW_ID), REVIEW_ID).limit(FIT_ROWS)
    vectors = spread(sample, min(rows, FIT_ROWS)).select(REVIEW_ID, embed(F.col(TEXT)).alias("vector")).toPandas()
    ordered = vectors.sort_values(REVIEW_ID)["vector"]
    return fit_clusters(np.stack(ordered.tolist()).astype(np.float32), clusters)


def keep_clusters(
    spark: SparkSession, table: TableRef, bundle_id: str, clusters: Clusters, fitted_at: datetime
) -> None:
    """Keep a bundle's clusters, unless another run has kept some of the bundle meanwhile.

    Raises:
        BusyError: another run keeps clusters at this moment.
    """
    schema = spark.createDataFrame([], TABLES["cluster_centroids"]).schema
    measured = zip(clusters.centroids.tolist(), clusters.rows.tolist(), clusters.medians.tolist(), strict=True)
    rows = [(bundle_id, number, *each, fitted_at) for number, each in enumerate(measured)]
    fitted = spark.createDataFrame(rows, schema).coalesce(1)
    held = DeltaTable.forName(spark, table.sql).alias("held")
    merge = held.merge(fitted.alias("fitted"), F.col(f"held.{BUNDLE_ID}") == F.lit(bundle_id)).whenNotMatchedInsertAll()
    with busy_on_conflict(f"Another run writes {table.location} at the same time: run again."):
        merge.execute()


def place_rows(texts: DataFrame, rows: int, place: Callable[[Column], Column]) -> pd.DataFrame:
    """Each text's cluster and how far out it lies there, by review_id; a `place_udf` says so."""
    placed = spread(texts, rows).select(REVIEW_ID, place(F.col(TEXT)).alias("place")).collect()
    return pd.DataFrame(
        [(row[REVIEW_ID], row["place"]["cluster"], row["place"]["distance"]) for row in placed],
        columns=[REVIEW_ID, "cluster", "distance"],
    ).set_index(REVIEW_ID)


def spread(texts: DataFrame, rows: int) -> DataFrame:
    """The texts in tasks of about `_TASK_ROWS`, always the same ones in the same order.

    A batch's other texts move a vector by rounding; the same batches give the same vectors.
    """
    return texts.select(REVIEW_ID, TEXT).repartition(-(-rows // _TASK_ROWS), REVIEW_ID).sortWithinPartitions(REVIEW_ID)
