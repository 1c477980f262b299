"""A whole round of retraining, job by job over the same tables, as docs/retraining.md tells it."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console
from transformers import BertModel

from reviewlens import config as configs
from reviewlens.bundle import Bundle, read_bundle
from reviewlens.errors import QualityGateError
from reviewlens.pipelines import (
    check_labels,
    choose_picks,
    detect_drift,
    evaluate_model,
    exchange_labels,
    freeze_training_set,
    promote_model,
    sample_reviews,
    score_reviews,
    train_model,
)

ROOT = Path(__file__).parents[2]
SAID = {"배송": ("늦어요", "부정"), "디자인": ("예쁘", "긍정")}
REVIEWS = 400


@pytest.fixture
def job(spark: SparkSession, tmp_path: Path) -> Callable[..., Any]:
    """Run a pipeline over `tmp_path`/lake with these keys."""

    def run(pipeline: Any, **keys: object) -> Any:
        name = pipeline.__name__.rpartition(".")[2]
        kind = getattr(configs, "".join(part.title() for part in name.split("_")) + "Config")
        keys = {"taxonomy": ROOT / "conf" / "taxonomy.yaml", "target": str(tmp_path / "lake"), **keys}
        return pipeline.run(spark, kind.model_validate(keys), Console(file=io.StringIO(), width=200))

    return run


@pytest.mark.slow
def test_a_round_from_the_draw_to_the_next_night(
    spark: SparkSession, tmp_path: Path, job: Callable[..., Any], tiny_bundle: Bundle
) -> None:
    """A model without sense is replaced by one that learned from the round, and can be brought back."""
    source = str(tmp_path / "reviews")
    rows = [
        (
            str(index),
            f"몰{index % 3}",
            f"{SAID[keyword][0]} {chr(ord('가') + 7 * index)}",
            f"2026-11-{1 + index % 28:02}",
        )
        for index in range(REVIEWS)
        for keyword in [list(SAID)[index % 2]]
    ]
    spark.createDataFrame(rows, "review_id STRING, mall_id STRING, text STRING, created_at STRING").selectExpr(
        "review_id", "mall_id", "text", "CAST(created_at AS DATE) created_at"
    ).write.format("delta").save(source)
    columns = {"created_at": "created_at"}
    night = {"source": source, "columns": columns, "max_quarantine_share": 1.0, "sql_dir": ROOT / "conf" / "sql"}
    first = job(score_reviews, **night)

    job(sample_reviews, source=source, columns=columns, round="2026-11", rows=350)
    job(choose_picks, round="2026-11", rows=240, random_share=0.5)
    job(exchange_labels, action="export", round="2026-11", file=tmp_path / "tasks.jsonl", format="jsonl")
    for number, file in enumerate(answer(sorted(tmp_path.glob("tasks*.jsonl")))):
        taken_back = {"round": "2026-11", "file": file, "format": "jsonl", "annotator": f"사람{number}"}
        job(exchange_labels, action="import", **taken_back)
    job(check_labels, round="2026-11")
    job(freeze_training_set)

    challenger = train(job, tmp_path, tiny_bundle)
    with pytest.raises(QualityGateError, match="evaluate_model"):
        job(promote_model, bundle=str(challenger.path))
    job(evaluate_model, source=source, columns=columns, challenger=str(challenger.path), resamples=200)
    job(promote_model, bundle=str(challenger.path))
    second = job(score_reviews, **night)
    assert (second.bundle_id, second.scored, second.unchanged) == (challenger.bundle_id, REVIEWS, 0)
    job(detect_drift)

    job(promote_model, rollback=True)
    third = job(score_reviews, **night)
    assert (third.bundle_id, third.scored) == (first.bundle_id, REVIEWS)


def answer(files: list[Path]) -> list[Path]:
    """What people say of each review: its first word tells the keyword and the sentiment."""
    said = {word: (keyword, sentiment) for keyword, (word, sentiment) in SAID.items()}
    answered = []
    for file in files:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for line in lines:
            word = line["text"].split()[0]
            keyword, sentiment = said[word]
            line["labels"] = [{"keyword": keyword, "sentiment": sentiment, "highlights": [word]}]
        answers = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        answered.append(file.with_name(f"answered-{file.name}"))
        answered[-1].write_text(answers, encoding="utf-8")
    return answered


def train(job: Callable[..., Any], tmp_path: Path, tiny_bundle: Bundle) -> Bundle:
    """A challenger from the frozen set and an encoder with random weights."""
    BertModel.from_pretrained(tiny_bundle.path / "keyword").save_pretrained(tmp_path / "encoder")
    for file in (tiny_bundle.path / "keyword").glob("tokenizer*"):
        shutil.copy(file, tmp_path / "encoder")
    job(
        train_model,
        training_set="newest",
        encoder=tmp_path / "encoder",
        bundle=tmp_path / "challenger",
        keyword_epochs=6,
        sentiment_epochs=6,
        learning_rate=5e-3,
        batch_rows=16,
    )
    return read_bundle(tmp_path / "challenger")
