"""Challenger against champion on the same labelled reviews: differences, their intervals, and which of them are gates.

The counts add up over reviews, as the bootstrap needs them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reviewlens.training.bootstrap import Counts, Difference, PairedBootstrap
from reviewlens.training.findings import (
    KEYWORD_F1,
    KEYWORD_MACRO_F1,
    KEYWORD_MICRO_F1,
    SENTIMENT_ACCURACY,
    SENTIMENT_MACRO_F1,
    Finding,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gates demand.

    Two rules, made for test parts of a few hundred reviews, where the interval of a difference is as wide as the
    differences that matter:

    - A **gain** (keyword macro F1) passes when the difference is greater than `min_gain` and the lower end of its
      interval is not under `-max_loss`: better as measured, and a real loss that matters is out of the question. Two
      equal models differ by 0, which is no gain.
    - A **floor** (F1 of each keyword, accuracy of sentiments) fails when the difference is under minus the loss that is
      allowed and the upper end of its interval is under 0: it lost too much, and not by chance. The difference alone
      would refuse every second challenger that is as good: of 14 keywords with 20 reviews each one loses 0.05 by luck.

    Attributes:
        min_gain: of macro F1 over the keywords.
        max_loss: of the same, at the lower end of the interval.
        max_keyword_loss: of any one keyword's F1.
        min_keyword_rows: true reviews of a keyword below which its F1 is reported, and is no gate.
        max_sentiment_loss: of the accuracy over all sentiment levels.
    """

    min_gain: float
    max_loss: float
    max_keyword_loss: float
    min_keyword_rows: int
    max_sentiment_loss: float

    def gains(self, found: Difference) -> bool:
        """Whether the figure passes as a gain."""
        return found.difference > self.min_gain and found.low >= -self.max_loss

    @staticmethod
    def holds(found: Difference, max_loss: float) -> bool:
        """Whether the figure passes as a floor."""
        return not (found.difference < -max_loss and found.high < 0)


def count_keywords(truth: npt.NDArray[np.integer], found: npt.NDArray[np.integer]) -> Counts:
    """Counts of shape (reviews, keywords, 3), from 0/1 of shape (reviews, keywords).

    The three are found rightly, found wrongly, and missed.
    """
    is_true, is_found = truth.astype(bool), found.astype(bool)
    return np.stack([is_true & is_found, ~is_true & is_found, is_true & ~is_found], axis=-1).astype(np.float64)


def count_sentiments(
    review_of: npt.NDArray[np.integer],
    truth: npt.NDArray[np.integer],
    judged: npt.NDArray[np.integer],
    reviews: int,
    levels: int,
) -> Counts:
    """Counts of shape (reviews, levels, 3), as `count_keywords`, from pairs.

    A review's pairs are drawn together, because they are not independent.

    Args:
        review_of: the review's number for each pair.
        truth: the true level's number for each pair.
        judged: the model's.
        reviews: number of reviews.
        levels: number of sentiment levels.
    """
    counts = np.zeros((reviews, levels, 3))
    is_right = truth == judged
    np.add.at(counts, (review_of[is_right], truth[is_right], 0), 1)
    np.add.at(counts, (review_of[~is_right], judged[~is_right], 1), 1)
    np.add.at(counts, (review_of[~is_right], truth[~is_right], 2), 1)
    return counts


def class_f1(sums: Counts) -> Counts:
    """F1 of each class from sums of shape (..., classes, 3); 0 where a class neither occurs nor is found."""
    rightly, wrongly, missed = np.moveaxis(sums, -1, 0)
    f1: Counts = 2 * rightly / np.maximum(2 * rightly + wrongly + missed, 1)
    return f1


def macro_f1(sums: Counts) -> Counts:
    """Mean F1 over all classes, of shape (..., 1); one that never occurs counts as 0, as in `classification_table`."""
    mean: Counts = class_f1(sums).mean(axis=-1, keepdims=True)
    return mean


def micro_f1(sums: Counts) -> Counts:
    """F1 of all classes' counts together, of shape (..., 1)."""
    return class_f1(sums.sum(axis=-2, keepdims=True))


def accuracy(sums: Counts) -> Counts:
    """Share of pairs judged rightly, of shape (..., 1); NaN where there is no pair."""
    rightly = sums[..., 0].sum(axis=-1, keepdims=True)
    pairs = rightly + sums[..., 2].sum(axis=-1, keepdims=True)
    share: Counts = np.divide(rightly, pairs, out=np.full_like(pairs, np.nan), where=pairs > 0)
    return share


def compare_keywords(
    champion: Counts,
    challenger: Counts,
    names: Sequence[str],
    limits: Limits,
    resamples: int,
    confidence: float,
    seed: int,
) -> list[Finding]:
    """Macro F1 (a gain), micro F1, and the F1 of each keyword (a floor where the keyword has enough true reviews).

    Args:
        champion: counts of shape (reviews, keywords, 3).
        challenger: the same reviews'.
        names: the keywords, in order.
        limits: what the gates demand.
        resamples: of the bootstrap.
        confidence: of the intervals.
        seed: of the resamples.
    """
    bootstrap = PairedBootstrap.draw(champion, challenger, resamples, seed)
    [macro], [micro] = (bootstrap.compare(statistic, confidence) for statistic in (macro_f1, micro_f1))
    findings = [
        macro.as_finding(KEYWORD_MACRO_F1, "", len(champion), passed=limits.gains(macro)),
        micro.as_finding(KEYWORD_MICRO_F1, "", len(champion)),
    ]
    true = (bootstrap.champion[:, 0] + bootstrap.champion[:, 2]).astype(int).tolist()
    for name, rows, found in zip(names, true, bootstrap.compare(class_f1, confidence), strict=True):
        is_gate = rows >= limits.min_keyword_rows
        passed = limits.holds(found, limits.max_keyword_loss) if is_gate else None
        findings.append(found.as_finding(KEYWORD_F1, name, rows, passed=passed))
    return findings


def compare_sentiments(
    champion: Counts, challenger: Counts, limits: Limits, resamples: int, confidence: float, seed: int
) -> list[Finding]:
    """Accuracy over all levels (a floor) and macro F1, on the true keywords; nothing where there is no pair.

    Args:
        champion: counts of shape (reviews, levels, 3).
        challenger: the same reviews'.
        limits: what the gates demand.
        resamples: of the bootstrap.
        confidence: of the intervals.
        seed: of the resamples.
    """
    bootstrap = PairedBootstrap.draw(champion, challenger, resamples, seed)
    pairs = int(bootstrap.champion[:, [0, 2]].sum())
    if not pairs:
        return []
    [right], [macro] = (bootstrap.compare(statistic, confidence) for statistic in (accuracy, macro_f1))
    passed = limits.holds(right, limits.max_sentiment_loss)
    return [
        right.as_finding(SENTIMENT_ACCURACY, "", pairs, passed=passed),
        macro.as_finding(SENTIMENT_MACRO_F1, "", pairs),
    ]
