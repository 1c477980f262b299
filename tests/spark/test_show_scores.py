import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from reviewlens.config import Columns
from reviewlens.errors import InputContractError
from reviewlens.pipelines import show_scores
from reviewlens.spark.schemas import TABLES
from reviewlens.spark.tables import TableRef, create_tables

COLUMNS = Columns(
    review_id="no", mall_id="mall", text="본문", category=None, product=None, rating=None, created_at=None
)
DAY = dt.datetime(2025, 5, 3, 12, tzinfo=dt.UTC)
NAMES = {-2: "매우부정", -1: "부정", 0: "중립", 1: "긍정", 2: "매우긍정"}
TEXTS = {
    "mixed": "👍🏻 옷은 예쁘지만 배송은 늦어요ㅋㅋㅋ",
    "happy": "예쁘고 소재도 부드러워요 최고",
    "plain": "배송이 빨라요",
    "stale": "고쳐 쓴 글이라 자리가 어긋나요",
}


def test_shown_are_the_telling_reviews_the_malls_and_the_last_run(spark: SparkSession, tmp_path: Path) -> None:
    """Praise beside blame comes first, a changed text not at all; malls by size; the newest run's figures last."""
    _write_tables(spark, tmp_path)
    stream = io.StringIO()
    console = Console(file=stream, width=120)
    figures = show_scores.run(
        spark, f"{tmp_path}/reviews", str(tmp_path), COLUMNS, reviews=2, malls=2, keywords=2, console=console
    )
    lines = [line.strip() for line in stream.getvalue().splitlines() if line.strip()]
    assert lines[:5] == [
        "가람몰 · 2025-05-03 · mixed",
        "👍🏻 옷은 [예쁘지만](디자인/긍정, 스타일/매우긍정) 배송은 [늦어요ㅋㅋㅋ](배송/부정)",
        "가람몰 · 2025-05-03 · happy",
        "[예쁘고](디자인/긍정) 소재도 [부드러워요](소재/긍정) 최고",
        "no single word: (품질/긍정)",
    ]
    malls = [line.split() for line in lines if "%" in line or line.startswith(("가람몰  ", "-  "))]
    assert [cells[:5] for cells in malls] == [
        ["가람몰", "3"],
        ["디자인", "3", "100%", "67%", "33%"],
        ["소재", "2", "67%", "100%", "0%"],
        ["-", "1"],
        ["배송", "1", "100%", "100%", "0%"],
    ]
    assert json.loads(lines[-1]) == figures
    assert (figures["run_id"], figures["input"], figures["rows_per_second"]) == ("r2", 10, 5.0)


def test_without_results_it_says_which_job_comes_first(spark: SparkSession, tmp_path: Path) -> None:
    """The message names the table that is not there, and score_reviews."""
    with pytest.raises(InputContractError, match="review_scores: run score_reviews"):
        show_scores.run(spark, f"{tmp_path}/reviews", str(tmp_path), COLUMNS)


def _write_tables(spark: SparkSession, folder: Path) -> None:
    refs = create_tables(spark, TableRef.parse(str(folder)))
    reviews = spark.createDataFrame(
        [(name, "?", text) for name, text in TEXTS.items()], "no STRING, mall STRING, `본문` STRING"
    )
    reviews.write.format("delta").save(f"{folder}/reviews")
    scores = [
        ("plain", None, [_found("배송", 1, "plain", "빨라요")]),
        (
            "happy",
            "가람몰",
            [_found("디자인", 1, "happy", "예쁘고"), _found("소재", 1, "happy", "부드러워요"), _found("품질", 1)],
        ),
        (
            "mixed",
            "가람몰",
            [
                _found(*it)
                for it in (
                    ("디자인", 1, "mixed", "예쁘지만"),
                    ("스타일", 2, "mixed", "예쁘지만"),
                    ("배송", -1, "mixed", "늦어요ㅋㅋㅋ"),
                )
            ],
        ),
        ("stale", "가람몰", [_found("디자인", -2, "mixed", "예쁘지만"), _found("소재", 2)]),
    ]
    rows: list[tuple[Any, ...]] = [
        (name, mall, None, DAY, {}, found, False, "f", "b", "r", DAY) for name, mall, found in scores
    ]
    spark.createDataFrame(rows, TABLES["review_scores"]).write.format("delta").mode("append").save(
        refs["review_scores"].location
    )
    runs = [
        (name, "done", start, start, 2.0, "s", 1, "b", "t", "{}", size, size, 0, 0, 1, size / 2)
        for name, start, size in (("r2", DAY, 10), ("r1", DAY - dt.timedelta(1), 99))
    ]
    spark.createDataFrame(runs, TABLES["scoring_runs"]).write.format("delta").mode("append").save(
        refs["scoring_runs"].location
    )


def _found(keyword: str, value: int, review: str = "", word: str = "") -> tuple[Any, ...]:
    start = TEXTS[review].index(word) if word else 0
    highlight = (word, start, start + len(word), 0.1) if word else None
    return (keyword, 0.9, NAMES[value], value, 0.8, highlight)
