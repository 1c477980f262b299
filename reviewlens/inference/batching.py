"""Batches of near-equal length under a token budget."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt


def plan_batches(lengths: Sequence[int], token_budget: int) -> Iterator[npt.NDArray[np.intp]]:
    """Cut inputs into batches whose padded size stays within `token_budget`, longest first.

    Args:
        lengths: tokens of each input, all positive.
        token_budget: rows × longest row of a batch; one input longer than this is a batch of its own.

    Yields:
        Indices into `lengths`; every index once. Equal lengths keep their order.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.intp), kind="stable")
    start = 0
    while start < len(order):
        rows = max(1, token_budget // lengths[order[start]])
        yield order[start : start + rows]
        start += rows
