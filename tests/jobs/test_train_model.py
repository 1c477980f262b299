"""Training, from labels and an encoder to a bundle that scores."""

import io
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from rich.console import Console
from transformers import BertModel

from reviewlens import Scorer
from reviewlens.bundle import Bundle, read_bundle
from reviewlens.config import TrainModelConfig
from reviewlens.errors import BundleError, ConfigError, InputContractError
from reviewlens.labeling.labels import Highlight, KeywordLabel
from reviewlens.labeling.training_set import PARTS, FrozenReview, hash_content
from reviewlens.pipelines import train_model
from reviewlens.spark.tables import TableRef
from reviewlens.spark.training_sets import VersionLine, read_versions, write_version

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
    assert config.labels is not None
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


def freeze(spark: SparkSession, lake: Path, parts: dict[str, int], taxonomy_version: str = "2026.1") -> VersionLine:
    """Freeze as many reviews as each part needs; the highlights are what the keyword's word is."""
    reviews = [
        FrozenReview(
            f"{part}{index}",
            None,
            f"{word} {chr(ord('가') + 7 * (index % 120))}",
            (KeywordLabel(keyword, "부정" if keyword == "배송" else "긍정", (Highlight(word, 0, len(word)),)),),
            part,
            part != "train",
            "1차",
            1,
        )
        for part, rows in parts.items()
        for index in range(rows)
        for keyword, word in [list(WORDS.items())[index % 2]]
    ]
    line = VersionLine(
        version=len(read_versions(spark, TableRef.parse(str(lake)))) + 1,
        content_hash=hash_content(reviews),
        **{part: parts.get(part, 0) for part in PARTS},
        labels_version=0,
        rounds=("1차",),
        corpus=None,
        taxonomy_version=taxonomy_version,
        frozen_at=datetime(2026, 11, 25, tzinfo=UTC),
    )
    write_version(spark, TableRef.parse(str(lake)), line, reviews)
    return line


def test_a_training_set_is_learned_in_its_own_parts(
    spark: SparkSession, tmp_path: Path, config: TrainModelConfig
) -> None:
    """The manifest names version and hash, highlights are evidence; a part that is missing is told or made up for.

    Without a test part nothing is measured; to a validation part that is too small comes a share of train.
    """
    line = freeze(spark, tmp_path, {"train": 160, "validation": 20, "test": 30})
    freeze(spark, tmp_path, {"train": 60, "validation": 1})
    keys: dict[str, object] = {"labels": None, "target": str(tmp_path), "training_set": 1, "min_validation": 20}
    bundle = train_model.run(spark, config.model_copy(update=keys), Console(file=io.StringIO()))
    assert bundle.manifest.training_set == f"training set 1 (sha256 {line.content_hash})"
    figures = bundle.manifest.metrics["held-out part"]
    assert (figures["reviews"], figures["highlight_pairs"]) == (30, 30)
    assert figures["keywords"]["micro avg"]["f1-score"] > 0.9
    assert "train 160, validation 20, test 30" in (bundle.path / "README.md").read_text()

    keys |= {"training_set": "newest", "bundle": tmp_path / "second", "keyword_epochs": 1, "sentiment_epochs": 1}
    screen = io.StringIO()
    bundle = train_model.run(spark, config.model_copy(update=keys), Console(file=screen, width=160))
    assert bundle.manifest.metrics == {}
    assert "No held-out figures" in screen.getvalue()
    card = (bundle.path / "README.md").read_text()
    assert "nothing held out has measured this model" in card
    assert "test 0" in card
    assert "validation 1," not in card


def test_a_training_set_without_a_train_part_or_of_another_taxonomy_is_refused(
    spark: SparkSession, tmp_path: Path, config: TrainModelConfig
) -> None:
    """Before the encoder is read."""
    freeze(spark, tmp_path, {"test": 4})
    freeze(spark, tmp_path, {"train": 4}, taxonomy_version="2025.1")
    keys = {"labels": None, "target": str(tmp_path), "encoder": tmp_path}
    for version, message in ((1, "Training set 1 has no train part"), (2, r"Training set 2 is in taxonomy 2025\.1")):
        changed = config.model_copy(update=keys | {"training_set": version})
        with pytest.raises(InputContractError, match=message):
            train_model.run(spark, changed, Console(file=io.StringIO()))


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
