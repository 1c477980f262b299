"""Training sets, from checked labels to immutable versions, and read back whole."""

import io
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from rich.console import Console

from reviewlens.config import CheckLabelsConfig, FreezeTrainingSetConfig
from reviewlens.errors import BusyError, InputContractError, QualityGateError
from reviewlens.labeling.labels import Highlight, KeywordLabel
from reviewlens.labeling.training_set import hash_content
from reviewlens.pipelines import check_labels, freeze_training_set
from reviewlens.pipelines.freeze_training_set import FreezeReport
from reviewlens.spark.tables import TableRef
from reviewlens.spark.training_sets import read_training_set, read_versions, write_version
from tests.spark.labelled_rounds import answer, label, read_rows, write_rows

ROOT = Path(__file__).parents[2]
TAXONOMY = ROOT / "conf" / "taxonomy.yaml"
# Forty random picks, twenty chosen ones, the first ten labelled twice; one text comes twice, shouted the second time.
ANSWERS = [
    answer(f"r{number:02}", who, label("배송", "부정", ("늦어요", 3, 6)), is_random=number < 40)
    for number in range(60)
    for who in ("가나" if number < 10 else "가")
]
SHOUT = answer("r99", "가", label("색상"), text="배송~~ 늦어요!!! r04", is_random=False)

Run = Callable[..., FreezeReport]


@pytest.fixture(scope="module")
def checked(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A round whose check passed."""
    lake = tmp_path_factory.mktemp("checked") / "lake"
    write_rows(spark, lake, "labels", [*ANSWERS, SHOUT])
    check(spark, lake)
    return lake


@pytest.fixture
def lake(checked: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(checked, tmp_path / "lake"))


@pytest.fixture(scope="module")
def frozen_once(spark: SparkSession, checked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a first version."""
    lake = Path(shutil.copytree(checked, tmp_path_factory.mktemp("frozen") / "lake"))
    config = FreezeTrainingSetConfig(target=str(lake), taxonomy=TAXONOMY)
    freeze_training_set.run(spark, config, Console(file=io.StringIO()))
    return lake


@pytest.fixture
def frozen(frozen_once: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(frozen_once, tmp_path / "frozen"))


@pytest.fixture
def run(spark: SparkSession, lake: Path) -> Run:
    """Freeze; the screen is in `run.screen`."""

    def start(**keys: Any) -> FreezeReport:
        config = FreezeTrainingSetConfig.model_validate({"target": str(lake), "taxonomy": TAXONOMY, **keys})
        start.screen = io.StringIO()  # type: ignore[attr-defined]
        return freeze_training_set.run(spark, config, Console(file=start.screen, width=160))  # type: ignore[attr-defined]

    return start


def check(spark: SparkSession, lake: Path, round_name: str = "1차", **keys: Any) -> None:
    settings = {"target": str(lake), "round": round_name, "taxonomy": TAXONOMY, "min_double": 0, **keys}
    check_labels.run(spark, CheckLabelsConfig.model_validate(settings), Console(file=io.StringIO()))


def test_a_version_holds_resolved_labels_in_parts_and_reads_back_whole(
    spark: SparkSession, lake: Path, tmp_path: Path, run: Run
) -> None:
    """Only random picks measure, the corpus only trains, near-duplicates of what measures are left out and counted."""
    corpus = [
        {
            "id": "c1",
            "text": "색이 예뻐요",
            "labels": [{"keyword": "색상", "sentiment": "긍정", "evidence": ["예뻐요"]}],
        },
        {"id": "c2", "text": "배송 늦어요 r04 ㅠ", "labels": []},
        {"id": "c3", "text": "배송 늦어요, r04.", "labels": []},
        {"id": "r00", "text": "아무 말", "labels": []},
    ]
    file = tmp_path / "corpus.jsonl"
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in corpus))
    report = run(corpus=file)
    frozen = read_training_set(spark, TableRef.parse(str(lake)))
    reviews = {review.review_id: review for review in frozen.reviews}
    assert (report.status, frozen.version, frozen.taxonomy_version) == ("frozen", 1, "2026.1")
    assert all(review.is_random for part in ("test", "validation") for review in frozen.part(part))
    assert all(len(frozen.part(part)) > 3 for part in ("test", "validation", "train"))
    assert (reviews["r01"].annotators, reviews["r20"].annotators, reviews["c1"].annotators) == (2, 1, 0)
    assert reviews["r01"].labels == (KeywordLabel("배송", "부정", (Highlight("늦어요", 3, 6),)),)
    assert (reviews["c1"].part, reviews["c1"].round) == ("train", None)
    assert reviews["c1"].labels == (KeywordLabel("색상", "긍정", (Highlight("예뻐요", 3, 6),)),)
    assert reviews["r04"].part != "train"  # its hash says so, once and for all
    assert (report.near_duplicates, report.relabelled) == (2, 1)
    assert not {"r99", "c3"} & reviews.keys()
    [line] = read_rows(spark, lake, "training_set_versions")
    assert (line.train, line.validation, line.test) == tuple(
        len(frozen.part(p)) for p in ("train", "validation", "test")
    )
    assert (line.rounds, line.corpus, line.content_hash) == (["1차"], str(file), frozen.content_hash)
    screen = run.screen.getvalue()  # type: ignore[attr-defined]
    assert "2 near-duplicates of reviews that measure were left out" in screen
    assert json.loads(screen.splitlines()[-1])["version"] == 1
    assert "늦어요" not in screen


