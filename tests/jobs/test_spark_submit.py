"""Jobs as people start them: the shell script, real spark-submit, exit codes and what the screen shows."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from deltalake import DeltaTable, write_deltalake

from reviewlens.bundle import Bundle

ROOT = Path(__file__).parents[2]


def submit(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start a job; Spark joins both outputs of Python into one, so they are joined here too."""
    return subprocess.run(
        [ROOT / "spark-submit.sh", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ | environment,
    )


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A Delta table that Spark did not write."""
    path = tmp_path / "reviews"
    rows = {
        "review_id": ["a", "b", "c"],
        "mall_id": ["가몰", "가몰", None],
        "text": ["배송 늦어요", "예쁘 디자인 😀", None],
    }
    write_deltalake(path, pd.DataFrame(rows))
    return path


OPTIONAL = ["--columns.category", "null", "--columns.product", "null", "--columns.rating", "null"]


def test_score_reviews_from_the_shell_twice(reviews: Path, tmp_path: Path, tiny_bundle: Bundle) -> None:
    """Through py-files and the Delta jars; the screen holds the table and the JSON line, and nothing from Spark."""
    job = ["score_reviews", "--source", reviews, "--target", tmp_path / "lake", "--bundle", tiny_bundle.path]
    job += [*OPTIONAL, "--columns.created_at", "null"]
    first, second = submit(*job), submit(*job)
    assert (first.returncode, second.returncode) == (0, 0), first.stdout + second.stdout
    line = json.loads(first.stdout.splitlines()[-1])
    assert (line["input"], line["scored"], line["quarantined"]) == (3, 2, 1)
    assert "Nothing to score: all 3 reviews are unchanged." in second.stdout
    assert DeltaTable(tmp_path / "lake" / "review_scores").to_pyarrow_table().num_rows == 2
    for screen in (first.stdout, second.stdout):
        assert not any(word in screen for word in ("WARN", "ivy", "Ivy", "incubator", "Exception", "늦어요"))


def test_help_explains_every_key() -> None:
    """Each key with its meaning and its default."""
    done = submit("score_reviews", "--help")
    assert done.returncode == 0
    for part in ("--columns.review_id", "--chunk_rows", "rows that one Delta commit carries", "20000", "--dry_run"):
        assert part in done.stdout


BAD = {
    "unknown job": (["score_review"], 2, "No job score_review. Jobs:"),
    "no job": ([], 2, "Usage:"),
    "unknown key": (["score_reviews", "--chunk_row", "5"], 2, "--chunk_row"),
    "missing config": (["score_reviews", "--config", "/nowhere.yaml"], 2, "No configuration at /nowhere.yaml"),
    "missing bundle": (["score_reviews", "--bundle", "/nowhere"], 2, "No bundle at /nowhere"),
    "changed weights": (["score_reviews", "--bundle", "{changed}"], 2, "keyword/model.safetensors was changed"),
    "pickle weights": (["score_reviews", "--bundle", "{pickled}"], 2, "may hold a pickle"),
    "another taxonomy": (["score_reviews", "--taxonomy", "{taxonomy}"], 2, "was made for taxonomy version 2026.1"),
    "no source": (["score_reviews", "--source", "./nowhere"], 3, "cannot be read as a Delta table"),
    "not Delta": (["score_reviews", "--source", "{plain}"], 3, "cannot be read as a Delta table"),
    "broken contract": (["score_reviews", "--columns.text", "body"], 3, "text: there is no column body"),
    "no properties": (["score_reviews", "--spark", "conf/spark/none.conf"], 2, "No Spark properties at"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_an_exit_code(
    case: str, reviews: Path, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    """No stack trace; the sentence says what was wrong."""
    arguments, code, sentence = BAD[case]
    for name in ("changed", "pickled"):
        shutil.copytree(tiny_bundle.path, tmp_path / name)
    with (tmp_path / "changed" / "keyword" / "model.safetensors").open("ab") as weights:
        weights.write(b"\0")
    (tmp_path / "pickled" / "keyword" / "pytorch_model.bin").touch()
    taxonomy = (ROOT / "conf" / "taxonomy.yaml").read_text().replace('"2026.1"', '"2031.1"')
    (tmp_path / "taxonomy").write_text(taxonomy)
    pd.DataFrame({"text": ["a"]}).to_parquet(tmp_path / "plain")
    places = {name: tmp_path / name for name in ("changed", "pickled", "taxonomy", "plain")}
    given = [argument.format(**places) for argument in arguments]
    if given and given[0] == "score_reviews":
        defaults = {"--source": reviews, "--target": tmp_path / "lake", "--bundle": tiny_bundle.path}
        given += [str(part) for key, value in defaults.items() if key not in given for part in (key, value)]
    done = submit(*given)
    assert done.returncode == code
    assert sentence in done.stdout
    assert "Traceback" not in done.stdout
    assert done.stdout.strip().count("\n") == 0
    assert not (tmp_path / "lake").exists()


def test_a_gpu_demanded_and_absent_ends_the_job(reviews: Path, tmp_path: Path, tiny_bundle: Bundle) -> None:
    """The task's error comes out as one sentence, and nothing was scored on the CPU."""
    job = ["score_reviews", "--source", reviews, "--target", tmp_path / "lake", "--bundle", tiny_bundle.path]
    done = submit(*job, *OPTIONAL, "--columns.created_at", "null", "--device", "gpu")
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1] == (
        "device is gpu, and Spark gave this task no GPU: set spark.task.resource.gpu.amount=1."
    )
    assert DeltaTable(tmp_path / "lake" / "review_scores").to_pyarrow_table().num_rows == 0


@pytest.mark.parametrize(("version", "sentence"), [(None, "No Java found"), ("11.0.2", "Java 11 is too old")])
def test_java_that_is_missing_or_old_is_named(tmp_path: Path, version: str | None, sentence: str) -> None:
    """Before anything is started."""
    (tmp_path / "bin").mkdir()
    if version is not None:
        java = tmp_path / "bin" / "java"
        java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        java.chmod(0o755)
    done = submit("score_reviews", JAVA_HOME=str(tmp_path))
    assert done.returncode == 2
    assert sentence in done.stdout


def test_the_demo_shows_reviews_malls_and_the_run(tmp_path: Path) -> None:
    """With the starter and the corpus that ship with the package; the second demo scores nothing."""
    job = ["demo", "--rows", "20", "--reviews", "3", "--lakehouse", tmp_path / "lake"]
    first = submit(*job)
    assert first.returncode == 0, first.stdout
    assert DeltaTable(tmp_path / "lake" / "review_scores").to_pyarrow_table().num_rows == 20
    for part in ("가람몰", "/긍정)", "rows/s", '"scored": 20'):
        assert part in first.stdout
    assert "Nothing to score: all 20 reviews are unchanged." in submit(*job).stdout
