"""The keyword criterion: how near a review is to the decision boundary of any keyword."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


def keyword_boundary(probabilities: Floats, thresholds: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """How near the nearest keyword's probability is to its own threshold.

    With threshold t a probability p is worth p / t below it and (1 - p) / (1 - t) above it: 1 at the threshold, 0 at
    the probabilities 0 and 1, and so comparable between keywords whose thresholds differ.

    Args:
        probabilities: of shape (reviews, keywords).
        thresholds: of shape (keywords,).

    Returns:
        The largest closeness of each review, and the column of the keyword that has it (the first of equals).
    """
    shares = np.asarray(probabilities, dtype=np.float64)
    below = np.broadcast_to(np.asarray(thresholds, dtype=np.float64), shares.shape)
    is_below = shares < below
    distance, reach = np.where(is_below, shares, 1 - shares), np.where(is_below, below, 1 - below)
    closeness = np.divide(distance, reach, out=np.ones_like(shares), where=reach > 0)
    if not closeness.size:
        return np.zeros(len(shares)), np.zeros(len(shares), dtype=np.intp)
    nearest = closeness.argmax(axis=1)
    return closeness[np.arange(len(shares)), nearest], nearest
