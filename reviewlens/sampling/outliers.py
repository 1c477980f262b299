"""The outlier criterion: how far a review's vector is from the centre of its cluster."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans

MIN_CLUSTER_ROWS = 20
_SEED = 7
_ROUNDING = 1e-4  # a text gets a slightly different vector in another batch

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters of unit vectors.

    Attributes:
        centroids: of shape (clusters, width).
        rows: rows of the fit in each, of shape (clusters,).
        medians: median distance of those rows to their centroid, of shape (clusters,); never 0, see `fit_clusters`.
    """

    centroids: Vectors
    rows: npt.NDArray[np.int64]
    medians: npt.NDArray[np.float64]


def fit_clusters(vectors: Vectors, clusters: int) -> Clusters:
    """Cluster vectors by KMeans, seeded; each is scaled to length 1 first, since length says little but a text's size.

    There are at most `clusters`, at most one for each `MIN_CLUSTER_ROWS` rows, and at most one for each distinct
    vector: a cluster of one row has no outliers. Where half of a cluster's rows lie on its centroid its median is 0,
    and the median of all rows stands in for it; where that is 0 too (all texts are the same), 1.

    Args:
        vectors: of shape (rows, width), at least one row.
        clusters: clusters at most.
    """
    units = _scale(vectors)
    distinct = len(np.unique(np.round(units, 6), axis=0))
    count = max(1, min(clusters, len(units) // MIN_CLUSTER_ROWS, distinct))
    fitted = KMeans(count, n_init=3, random_state=_SEED).fit(units)
    centroids = fitted.cluster_centers_.astype(np.float32)
    nearest, distances = _measure(units, centroids)
    overall = _positive(float(np.median(distances)), 1.0)
    medians = [
        _positive(float(np.median(distances[nearest == each])) if (nearest == each).any() else 0.0, overall)
        for each in range(count)
    ]
    return Clusters(centroids, np.bincount(nearest, minlength=count), np.array(medians))


def assign_clusters(vectors: Vectors, clusters: Clusters) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """The nearest cluster of each vector, and its distance to the centroid over the cluster's median distance."""
    nearest, distances = _measure(_scale(vectors), clusters.centroids)
    return nearest, distances / clusters.medians[nearest]


def _measure(units: Vectors, centroids: Vectors) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Nearest centroid and distance of each row; a distance within rounding is none."""
    products = units.astype(np.float64) @ centroids.T.astype(np.float64)
    squares = (units.astype(np.float64) ** 2).sum(axis=1)[:, None] + (centroids.astype(np.float64) ** 2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares - 2 * products, 0))
    nearest = distances.argmin(axis=1)
    least = distances[np.arange(len(units)), nearest]
    return nearest, np.where(least < _ROUNDING, 0.0, least)


def _scale(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def _positive(value: float, otherwise: float) -> float:
    return value if value > 0 else otherwise
