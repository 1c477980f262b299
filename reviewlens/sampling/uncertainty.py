"""The sentiment criterion: an unsure sentiment, weighted up where its level is on the rise."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

SMOOTHING = 1.0
RATIO_BOUNDS = (0.5, 2.0)

Found = tuple[str, str, float]  # keyword, its most probable sentiment, that one's probability


def growth_ratios(
    sentiments: Iterable[str], newest: Mapping[str, int] | None, before: Mapping[str, int] | None
) -> dict[str, float]:
    """Share of each sentiment in the newest labelled round over its share in the round before.

    The seed has label_N / label_N-1, a ratio of counts. Counts grow with the round, so shares are compared. A level
    that a round lacks would give 0 or a division by 0: `SMOOTHING` is added to each count, as if every level had been
    labelled that often more. Rare levels still jump by chance between rounds of a few hundred labels, so the ratio is
    clipped to `RATIO_BOUNDS`: the rise of a level may double a review's weight and never silence another's.

    Args:
        sentiments: every level of the taxonomy.
        newest: labels of each level in the newest labelled round; None without one.
        before: the same of the round before.

    Returns:
        A ratio for each level; 1 while fewer than two rounds are labelled.
    """
    names = list(sentiments)
    if newest is None or before is None:
        return dict.fromkeys(names, 1.0)
    now, then = _smooth_shares(names, newest), _smooth_shares(names, before)
    return dict(zip(names, np.clip(now / then, *RATIO_BOUNDS).tolist(), strict=True))


def sentiment_uncertainty(
    found: Sequence[Sequence[Found]], ratios: Mapping[str, float]
) -> tuple[npt.NDArray[np.float64], list[str | None]]:
    """(1 - max p) * label_N / label_N-1, the seed's formula, of the keyword that has most of it.

    Args:
        found: for each review, the keywords found with their most probable sentiment.
        ratios: `growth_ratios` of each sentiment.

    Returns:
        A value for each review, 0 where no keyword was found, and `keyword/sentiment` that it is of.
    """
    values = np.zeros(len(found))
    details: list[str | None] = [None] * len(found)
    for row, keywords in enumerate(found):
        for keyword, sentiment, probability in keywords:
            value = (1 - probability) * ratios.get(sentiment, 1.0)
            if value > values[row]:
                values[row], details[row] = value, f"{keyword}/{sentiment}"
    return values, details


def _smooth_shares(names: Sequence[str], counts: Mapping[str, int]) -> npt.NDArray[np.float64]:
    smoothed = np.array([counts.get(name, 0) + SMOOTHING for name in names])
    shares: npt.NDArray[np.float64] = smoothed / smoothed.sum()
    return shares
