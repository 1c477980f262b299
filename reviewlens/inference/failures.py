"""What a failed pass says: too much at once, a lost device, or an input that breaks the model; and what to do."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from reviewlens.errors import DeviceLostError

Failure = Literal["memory", "device", "input"]
Batch = npt.NDArray[np.intp]

_MEMORY = ("out of memory", "can't allocate memory", "failed to allocate", "bad allocation", "bad_alloc")
_DEVICE = ("cuda error", "cublas_status", "cudnn_status", "cuda driver", "device-side assert", "nccl")


def tell_failure(error: Exception) -> Failure:
    """The kind of `error`, told by its name and message, because neither torch nor ONNX Runtime has a class for each.

    After most CUDA errors every later call of the process fails too, whatever its input: no input is to blame.
    """
    name, message = type(error).__name__, str(error).lower()
    if isinstance(error, MemoryError) or name == "OutOfMemoryError" or any(sign in message for sign in _MEMORY):
        return "memory"
    if name == "AcceleratorError" or any(sign in message for sign in _DEVICE):
        return "device"
    return "input"


def compute_in_halves(batch: Batch, compute: Callable[[Batch], None], refuse: Callable[[int, str], None]) -> int:
    """Compute a batch; where that fails, its halves, until only inputs that break the model are left.

    Args:
        batch: numbers of inputs.
        compute: takes such numbers.
        refuse: called with an input that fails alone, and the reason's code.

    Returns:
        The fewest inputs that memory ran out with; 0 where it did not.

    Raises:
        DeviceLostError: the device failed in a way that later calls cannot survive.
    """
    try:
        compute(batch)
    except Exception as error:
        failure = tell_failure(error)
        if failure == "device":
            raise DeviceLostError(f"The device is lost: {type(error).__name__}.") from error
        if len(batch) == 1:
            refuse(int(batch[0]), "out_of_memory" if failure == "memory" else "model_error")
            return int(failure == "memory")
    else:
        return 0
    # After the handler, so that the error does not hold the failed pass's tensors.
    ran_out = [compute_in_halves(half, compute, refuse) for half in np.array_split(batch, 2)]
    return min(filter(None, ran_out), default=len(batch) if failure == "memory" else 0)
