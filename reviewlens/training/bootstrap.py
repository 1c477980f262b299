"""The paired bootstrap: how far the difference of two models' figures could be another, had other reviews been drawn.

Everything is a function of counts that add up over reviews, so that a resample of reviews is one product of matrices.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from reviewlens.training.findings import Finding

Counts = npt.NDArray[np.float64]
Statistic = Callable[[Counts], Counts]
_BLOCK = 250  # resamples whose weights are in memory at once


@dataclass(frozen=True, slots=True)
class Difference:
    """Both models' figure, challenger less champion, and the interval of that difference."""

    champion: float
    challenger: float
    difference: float
    low: float
    high: float

    def as_finding(self, measure: str, subject: str, rows: int, *, passed: bool | None = None) -> Finding:
        """The difference as a finding; a figure that is not defined is None."""
        champion, challenger, difference, low, high = (
            None if np.isnan(each) else each
            for each in (self.champion, self.challenger, self.difference, self.low, self.high)
        )
        return Finding(measure, subject, champion, challenger, difference, low, high, rows=rows, passed=passed)


@dataclass(frozen=True, slots=True)
class PairedBootstrap:
    """Counts of two models over the same reviews, summed as they are and over resamples of the reviews.

    A resample draws as many reviews as there are, with replacement, and takes both models' counts of each: what makes a
    review hard for both falls out of the difference (Koehn 2004, "Statistical significance tests for machine
    translation evaluation"). Intervals are percentiles of the resampled differences (Efron & Tibshirani 1993, "An
    introduction to the bootstrap", chapter 13).

    Attributes:
        champion: sums of shape (...).
        challenger: likewise.
        champion_draws: sums of each resample, of shape (resamples, ...).
        challenger_draws: likewise.
    """

    champion: Counts
    challenger: Counts
    champion_draws: Counts
    challenger_draws: Counts

    @classmethod
    def draw(cls, champion: npt.ArrayLike, challenger: npt.ArrayLike, resamples: int, seed: int) -> Self:
        """Resample reviews.

        Args:
            champion: counts of shape (reviews, ...); they must add up over reviews.
            challenger: the same form, of the same reviews.
            resamples: how many.
            seed: the same for the same number of reviews gives the same resamples, whatever is counted.
        """
        both = np.stack([np.asarray(champion, np.float64), np.asarray(challenger, np.float64)], axis=1)
        draws = resample_sums(both, resamples, np.random.default_rng(seed))
        sums = both.sum(axis=0)
        return cls(sums[0], sums[1], draws[:, 0], draws[:, 1])

    def compare(self, statistic: Statistic, confidence: float) -> list[Difference]:
        """Differences of a statistic: a function from sums of shape (..., *) to figures of shape (..., figures).

        A figure that is not defined (NaN) in a resample is left out of the interval.
        """
        figures = statistic(self.champion), statistic(self.challenger)
        draws = statistic(self.challenger_draws) - statistic(self.champion_draws)
        low, high = percentile_interval(draws, confidence)
        columns = (*figures, figures[1] - figures[0], low, high)
        return [Difference(*row) for row in np.stack(columns, axis=1).tolist()]


def resample_sums(counts: Counts, resamples: int, rng: np.random.Generator) -> Counts:
    """Sums of counts over resampled rows: counts of shape (rows, ...) become (resamples, ...)."""
    rows = len(counts)
    flat = counts.reshape(rows, -1)
    sums = [
        rng.multinomial(rows, np.full(rows, 1 / rows), size=min(_BLOCK, resamples - done)).astype(np.float64) @ flat
        for done in range(0, resamples, _BLOCK)
    ]
    return np.concatenate(sums).reshape(resamples, *counts.shape[1:])


def percentile_interval(draws: Counts, confidence: float) -> tuple[Counts, Counts]:
    """The ends of the interval of each column of (resamples, figures); NaN where no resample has the figure."""
    ends = np.full((2, draws.shape[1]), np.nan)
    is_defined = ~np.isnan(draws).all(axis=0)
    tail = (1 - confidence) / 2
    ends[:, is_defined] = np.nanquantile(draws[:, is_defined], [tail, 1 - tail], axis=0)
    return ends[0], ends[1]