def test_refused_or_changed_labels_are_taken_only_when_that_is_said(spark: SparkSession, lake: Path, run: Run) -> None:
    """The message names each round and why; nothing is frozen."""
    with pytest.raises(QualityGateError, match="min_double"):
        check(spark, lake, min_double=50)
    with pytest.raises(QualityGateError, match="round 1차 was refused by check"):
        run()
    write_rows(spark, lake, "labels", [answer("new", "가"), answer("new", "가", round="2차")])
    with pytest.raises(
        QualityGateError, match=r"labels of round 1차 have changed since .*; round 2차 was never checked"
    ):
        run()
    assert not (lake / "training_sets").exists()
    assert run(allow_unchecked=True).line.version == 1
    assert "Taken as it is: the labels of round 1차 have changed" in run.screen.getvalue()  # type: ignore[attr-defined]


def test_a_version_without_random_picks_says_that_it_cannot_measure(spark: SparkSession, lake: Path, run: Run) -> None:
    """And one of random picks alone, all of them measuring, that nothing can learn from it."""
    chosen = [{**row, "is_random": False} for row in ANSWERS]
    write_rows(spark, lake, "labels", chosen, mode="overwrite")
    assert run(allow_unchecked=True).line.test == 0
    assert "this version cannot measure a model" in run.screen.getvalue()  # type: ignore[attr-defined]
    drawn = [answer(f"n{number}", "가") for number in range(20)]
    write_rows(spark, lake, "labels", drawn, mode="overwrite")
    report = run(allow_unchecked=True, test_share=0.8, validation_share=0.2)
    assert (report.line.train, report.line.validation + report.line.test) == (0, 20)
    assert "no model can learn from this version" in run.screen.getvalue()  # type: ignore[attr-defined]


def test_the_same_again_is_nothing_to_do_and_new_labels_are_the_next_version(
    spark: SparkSession, frozen: Path, run: Run
) -> None:
    """What was in the test part stays there though the shares change, and the old version stays as it was."""
    target = TableRef.parse(str(frozen))
    first = read_training_set(spark, target)
    assert run(target=str(frozen)).status == "unchanged"
    assert "Nothing to do: version 1" in run.screen.getvalue()  # type: ignore[attr-defined]
    write_rows(spark, frozen, "labels", [answer(f"s{number}", "가", round="2차") for number in range(20)])
    check(spark, frozen, "2차")
    assert run(target=str(frozen), test_share=0.1).line.version == 2
    second = read_training_set(spark, target)
    assert {each.review_id for each in first.part("test")} <= {each.review_id for each in second.part("test")}
    assert len(second.reviews) == len(first.reviews) + 20
    assert read_training_set(spark, target, 1) == first


def test_a_freeze_that_was_cut_off_leaves_nothing_that_counts(spark: SparkSession, frozen: Path, run: Run) -> None:
    """Reviews without their version's line are of no version: the next run writes it anew, and removes the others."""
    target = TableRef.parse(str(frozen))
    whole = read_training_set(spark, target)
    stray = {"version": 1, "content_hash": "0" * 64, "review_id": "stray", "text": "끊긴 글", "part": "test"}
    write_rows(spark, frozen, "training_sets", [stray])
    assert read_training_set(spark, target) == whole
    DeltaTable.forPath(spark, str(frozen / "training_set_versions")).delete()
    DeltaTable.forPath(spark, str(frozen / "training_sets")).delete("review_id = 'r05'")
    with pytest.raises(InputContractError, match="nothing was frozen yet"):
        read_training_set(spark, target)
    assert run(target=str(frozen)).leftovers == 1
    assert read_training_set(spark, target) == whole
    assert len(read_rows(spark, frozen, "training_sets")) == len(whole.reviews)


def test_of_two_freezes_at_the_same_time_one_is_the_version(spark: SparkSession, frozen: Path) -> None:
    """The other is told to run again, and nothing of it counts."""
    target = TableRef.parse(str(frozen))
    [line] = read_versions(spark, target)
    reviews = read_training_set(spark, target).reviews
    barrier = Barrier(2)

    def freeze(rows: int) -> int | None:
        chosen = reviews[:rows]
        barrier.wait()
        try:
            write_version(spark, target, replace(line, version=2, content_hash=hash_content(chosen)), chosen)
        except BusyError:
            return None
        return rows

    with ThreadPoolExecutor(2) as pool:
        done = [rows for rows in pool.map(freeze, (10, 20)) if rows]
    assert len(done) == 1
    assert read_training_set(spark, target).reviews == reviews[: done[0]]
    with pytest.raises(BusyError, match="freezing training set 2, or has: run again"):
        write_version(spark, target, replace(line, version=2), reviews)


def test_a_changed_or_missing_version_is_refused(spark: SparkSession, frozen: Path, run: Run) -> None:
    """One word of one review is enough; the same labels do not freeze over it."""
    target = TableRef.parse(str(frozen))
    with pytest.raises(InputContractError, match="has no version 7: versions 1 are there"):
        read_training_set(spark, target, 7)
    DeltaTable.forPath(spark, str(frozen / "training_sets")).update("review_id = 'r05'", {"text": "'다른 글'"})
    with pytest.raises(InputContractError, match=r"Version 1 in .* has changed since it was frozen"):
        read_training_set(spark, target, 1)
    with pytest.raises(InputContractError, match="has changed since"):
        run(target=str(frozen))


def test_no_labels_or_those_of_another_taxonomy_are_refused(spark: SparkSession, lake: Path, run: Run) -> None:
    """A round that has none is named; an old one blocks until it is left out."""
    with pytest.raises(InputContractError, match="no labels of round 9차"):
        run(rounds=["1차", "9차"])
    write_rows(spark, lake, "labels", [answer("old", "가", label("맛"), round="0차", taxonomy_version="2025.1")])
    with pytest.raises(InputContractError, match=r"round 0차: 1 in taxonomy 2025\.1 with 맛"):
        run()
