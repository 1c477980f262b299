"""Export to ONNX, smoothing and int8: the file computes what the model does."""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from transformers import RobertaConfig, RobertaForSequenceClassification

from reviewlens.bundle import Bundle
from reviewlens.errors import BundleError, ConfigError
from reviewlens.inference.backends import Ids
from reviewlens.inference.backends.first_token import read_first_token
from reviewlens.inference.backends.onnx_session import OnnxSession
from reviewlens.inference.backends.torch_model import read_model
from reviewlens.training.export import export_onnx, require_onnx, strip_origins
from reviewlens.training.quantization import quantize, smooth

WINDOW = 94
PAD = 1


@dataclass(frozen=True)
class Exported:
    """A model, and the folder of its ONNX files."""

    model: Any
    folder: Path
    smoothed: list[str]

    def session(self, dtype: str) -> OnnxSession:
        return OnnxSession(self.folder / f"{dtype}.onnx", "int8" if "int8" in dtype else "float32", threads=1)

    def expect(self, ids: Ids, mask: Ids) -> Any:
        with torch.inference_mode():
            return self.model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).logits.numpy()


def write_bert(bundle: Bundle) -> Any:
    return read_model(bundle.path / "keyword", torch.float32)


def write_roberta(_: Bundle) -> Any:
    """Its positions follow from the padding; some of its channels are a hundred times as large as the others."""
    torch.manual_seed(3)
    model = RobertaForSequenceClassification(
        RobertaConfig(
            vocab_size=300,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=128,
            max_position_embeddings=WINDOW + PAD + 1,
            pad_token_id=PAD,
            type_vocab_size=1,
            num_labels=5,
            initializer_range=0.1,
        )
    )
    for name, weight in model.named_parameters():
        if name.endswith("LayerNorm.weight"):
            weight.data[:2] = 30
    return model.eval()


@pytest.fixture(scope="module", params=[write_bert, write_roberta], ids=["bert", "roberta"])
def exported(request: pytest.FixtureRequest, tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """float32, int8 of the smoothed model, and int8 of the model as it is."""
    write: Callable[[Bundle], Any] = request.param
    folder = tmp_path_factory.mktemp("onnx")
    model = read_first_token(write(tiny_bundle))
    export_onnx(model, WINDOW, folder / "float32.onnx")
    smoothed = smooth(model, [ids[: int(mask.sum())] for ids, mask in zip(*ragged(seed=8), strict=True)], alpha=0.8)
    export_onnx(model, WINDOW, folder / "smoothed.onnx")
    quantize(folder / "smoothed.onnx", folder / "int8.onnx", smoothed)
    quantize(folder / "float32.onnx", folder / "plain_int8.onnx", smoothed)
    return Exported(read_first_token(write(tiny_bundle)), folder, smoothed)


def ragged(seed: int, rows: int = 12, longest: int = 30) -> tuple[Ids, Ids]:
    """Random rows of 2 tokens and more, padded."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, longest + 1, rows)
    lengths[:2] = longest, 2
    mask = (np.arange(longest) < lengths[:, None]).astype(np.int64)
    return np.where(mask == 1, rng.integers(5, 300, (rows, longest)), PAD), mask


@pytest.mark.parametrize("shape", [(12, 30), (1, 2), (1, 9), (3, WINDOW)])
@pytest.mark.parametrize("dtype", ["float32", "smoothed"])
def test_the_file_computes_the_models_logits(exported: Exported, dtype: str, shape: tuple[int, int]) -> None:
    """Ragged rows with padding, one row, two tokens, and the whole window; smoothing alone changes nothing."""
    ids, mask = ragged(5, rows=max(shape[0], 2), longest=shape[1])
    ids, mask = ids[: shape[0]], mask[: shape[0]]
    np.testing.assert_allclose(exported.session(dtype).logits(ids, mask), exported.expect(ids, mask), atol=1e-4)


def test_int8_stays_near_and_smoothing_brings_it_nearer(exported: Exported) -> None:
    """Logits of both int8 files against the model's, as a share of their spread."""
    ids, mask = ragged(6, rows=64)
    expected = exported.expect(ids, mask)
    errors = {
        dtype: float(np.abs(exported.session(dtype).logits(ids, mask) - expected).mean() / expected.std())
        for dtype in ("int8", "plain_int8")
    }
    assert 0 < errors["int8"] < 0.05
    if exported.model.config.model_type == "roberta":
        assert errors["int8"] < errors["plain_int8"] / 2


def test_only_layers_that_read_every_token_are_int8(exported: Exported) -> None:
    """Of the last layer, whose output is one token, keys and values; of no layer what ends its feed-forward block."""
    last = exported.model.base_model.encoder.layer
    ends = [name.split("encoder.layer.")[1] for name in exported.smoothed]
    whole = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"]
    expected = [f"{number}.{name}" for number in range(len(last) - 1) for name in (*whole, "intermediate.dense")] + [
        f"{len(last) - 1}.layer.attention.self.{name}" for name in ("key", "value")
    ]
    assert sorted(ends) == sorted(expected)
    nodes = [node.op_type for node in onnx.load(exported.folder / "int8.onnx").graph.node]
    assert nodes.count("MatMulInteger") == len(expected)


def test_a_file_says_nothing_of_the_machine_and_holds_its_weights(exported: Exported, tmp_path: Path) -> None:
    """Paths of the source code go, and the file alone still runs."""
    file = tmp_path / "float32.onnx"
    file.write_bytes((exported.folder / "float32.onnx").read_bytes())
    assert b"first_token.py" in file.read_bytes()
    strip_origins(file)
    assert b".py" not in file.read_bytes()
    ids, mask = ragged(5)
    np.testing.assert_allclose(OnnxSession(file, "float32", 1).logits(ids, mask), exported.expect(ids, mask), atol=1e-4)


def test_the_exporter_is_silent(
    tiny_bundle: Bundle, tmp_path: Path, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    """Neither prints nor warnings nor log lines reach the screen, and later warnings do again."""
    model = read_first_token(write_bert(tiny_bundle))
    export_onnx(model, WINDOW, tmp_path / "float32.onnx")
    layers = smooth(model, [np.arange(5, 15)], 0.8)
    quantize(tmp_path / "float32.onnx", tmp_path / "int8.onnx", layers)
    assert [*capfd.readouterr(), [str(warning.message) for warning in recwarn]] == ["", "", []]
    assert logging.getLogger().isEnabledFor(logging.WARNING)


def test_a_model_beyond_two_gigabytes_is_refused(tiny_bundle: Bundle, tmp_path: Path) -> None:
    """One ONNX file cannot hold it."""
    model = write_bert(tiny_bundle)
    model.large = torch.nn.Parameter(torch.empty(2**30, dtype=torch.float32, device="meta"))
    with pytest.raises(BundleError, match=r"4\.3 GB of weights"):
        export_onnx(model, WINDOW, tmp_path / "float32.onnx")


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that brings it."""
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ConfigError, match=r"onnxscript is not installed: pip install reviewlens\[onnx\]"):
        require_onnx()
