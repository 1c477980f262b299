"""The hardware's matrix peak: a plain large product, as many at once as the contestants have processes."""

import time
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

SIZE = 2_048
DTYPES = ("float32", "bfloat16")
_SECONDS = 3.0


def measure_peaks(processes: int) -> dict[str, float]:
    """Operations per second of a product of `SIZE` × `SIZE`, by dtype, in `processes` at once of one thread each.

    Of each process the fastest product within some seconds counts.
    """
    return {dtype: _measure(dtype, processes) for dtype in DTYPES}


def measure_product(dtype: str, device: str, size: int) -> float:
    """Operations per second of the fastest of many products, 2 for each multiply-add."""
    import torch

    left, right = (torch.randn(size, size, device=device).to(getattr(torch, dtype)) for _ in range(2))
    fastest, until = float("inf"), time.perf_counter() + _SECONDS
    while time.perf_counter() < until:
        began = time.perf_counter()
        left @ right
        if device != "cpu":
            torch.cuda.synchronize()
        fastest = min(fastest, time.perf_counter() - began)
    return 2 * size**3 / fastest


def _measure(dtype: str, processes: int) -> float:
    context = get_context("spawn")
    barrier = context.Barrier(processes)
    rates: Queue[float] = context.Queue()
    workers = [context.Process(target=_multiply, args=(dtype, barrier, rates)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    total = sum(rates.get() for _ in workers)
    for worker in workers:
        worker.join()
    return total


def _multiply(dtype: str, barrier: Barrier, rates: "Queue[float]") -> None:
    import torch

    torch.set_num_threads(1)
    barrier.wait()
    rates.put(measure_product(dtype, "cpu", SIZE))
