"""Optimisation, from a bundle to the same bundle with ONNX models in it."""

import io
import json
import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from reviewlens import Scorer
from reviewlens.bundle import Bundle, read_bundle, seal_bundle
from reviewlens.config import OptimizeModelConfig
from reviewlens.errors import InputContractError, QualityGateError
from reviewlens.inference.backends.choice import list_onnx
from reviewlens.pipelines import optimize_model

ROOT = Path(__file__).parents[2]
TEXTS = [f"{word} {chr(ord('가') + 7 * (index % 120))}" for index, word in enumerate(["배송 늦어요", "예쁘"] * 60)]


@pytest.fixture
def original(tmp_path: Path, tiny_bundle: Bundle) -> Bundle:
    """A bundle with a figure, a calibration and a card, whose thresholds are the highest probabilities there are."""
    path = tmp_path / "original"
    shutil.copytree(tiny_bundle.path, path)
    said = tiny_bundle.manifest
    highest = Scorer.load(path, backend="torch").keyword_probabilities(TEXTS).max(axis=0)
    thresholds = dict(zip(said.taxonomy.keywords, highest.tolist(), strict=True))
    bundle = seal_bundle(path, said.taxonomy, thresholds, said.training_set, {"test": {"f1": 0.5}}, {"scale": 1.5})
    (path / "README.md").write_text(f"# ReviewLens bundle {bundle.bundle_id}\n")
    return bundle


@pytest.fixture
def config(tmp_path: Path, original: Bundle) -> OptimizeModelConfig:
    rows = [
        {"id": str(index), "text": text, "labels": [{"keyword": "배송", "sentiment": "부정", "evidence": []}]}
        for index, text in enumerate(TEXTS)
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    return OptimizeModelConfig(
        taxonomy=ROOT / "conf" / "taxonomy.yaml",
        labels=str(tmp_path / "labels.jsonl"),
        bundle=str(original.path),
        optimized=tmp_path / "made" / "optimized",
        validation_share=0.6,
        min_agreement=0.5,
    )


def test_the_copy_holds_all_of_the_original_and_onnx_models_that_decide_as_it_does(
    spark: SparkSession, original: Bundle, config: OptimizeModelConfig
) -> None:
    """A bundle of its own, with figures of what was compared; one that decides otherwise leaves nothing behind."""
    screen = io.StringIO()
    bundle = optimize_model.run(spark, config, Console(file=screen, width=80))
    assert read_bundle(config.optimized) == bundle
    assert bundle.bundle_id != original.bundle_id
    assert list_onnx(bundle.path) == ["float32", "int8"]
    assert sorted(file.name for file in (bundle.path / "onnx").iterdir()) == [
        f"{stage}.{dtype}.onnx" for stage in ("keyword", "sentiment") for dtype in ("float32", "int8")
    ]
    kept = {"taxonomy", "thresholds", "calibration", "training_set"}
    assert bundle.manifest.model_dump(include=kept) == original.manifest.model_dump(include=kept)
    assert bundle.manifest.metrics["test"] == {"f1": 0.5}
    figures = bundle.manifest.metrics["onnx"]
    assert figures["float32"]["keyword_drift"] < 1e-4 < figures["int8"]["keyword_drift"]
    assert figures["float32"]["highlight_agreement"] == 1
    assert figures["int8"]["reviews"] > 30
    line = json.loads(screen.getvalue().splitlines()[-1])
    assert (line["bundle_id"], line["int8"]) == (bundle.bundle_id, figures["int8"])
    card = (bundle.path / "README.md").read_text()
    assert card.startswith(f"# ReviewLens bundle {bundle.bundle_id}\n")
    assert "|float32|" in card

    again = {"bundle": str(config.optimized), "dtypes": ("int8",), "min_agreement": 1.0}
    again |= {"optimized": config.optimized.with_name("again")}
    with pytest.raises(QualityGateError, match=r"is int8 0\.9\d+, and min_agreement is 1\.0\. Try another alpha"):
        optimize_model.run(spark, config.model_copy(update=again), Console(file=screen))
    assert [path.name for path in config.optimized.parent.iterdir()] == ["optimized"]


def test_labels_without_a_validation_part_are_refused(spark: SparkSession, config: OptimizeModelConfig) -> None:
    """There is nothing to compare the models on."""
    with pytest.raises(InputContractError, match=r"labels\.jsonl has no validation part"):
        optimize_model.run(spark, config.model_copy(update={"validation_share": 1e-9}), Console(file=io.StringIO()))
    assert not config.optimized.parent.exists()
