"""The criteria by which a pool is searched, each with its raw value, its percentile within the pool, and a detail."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from reviewlens.sampling.boundary import keyword_boundary
from reviewlens.sampling.rarity import RarityModel
from reviewlens.sampling.uncertainty import Found, sentiment_uncertainty

CRITERIA = ("keyword", "sentiment", "rarity", "outlier")
CLUSTER = "cluster"


def score_criteria(
    texts: Sequence[str],
    probabilities: npt.NDArray[np.floating],
    thresholds: Mapping[str, float],
    found: Sequence[Sequence[Found]],
    ratios: Mapping[str, float],
    rarity: RarityModel,
    clusters: npt.NDArray[np.integer],
    distances: npt.NDArray[np.floating],
) -> pd.DataFrame:
    """Judge every review of a pool by every criterion.

    Args:
        texts: the pool's reviews.
        probabilities: of shape (reviews, keywords), in the order of `thresholds`.
        thresholds: of each keyword.
        found: for each review (keyword, most probable sentiment, its probability) of the keywords found.
        ratios: of each sentiment, as `growth_ratios` gives them.
        rarity: the model of the first training set.
        clusters: number of each review's cluster.
        distances: distance to its centre over the cluster's median distance.

    Returns:
        A row for each review: `cluster`, and `<criterion>_value`, `_percentile` and `_detail` for each of `CRITERIA`.
    """
    names = list(thresholds)
    closeness, nearest = keyword_boundary(probabilities, np.array(list(thresholds.values())))
    measured: dict[str, tuple[npt.NDArray[np.floating], Sequence[str | None]]] = {
        "keyword": (closeness, [names[column] for column in nearest]),
        "sentiment": sentiment_uncertainty(found, ratios),
        "rarity": rarity.score(texts),
        "outlier": (distances, [str(number) for number in clusters]),
    }
    columns: dict[str, object] = {CLUSTER: clusters}
    for name in CRITERIA:
        values, details = measured[name]
        columns |= {
            f"{name}_value": np.asarray(values, dtype=np.float64),
            f"{name}_percentile": rank_percentiles(values),
            f"{name}_detail": pd.Series(list(details), dtype="object"),
        }
    return pd.DataFrame(columns)


def rank_percentiles(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Midranks: the share of the values below each, equal ones counted half."""
    if not len(values):
        return np.zeros(0)
    ranks: npt.NDArray[np.float64] = (pd.Series(values).rank(method="average").to_numpy() - 0.5) / len(values)
    return ranks
