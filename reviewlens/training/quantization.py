"""Smoothing and int8: a classifier whose largest matrix products are made of bytes.

Some channels of a transformer's states are a hundred times as large as the others, and one scale for all would leave
the small ones no bits. Smoothing moves part of that range into the weights, which have a scale for each output
(SmoothQuant, Xiao et al. 2023, arXiv 2211.10438); in float32 the smoothed model computes what the original does.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from reviewlens.inference.backends import Ids
from reviewlens.training.export import silence

_SMALLEST = 1e-5  # a channel that is never used
_SCOPES = "pkg.torch.onnx.name_scopes"  # where the exporter notes a node's modules


class SmoothedLinear(nn.Module):
    """A linear layer over states that are divided, channel by channel, by what its weights are multiplied by."""

    def __init__(self, layer: nn.Linear, scale: torch.Tensor, inverse: nn.Parameter) -> None:
        super().__init__()
        self.inverse = inverse
        self.weight = nn.Parameter(layer.weight.detach() * scale, requires_grad=False)
        self.bias = layer.bias

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """As the layer's own, but for rounding."""
        return nn.functional.linear(states * self.inverse, self.weight, self.bias)


def smooth(model: PreTrainedModel, inputs: Iterable[Ids], alpha: float) -> list[str]:
    """Smooth, in place, the linear layers that are worth int8.

    Those are the layers that read every token and do not narrow it. The ones that narrow it, which end a feed-forward
    block, read the range after an activation, where int8 costs the most agreement; the ones that read one token of a
    row cost next to nothing in float32.

    Layers that read the same states share one scale s = max|X|^alpha / max|W|^(1 - alpha) for each input channel.

    Args:
        model: a sequence classifier in float32, on CPU.
        inputs: token ids of typical inputs, special tokens included.
        alpha: between 0, where the weights keep their range, and 1, where the states give up all of theirs.

    Returns:
        The names of the smoothed layers.
    """
    layers = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and layer.in_features <= layer.out_features
    }
    peaks, readers = _measure_inputs(model, layers, inputs)
    for first, names in readers.items():
        group = [layers[name] for name in names]
        weights = torch.stack([layer.weight.detach().abs().amax(dim=0) for layer in group]).amax(dim=0)
        scale = peaks[first].clamp_min(_SMALLEST) ** alpha / weights.clamp_min(_SMALLEST) ** (1 - alpha)
        inverse = nn.Parameter(1 / scale, requires_grad=False)
        for name, layer in zip(names, group, strict=True):
            model.set_submodule(name, SmoothedLinear(layer, scale, inverse))
    return [name for names in readers.values() for name in names]


def quantize(source: Path, target: Path, layers: Collection[str]) -> None:
    """Write an ONNX file whose linear layers of these names multiply int8 weights, one scale for each output.

    Their inputs are cut to bytes anew in each run, one scale for the whole batch.

    Args:
        source: as `export_onnx` wrote it.
        target: where to write.
        layers: names of modules in the exported model.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    ends = tuple(f".{name}'" for name in layers)
    graph: Any = onnx.load(source).graph
    nodes = [
        node.name
        for node in graph.node
        if node.op_type == "MatMul"
        and any(prop.key == _SCOPES and any(end in prop.value for end in ends) for prop in node.metadata_props)
    ]
    with silence():
        quantize_dynamic(
            source,
            target,
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=nodes,
        )


@torch.inference_mode()
def _measure_inputs(
    model: PreTrainedModel, layers: dict[str, nn.Linear], inputs: Iterable[Ids]
) -> tuple[dict[str, torch.Tensor], dict[str, list[str]]]:
    """The largest magnitude of each channel that a layer reads, and all layers that read the same.

    Both by the name of the first such layer. Layers that read one token of a row are left out.
    """
    peaks: dict[str, torch.Tensor] = {}
    readers: dict[str, list[str]] = {}
    previous: tuple[torch.Tensor | None, str] = (None, "")

    def watch(name: str, states: torch.Tensor) -> None:
        nonlocal previous
        if states.dim() != 3 or states.shape[1] == 1:  # noqa: PLR2004  rows, tokens, channels
            return
        if states is not previous[0]:
            previous = states, name
            here = states.abs().amax(dim=(0, 1))
            peaks[name] = torch.maximum(peaks[name], here) if name in peaks else here
        names = readers.setdefault(previous[1], [])
        if name not in names:
            names.append(name)

    hooks = [
        layer.register_forward_pre_hook(lambda _, given, name=name: watch(name, given[0]))
        for name, layer in layers.items()
    ]
    for ids in inputs:
        row = torch.from_numpy(ids)[None]
        model(input_ids=row, attention_mask=torch.ones_like(row))
    for hook in hooks:
        hook.remove()
    return peaks, readers
