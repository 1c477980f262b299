"""What multiplies the matrices, behind one small protocol."""

from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

BackendName = Literal["torch", "onnx"]
Dtype = Literal["float32", "bfloat16", "int8"]
Ids = npt.NDArray[np.int64]

# How far a probability may move with what stands beside a text in its batch. A label can differ only where two of its
# candidates, or a probability and its threshold, are closer than that. docs/benchmarks.md has what was seen.
GUARD_BAND: dict[Dtype, float] = {"float32": 1e-4, "bfloat16": 0.03, "int8": 0.15}


class Backend(Protocol):
    """One sequence classifier that is ready to run.

    Attributes:
        name: the library.
        dtype: what matrices are multiplied in.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: CPU threads of one call.
    """

    name: BackendName
    dtype: Dtype
    device: str
    threads: int

    def logits(self, ids: Ids, mask: Ids) -> npt.NDArray[np.float32]:
        """Logits of shape (rows, classes).

        Args:
            ids: token ids of shape (rows, longest), padded at the end.
            mask: of the same shape, 1 where a token is real and 0 where it is padding.
        """

    def use_threads(self, threads: int) -> None:
        """Take this many CPU threads from the next call on."""
