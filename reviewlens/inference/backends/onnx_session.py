"""ONNX Runtime as backend: float32 or int8, on CPU."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reviewlens.errors import BundleError, ConfigError
from reviewlens.inference.backends import BackendName, Dtype, Ids


class OnnxSession:
    """A sequence classifier in ONNX Runtime.

    Args:
        path: a model with inputs `input_ids` and `attention_mask` and the output `logits`.
        dtype: what it was written in.
        threads: CPU threads of one call; all cores where None.

    Raises:
        BundleError: the file is no such model.
        ConfigError: ONNX Runtime is not installed.
    """

    name: BackendName = "onnx"
    device = "cpu"

    def __init__(self, path: Path, dtype: Dtype, threads: int | None = None) -> None:
        self._path, self.dtype = path, dtype
        self.use_threads(threads or os.cpu_count() or 1)

    def use_threads(self, threads: int) -> None:
        """Take this many CPU threads from the next call on."""
        try:
            import onnxruntime
        except ImportError as error:
            raise ConfigError("backend onnx needs ONNX Runtime: install reviewlens[onnx] on every executor.") from error
        self.threads = threads
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads  # never 0, which pins each thread to a core, in every worker the same
        # Threads that wait in a loop take cores from the tokeniser, the other stage's session and other workers.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(self._path, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise BundleError(f"{self._path} is not a model that can be loaded: {type(error).__name__}.") from error

    def logits(self, ids: Ids, mask: Ids) -> npt.NDArray[np.float32]:
        """Logits of shape (rows, classes); see `Backend`."""
        [logits] = self._session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
        return np.asarray(logits, dtype=np.float32)
