"""Outliers: clusters of vectors, and distances over their medians."""

import numpy as np
import pytest

from reviewlens.sampling.outliers import Clusters, assign_clusters, fit_clusters


def ring(center: tuple[float, float], rows: int, spread: float) -> np.ndarray:
    angles = np.arctan2(center[1], center[0]) + np.linspace(-spread, spread, rows)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_a_value_is_the_distance_over_the_clusters_median() -> None:
    """By hand: two centroids with medians of their own; vectors are scaled to length 1."""
    clusters = Clusters(np.array([[1, 0], [0, 1]], np.float32), np.array([5, 5]), np.array([0.5, 2.0]))
    vectors = np.array([[7, 0], [0.6, 0.8], [0.8, 0.6], [-1, 0], [0, 0]], np.float32)
    numbers, values = assign_clusters(vectors, clusters)
    assert numbers.tolist() == [0, 1, 0, 1, 0]
    np.testing.assert_allclose(values, [0, np.sqrt(0.4) / 2, np.sqrt(0.4) / 0.5, np.sqrt(2) / 2, 2], rtol=1e-5)


def test_clusters_are_found_and_measured_and_the_same_twice() -> None:
    """Two groups, each with its size and its median; a seed makes it repeatable."""
    vectors = np.concatenate([ring((1, 0), 60, 0.02), ring((0, 1), 40, 0.2)])
    clusters = fit_clusters(vectors, 2)
    assert sorted(clusters.rows.tolist()) == [40, 60]
    tight, loose = clusters.medians[np.argsort(-clusters.rows)]
    assert tight == pytest.approx(0.01, rel=0.1)
    assert loose == pytest.approx(0.1, rel=0.1)
    again = fit_clusters(vectors, 2)
    assert (again.centroids == clusters.centroids).all()
    numbers, values = assign_clusters(vectors, clusters)
    for number in range(2):
        assert np.median(values[numbers == number]) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("rows", [1, 2, 7, 39])
def test_few_rows_make_few_clusters(rows: int) -> None:
    """Fewer rows than clusters: not one cluster for each row, which would have no outliers."""
    clusters = fit_clusters(ring((1, 0), rows, 0.5), 64)
    assert clusters.centroids.shape == (1, 2)
    assert clusters.rows.tolist() == [rows]


def test_identical_texts_are_no_outliers_and_the_odd_one_is() -> None:
    """Median 0: the median of all rows, or 1, stands in; nothing is infinite and nothing warns."""
    same = np.ones((100, 2), np.float32)
    clusters = fit_clusters(same, 64)
    assert clusters.medians.tolist() == [1]
    assert assign_clusters(same, clusters)[1].tolist() == [0] * 100
    mostly = np.concatenate([same, ring((1, 0.2), 5, 0.1)])
    values = assign_clusters(mostly, fit_clusters(mostly, 1))[1]
    assert np.isfinite(values).all()
    assert values[:100].max() < values[100:].min()
