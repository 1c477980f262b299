"""Training, from labels and an encoder to a bundle that scores."""

import io
import json
import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from rich.console import Console
from transformers import BertModel

from reviewlens import Scorer
from reviewlens.bundle import Bundle, read_bundle
from reviewlens.config import TrainModelConfig
from reviewlens.errors import BundleError, ConfigError
from reviewlens.pipelines import train_model

ROOT = Path(__file__).parents[2]
WORDS = {"배송": "늦어요", "디자인": "예쁘"}


@pytest.fixture
def config(tmp_path: Path, tiny_bundle: Bundle) -> TrainModelConfig:
    """240 reviews whose word tells the keyword, and an encoder with random weights."""
    rows = [
        {
            "review_id": str(index),
            "text": f"{word} {chr(ord('가') + 7 * (index % 120))}",
            "labels": [{"keyword": keyword, "sentiment": "부정" if keyword == "배송" else "긍정", "evidence": [word]}],
        }
        for index in range(240)
        for keyword, word in [list(WORDS.items())[index % 2]]
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    BertModel.from_pretrained(tiny_bundle.path / "keyword").save_pretrained(tmp_path / "encoder")
    for file in (tiny_bundle.path / "keyword").glob("tokenizer*"):
        shutil.copy(file, tmp_path / "encoder")
    return TrainModelConfig(
        taxonomy=ROOT / "conf" / "taxonomy.yaml",
        labels=str(tmp_path / "labels.jsonl"),
        encoder=tmp_path / "encoder",
        bundle=tmp_path / "bundle",
        validation_share=0.2,
        test_share=0.2,
        keyword_epochs=6,
        sentiment_epochs=6,
        learning_rate=5e-3,
        batch_rows=16,
        half_precision=True,
    )


def test_training_makes_a_bundle_that_learned(spark: SparkSession, tmp_path: Path, config: TrainModelConfig) -> None:
    """From a Delta table; words decide keywords and sentiments, and figures and card are inside."""
    labels = spark.read.json(config.labels)
    labels.write.format("delta").save(str(tmp_path / "labels"))
    screen = io.StringIO()
    config = config.model_copy(update={"labels": str(tmp_path / "labels")})
    bundle = train_model.run(spark, config, Console(file=screen, width=160))
    assert read_bundle(tmp_path / "bundle") == bundle
    scorer = Scorer.load(bundle.path)
    for score, (keyword, word) in zip(
        scorer.score([f"{word} 나" for word in WORDS.values()]), WORDS.items(), strict=True
    ):
        [found] = score.keywords
        assert found.keyword == keyword
        assert found.sentiment == ("부정" if keyword == "배송" else "긍정")
        assert found.highlight is not None
        assert found.highlight.word == word
    assert bundle.manifest.training_set == f"{tmp_path}/labels version 0"
    assert bundle.manifest.metrics["held-out part"]["keywords"]["micro avg"]["f1-score"] == pytest.approx(1)
    assert "micro avg" in screen.getvalue()
    assert "## Limits" in (bundle.path / "README.md").read_text()
    weights = bundle.path / "keyword" / "model.safetensors"
    assert weights.stat().st_size < (config.encoder / "model.safetensors").stat().st_size


def test_a_taken_directory_or_a_missing_encoder_is_told_before_training(
    spark: SparkSession, tmp_path: Path, config: TrainModelConfig
) -> None:
    """Nothing is overwritten."""
    with pytest.raises(ConfigError, match="No encoder at"):
        train_model.run(spark, config.model_copy(update={"encoder": tmp_path}), Console(file=io.StringIO()))
    assert not config.bundle.exists()
    config.bundle.mkdir()
    (config.bundle / "mine").touch()
    with pytest.raises(BundleError, match="stands already"):
        train_model.run(spark, config, Console(file=io.StringIO()))
