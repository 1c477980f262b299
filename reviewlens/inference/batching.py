"""Batches of near-equal length under a token budget."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

LEAST_REAL = 0.95  # share of a batch's tokens that are no padding


def plan_batches(lengths: Sequence[int], token_budget: int) -> Iterator[npt.NDArray[np.intp]]:
    """Cut inputs into batches whose padded size stays within `token_budget`, longest first.

    A batch also ends where one more row would leave less than `LEAST_REAL` of its tokens real.

    Args:
        lengths: tokens of each input, all positive.
        token_budget: rows × longest row of a batch; one input longer than this is a batch of its own.

    Yields:
        Indices into `lengths`; every index once. Equal lengths keep their order.
    """
    sizes = np.asarray(lengths, dtype=np.intp)
    order = np.argsort(-sizes, kind="stable")
    start = 0
    while start < len(order):
        longest = int(sizes[order[start]])
        ahead = order[start : start + max(1, token_budget // longest)]
        share = np.cumsum(sizes[ahead]) / (longest * np.arange(1, len(ahead) + 1))  # falls, because lengths do
        rows = int(np.count_nonzero(share >= LEAST_REAL))
        yield ahead[:rows]
        start += rows
