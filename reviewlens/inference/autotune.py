"""A short measurement on the machine itself: how large a batch should be, and how many threads should share it."""

import time

import numpy as np

from reviewlens.inference.backends import Backend
from reviewlens.inference.failures import tell_failure

_CPU_BUDGETS = (1_024, 2_048, 4_096, 8_192)
_GPU_BUDGETS = (4_096, 8_192, 16_384, 32_768, 65_536)
_LENGTH = 32  # tokens; about that of a review
_CLEARLY = 1.03  # a larger batch or more threads must win by this, because it costs memory or a core


def tune(backend: Backend, token_id: int, threads: int | None) -> int:
    """Set the backend's threads, and find its best token budget. Takes some seconds with a large model on a CPU.

    Args:
        backend: it keeps the best number of threads.
        token_id: a token to fill the trial batches with.
        threads: the most CPU threads that it may take; those that it has where None.

    Returns:
        Padded tokens of a batch.
    """
    budgets = _CPU_BUDGETS if backend.device == "cpu" else _GPU_BUDGETS
    if backend.device == "cpu":
        _tune_threads(backend, token_id, threads or backend.threads, budgets[1])
    best, fastest = budgets[0], 0.0
    for budget in budgets:
        rate = _measure(backend, token_id, budget)
        if rate > fastest * _CLEARLY:
            best, fastest = budget, rate
        elif rate < fastest * 0.9:
            break
    return best


def _tune_threads(backend: Backend, token_id: int, most: int, budget: int) -> None:
    counts = sorted({max(1, most >> halvings) for halvings in range(3)})
    best, fastest = counts[0], 0.0
    for count in counts if len(counts) > 1 else []:
        backend.use_threads(count)
        rate = _measure(backend, token_id, budget)
        if rate > fastest * _CLEARLY:
            best, fastest = count, rate
    if backend.threads != best:
        backend.use_threads(best)


def _measure(backend: Backend, token_id: int, budget: int) -> float:
    """Tokens per second, the better of two after one for warmth; nothing where the batch does not fit."""
    ids = np.full((budget // _LENGTH, _LENGTH), token_id, dtype=np.int64)
    mask = np.ones_like(ids)
    seconds = []
    try:
        for _ in range(3):
            began = time.perf_counter()
            backend.logits(ids, mask)
            seconds.append(time.perf_counter() - began)
    except Exception as error:
        if tell_failure(error) != "memory":
            raise
        return 0.0
    return ids.size / min(seconds[1:])
