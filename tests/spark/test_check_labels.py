"""The check of a round's labels, from Delta tables to figures, tables and a verdict."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from reviewlens.config import CheckLabelsConfig
from reviewlens.errors import InputContractError, QualityGateError
from reviewlens.pipelines import check_labels
from reviewlens.pipelines.check_labels import Quality
from reviewlens.spark.label_quality import read_verdicts
from reviewlens.spark.tables import TableRef
from tests.spark.labelled_rounds import answer, label, read_rows, write_rows

ROOT = Path(__file__).parents[2]
Run = Callable[..., Quality]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def run(spark: SparkSession, lake: Path) -> Run:
    """Check the round; the screen is in `run.screen`."""

    def start(**keys: Any) -> Quality:
        settings = {"target": str(lake), "round": "1차", "taxonomy": ROOT / "conf" / "taxonomy.yaml", "min_double": 4}
        config = CheckLabelsConfig.model_validate(settings | keys)
        start.screen = io.StringIO()  # type: ignore[attr-defined]
        return check_labels.run(spark, config, Console(file=start.screen, width=160))  # type: ignore[attr-defined]

    return start


def answers(odd: str = "다") -> list[dict[str, Any]]:
    """Twelve reviews by three people, each second of 배송; the odd one says 색상 where the others say 배송."""
    return [
        answer(f"r{number}", who, *([label("색상" if who == odd else "배송", "부정")] if number % 2 else []))
        for number in range(12)
        for who in "가나다"
    ]


def test_a_check_writes_every_figure_and_names_who_disagrees(spark: SparkSession, lake: Path, run: Run) -> None:
    """Alphas, confusions, annotators, contradictions of the model, and the verdict; other rounds are left alone."""
    write_rows(spark, lake, "labels", [*answers(), answer("z", "가", label("가격"), round="2차")])
    picks = [
        {"round": "1차", "review_id": "r1", "probabilities": {"배송": 0.99, "색상": 0.01}},
        {"round": "1차", "review_id": "r2", "probabilities": {"배송": 0.5}},
        {"round": "2차", "review_id": "r3", "probabilities": {"배송": 0.0}},
    ]
    write_rows(spark, lake, "retraining_picks", picks)
    run(min_alpha=0)
    rows = {(row.measure, row.subject): row for row in read_rows(spark, lake, "label_quality")}
    assert len({row.check_id for row in rows.values()}) == 1
    assert rows["round", "1차"].passed
    assert (rows["double_labelled", None].value, rows["double_labelled", None].floor) == (12, 4)
    overall = rows["keywords_alpha", None]
    assert 0 < overall.value < 0.8
    assert (overall.rows, overall.floor, overall.passed) == (12, 0, True)
    assert rows["sentiments_alpha", None].detail == "all judged alike, and so nothing tells agreement from chance"
    assert rows["keyword_alpha", "가격"].value is None
    assert rows["keyword_alpha", "가격"].detail == "nobody gave it"
    confusion = rows["keyword_confusion", "배송 / 색상"]
    assert (confusion.rows, confusion.value) == (12, 12 / 18)
    assert [row.detail for (measure, _), row in rows.items() if measure == "annotator_alpha"] == [
        "disagrees with all others",
        None,
        None,
    ]
    assert rows["annotator_alpha", "다"].value < 0.2 < rows["others_alpha", "다"].value == 1
    found = [row for row in read_rows(spark, lake, "label_quality") if row.measure == "contradiction"]
    assert sorted((row.subject, round(row.value, 2), row.detail) for row in found) == [
        ("r1", 0.01, "색상: given by 다"),
        ("r1", 0.99, "배송: not given by 다"),
    ]
    screen = run.screen.getvalue()  # type: ignore[attr-defined]
    assert "다 disagrees with all others" in screen
    line = json.loads(screen.splitlines()[-1])
    assert (line["status"], line["passed"], line["disagreeing"], line["contradictions"]) == ("checked", True, ["다"], 2)
    assert "늦어요" not in screen


def test_a_refused_round_is_written_first_and_checked_again_when_something_changed(
    spark: SparkSession, lake: Path, run: Run
) -> None:
    """The same labels and floors write nothing; other floors are another check, and the newest counts."""
    write_rows(spark, lake, "labels", answers())
    target = TableRef.parse(str(lake)).child("label_quality")
    with pytest.raises(QualityGateError, match=r"Round 1차 is refused: alpha over all keywords is 0\.\d+, under"):
        run(min_alpha=0.9)
    assert not read_verdicts(spark, target)["1차"].passed
    written = len(read_rows(spark, lake, "label_quality"))
    with pytest.raises(QualityGateError):
        run(min_alpha=0.9)
    assert len(read_rows(spark, lake, "label_quality")) == written
    assert "Nothing written" in run.screen.getvalue()  # type: ignore[attr-defined]
    run(min_alpha=0.1)
    assert read_verdicts(spark, target)["1차"].passed
    with pytest.raises(QualityGateError):
        run(min_alpha=0.9)
    assert not read_verdicts(spark, target)["1차"].passed


def test_one_annotator_is_refused_for_want_of_a_second_and_not_for_an_alpha(
    spark: SparkSession, lake: Path, run: Run
) -> None:
    """Unless the floor is none: then what is not defined has nothing against the round."""
    write_rows(spark, lake, "labels", [answer(f"r{number}", "가", label("배송")) for number in range(5)])
    with pytest.raises(QualityGateError, match="0 of 5 reviews were labelled by two people") as caught:
        run()
    assert "alpha" not in str(caught.value)
    assert "none: nothing was judged by two people" in run.screen.getvalue()  # type: ignore[attr-defined]
    assert run(min_double=0).overall.value is None


def test_no_labels_or_those_of_another_taxonomy_are_refused_before_anything_is_written(
    spark: SparkSession, lake: Path, run: Run
) -> None:
    """No table, no row of the round, an older taxonomy."""
    with pytest.raises(InputContractError, match="no table of labels"):
        run()
    write_rows(spark, lake, "labels", [answer("r", "가", label("맛"), round="0차", taxonomy_version="2025.1")])
    with pytest.raises(InputContractError, match="no labels of round 1차"):
        run()
    with pytest.raises(InputContractError, match=r"round 0차: 1 in taxonomy 2025\.1 with 맛"):
        run(round="0차")
    assert not (lake / "label_quality").exists()
