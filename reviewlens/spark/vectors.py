"""The encoder's vectors on Spark: of a bounded sample to the driver, of all others only what they say.

Workers load the bundle as for scoring, and keep it.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pandas as pd
from pyspark.sql import Column
from pyspark.sql.pandas.functions import pandas_udf

from reviewlens.sampling.outliers import Clusters, assign_clusters

if TYPE_CHECKING:
    from reviewlens.inference.scorer import Scorer

PLACE_DDL = "cluster INT, distance DOUBLE"


def vector_udf(load: Callable[[], "Scorer"]) -> Callable[[Column], Column]:
    """A pandas UDF (iterator form) from a text column to its vector, an array of floats; no text may be NULL.

    Args:
        load: gives the worker's scorer, such as `load_scorer` of an engine.
    """

    def embed(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        scorer = load()
        for texts in batches:
            yield pd.Series(list(scorer.keyword_vectors(texts.tolist())), dtype=object)

    udf: Callable[[Column], Column] = pandas_udf(embed, "ARRAY<FLOAT>")  # type: ignore[call-overload]
    return udf


def place_udf(load: Callable[[], "Scorer"], clusters: Clusters) -> Callable[[Column], Column]:
    """A pandas UDF from a text column to a struct of `PLACE_DDL`: its cluster, and how far out it lies in it.

    Vectors are made and measured in the same place, and never travel.

    Args:
        load: gives the worker's scorer.
        clusters: those that were fitted for the bundle.
    """

    def place(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        scorer = load()
        for texts in batches:
            numbers, distances = assign_clusters(scorer.keyword_vectors(texts.tolist()), clusters)
            yield pd.DataFrame({"cluster": numbers, "distance": distances})

    udf: Callable[[Column], Column] = pandas_udf(place, PLACE_DDL)  # type: ignore[call-overload]
    return udf
