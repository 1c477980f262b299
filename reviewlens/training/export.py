"""A Hugging Face sequence classifier as an ONNX file."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from reviewlens.errors import BundleError, ConfigError

_LARGEST_BYTES = 2**31 - 2**20  # a protobuf holds 2 GiB, and the graph is in it too


class _Logits(nn.Module):
    """The classifier with the signature that a session has."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits of shape (rows, classes)."""
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def export_onnx(model: PreTrainedModel, window: int, file: Path) -> None:
    """Write `model` as one ONNX file, weights inside.

    Inputs are `input_ids` and `attention_mask`, int64 of shape (rows, tokens), both dimensions free; the output is
    `logits`, float32 of shape (rows, classes). Each node names the module that it comes from.

    Args:
        model: a sequence classifier in float32, on CPU.
        window: the longest input in tokens.
        file: where to write.

    Raises:
        BundleError: the model is too large for one file.
        ConfigError: onnx or onnxscript is not installed.
    """
    require_onnx()
    size = sum(weight.nbytes for weight in model.parameters())
    if size > _LARGEST_BYTES:
        raise BundleError(
            f"The model has {size / 1e9:.1f} GB of weights, and one ONNX file holds 2 GB: serve it with backend torch."
        )
    model.requires_grad_(requires_grad=False)
    ids = torch.full((2, min(8, window)), model.config.vocab_size - 1)
    shape = {0: torch.export.Dim("rows"), 1: torch.export.Dim("tokens", max=window)}
    with silence():
        torch.onnx.export(
            _Logits(model).eval(),
            (ids, torch.ones_like(ids)),
            file,
            dynamo=True,
            external_data=False,
            verbose=False,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes={"input_ids": shape, "attention_mask": shape},
        )


def strip_origins(file: Path) -> None:
    """Take out of an ONNX file where each node comes from: paths of the machine that wrote it are nobody's business."""
    import onnx

    model: Any = onnx.load(file)
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer, *model.graph.input):
        del part.metadata_props[:]
    del model.graph.metadata_props[:], model.metadata_props[:], model.graph.value_info[:]
    onnx.save(model, file)


def require_onnx() -> None:
    """See that what writes and runs ONNX files is installed.

    Raises:
        ConfigError: it is not.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install reviewlens[onnx].") from error


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what an exporter prints, warns and logs from the screen; errors are raised as ever."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            yield
    finally:
        logging.disable(before)
