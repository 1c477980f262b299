"""Rows that break the models, and what the ledger says of the work."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pyspark.sql import Row, SparkSession
from rich.console import Console
from safetensors.torch import load_file, save_file

from reviewlens import Scorer
from reviewlens.bundle import Bundle, seal_bundle
from reviewlens.config import ScoreReviewsConfig
from reviewlens.errors import QuarantineLimitError
from reviewlens.pipelines import score_reviews

ROOT = Path(__file__).parents[2]
TEXTS = ["배송 늦어요", "예쁘 XL", "디자인 예쁘 배송", "배송 늦어요", "늦어요 예쁘"]

Run = Callable[..., score_reviews.RunReport]


@pytest.fixture
def brittle(tmp_path: Path, tiny_bundle: Bundle) -> Bundle:
    """A bundle whose keyword model knows one piece, the last of XL, as no number."""
    path = tmp_path / "brittle"
    shutil.copytree(tiny_bundle.path, path)
    (path / "manifest.json").unlink()
    [ids] = Scorer.load(tiny_bundle.path).keyword.encoder.encode(["XL"])
    weights = load_file(path / "keyword" / "model.safetensors")
    weights["bert.embeddings.word_embeddings.weight"][int(ids[-2])] = torch.nan
    save_file(weights, path / "keyword" / "model.safetensors", metadata={"format": "pt"})
    manifest = tiny_bundle.manifest
    return seal_bundle(path, manifest.taxonomy, manifest.thresholds, manifest.training_set)


@pytest.fixture
def run(spark: SparkSession, tmp_path: Path, brittle: Bundle) -> Run:
    reviews = spark.createDataFrame(list(enumerate(TEXTS)), "review_id BIGINT, text STRING")
    reviews.selectExpr("*", "'가몰' AS mall_id").write.format("delta").save(str(tmp_path / "reviews"))

    def start(**keys: object) -> score_reviews.RunReport:
        config = ScoreReviewsConfig.model_validate(
            {
                "source": str(tmp_path / "reviews"),
                "target": str(tmp_path / "lake"),
                "bundle": str(brittle.path),
                "taxonomy": ROOT / "conf" / "taxonomy.yaml",
                "sql_dir": ROOT / "conf" / "sql",
                **keys,
            }
        )
        return score_reviews.run(spark, config, Console(file=io.StringIO(), width=200))

    return start


def read(spark: SparkSession, tmp_path: Path, table: str) -> list[Row]:
    return spark.read.format("delta").load(str(tmp_path / "lake" / table)).collect()


def test_a_row_that_breaks_the_model_is_quarantined_and_the_others_are_scored(
    spark: SparkSession, tmp_path: Path, run: Run
) -> None:
    """It is done, too: the next night has nothing to do."""
    report = run(max_error_share=0.5)
    assert (report.scored, report.quarantined) == (4, 1)
    [refused] = read(spark, tmp_path, "quarantine")
    assert (refused.review_id, refused.reason, refused.raw["text"]) == ("1", "not_finite", "예쁘 XL")
    assert {row.review_id for row in read(spark, tmp_path, "review_scores")} == {"0", "2", "3", "4"}
    again = run(max_error_share=0.5)
    assert (again.scored, again.quarantined, again.unchanged) == (0, 0, 5)


def test_past_the_error_budget_the_run_fails_and_commits_nothing(spark: SparkSession, tmp_path: Path, run: Run) -> None:
    """A broken bundle must not send the table's rows to quarantine."""
    with pytest.raises(QuarantineLimitError, match=r"failed on 1 of 5 reviews, more than max_error_share 0\.01"):
        run()
    assert read(spark, tmp_path, "quarantine") == read(spark, tmp_path, "review_scores") == []
    assert list((tmp_path / "lake" / "_staging").iterdir()) == []


def test_the_ledger_says_where_the_time_went(spark: SparkSession, tmp_path: Path, run: Run) -> None:
    """Every chunk has its stages' seconds, its tokens, what was computed once for several, and the engine."""
    run(max_error_share=0.5, dtype="bfloat16", token_budget=64, task_rows=5)
    [chunk] = read(spark, tmp_path, "scoring_chunks")
    stages = ("tokenize", "keyword", "highlight", "sentiment")
    seconds = [chunk[f"{stage}_seconds"] for stage in stages]
    assert all(value > 0 for value in seconds)
    assert sum(seconds[1:]) < chunk.score_seconds
    assert chunk.failed == 1
    assert 0.95 * chunk.computed_tokens <= chunk.real_tokens <= chunk.computed_tokens
    assert 0 < chunk.duplicates < chunk.inputs  # one text stands twice
    engine = (chunk.backend, chunk.dtype, chunk.device, chunk.threads, chunk.token_budget)
    assert engine == ("torch", "bfloat16", "cpu", 1, 64)
