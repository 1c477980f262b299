"""What a failed forward pass says: too much at once, a device that is gone, or an input that breaks the model."""

from typing import Literal

Failure = Literal["memory", "device", "input"]

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
