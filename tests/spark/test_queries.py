"""Ten queries that analysts ask: each run on a Delta table of thirteen reviews, its rows asserted."""

import re
import unicodedata
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import SparkSession

from reviewlens.spark.schemas import TABLES
from reviewlens.spark.tables import TableRef, create_tables, create_views

SQL = Path(__file__).parents[2] / "conf" / "sql"
QUERIES = sorted((SQL / "queries").glob("*.sql"))
SEOUL = ZoneInfo("Asia/Seoul")
TODAY = date(2026, 7, 31)  # this week is 25-31 July, last week 18-24, four weeks 4-31
VALUES = {"매우부정": -2, "부정": -1, "중립": 0, "긍정": 1, "매우긍정": 2}


def _at(month: int, day: int, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=SEOUL)


def _found(keyword: str, sentiment: str, word: str | None, probability: float = 0.75, without: float = 0.5) -> Any:
    highlight = word and (word, 0, len(word), without)
    return (keyword, probability, sentiment, VALUES[sentiment], 0.5, highlight)


_NFD = unicodedata.normalize("NFD", "늦어요.")
REVIEWS = [
    (
        *("r01", "A", "상의", _at(7, 31, 9)),
        [
            _found("디자인", "긍정", "예뻐요"),
            _found("배송", "매우부정", "늦어요ㅠㅠ", 0.875, 0.375),
            _found("사이즈", "중립", None),
        ],
    ),
    ("r02", "A", "상의", _at(7, 31, 21), [_found("배송", "부정", _NFD, 0.75, 0.5)]),
    ("r03", "A", "상의", _at(7, 25, 0, 30), [_found("배송", "긍정", "빨라요")]),  # still 24 July in UTC
    ("r04", "A", "하의", _at(7, 31, 10), []),
    (
        *("r05", "B", "하의", _at(7, 30)),
        [_found("디자인", "부정", "별로😢"), _found("배송", "부정", "파손"), _found("사이즈", "부정", "ㅠㅠ작아요!")],
    ),
    ("r06", "B", None, _at(7, 24, 23, 59), [_found("배송", "긍정", "빨라요"), _found("사이즈", "부정", "작아요")]),
    ("r07", None, "상의", None, [_found("디자인", "매우긍정", "예뻐요"), _found("사이즈", "부정", "커요")]),
    ("r08", None, None, _at(7, 29), None),
    ("r09", "B", "상의", _at(7, 20), [_found("배송", "부정", "늦어요", 0.75, 0.0)]),
    ("r10", "B", "하의", _at(7, 10), [_found("디자인", "긍정", "예뻐요"), _found("사이즈", "중립", None)]),
    ("r11", "A", "상의", _at(6, 30), [_found("배송", "부정", "파손")]),
    ("r12", "A", "상의", _at(8, 1, 0, 10), [_found("배송", "매우부정", "최악")]),  # tomorrow
    ("r13", "A", "상의", _at(6, 1), [_found("배송", "매우부정", "최악"), _found("색상", "부정", "탁해요")]),
]


def _trend() -> list[tuple[Any, ...]]:
    """Mall A's 배송: 30 June (before the first day shown), 25 July and 31 July, nothing between."""
    quiet = (0, 0, None)
    rows: list[tuple[Any, ...]] = [(date(2026, 7, day), *quiet, 1 / 7, 1, -1) for day in (4, 5, 6)]
    rows += [(date(2026, 7, day), *quiet, 0, None, None) for day in range(7, 25)]
    rows += [(date(2026, 7, 25), 1, 0, 1, 1 / 7, 0, 1)]
    rows += [(date(2026, 7, day), *quiet, 1 / 7, 0, 1) for day in range(26, 31)]
    return [*rows, (date(2026, 7, 31), 2, 2, -1.5, 3 / 7, 2 / 3, -2 / 3)]


EXPECTED: dict[str, tuple[dict[str, Any], list[tuple[Any, ...]]]] = {
    "category_mix": (
        {"top": 2},
        [
            (None, 1, "배송", 1, 2, 0.5, 1),
            (None, 2, "사이즈", 1, 2, 0.5, -1),
            ("상의", 1, "배송", 4, 5, 0.8, -0.75),
            ("상의", 2, "디자인", 2, 5, 0.4, 1.5),
            ("하의", 1, "디자인", 2, 3, 2 / 3, 0),
            ("하의", 2, "사이즈", 2, 3, 2 / 3, -0.5),
        ],
    ),
    "complaint_words": (
        {"keyword": "배송", "top": 5},
        [("늦어요", 3, 2, 0.5), ("파손", 1, 1, 0.25)],
    ),
    "keyword_trend": ({"mall": "A", "keyword": "배송"}, _trend()),
    "keywords_together": (
        {"min_reviews": 2},
        [
            ("디자인", "사이즈", 4, 4 / 5, 1 / 4),
            ("배송", "사이즈", 3, 3 / 8, 1 / 3),
            ("디자인", "배송", 2, 2 / 8, 1 / 2),
        ],
    ),
    "mall_against_all": (
        {"mall": None},
        [
            ("사이즈", 1, 1 / 2, 5 / 10, -1, -0.6, 0, -0.4),
            ("디자인", 1, 1 / 2, 4 / 10, 2, 0.75, 0.1, 1.25),
            ("배송", 0, 0, 6 / 10, None, -0.5, -0.6, None),
        ],
    ),
    "new_complaint_words": (
        {"min_reviews": 1},
        [("디자인", "별로", 1, 1, date(2026, 7, 30)), ("사이즈", "커요", 1, 1, date(2026, 7, 31))],
    ),
    "praised_and_blamed": (
        {"praised": "디자인", "blamed": "사이즈"},
        [("r07", None, "상의", None, "예뻐요", "커요")],
    ),
    "reviews_without_keyword": (
        {"min_reviews": 2},
        [(None, 2, 1, 0.5), ("A", 4, 1, 0.25), ("B", 4, 0, 0)],
    ),
    "rising_complaints": ({"min_reviews": 1}, [("배송", 2, 4, 0.5, 0.75, 0.25)]),
    # Wilson's lower ends of 2 of 3 and of 1 of 1: the mall with more evidence is first.
    "worst_malls": (
        {"keyword": "배송", "min_reviews": 1},
        [("A", 3, 2, 2 / 3, 0.207655, -2 / 3), ("B", 1, 1, 1, 0.206543, -1)],
    ),
}


@pytest.fixture(scope="module")
def analyst(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SparkSession:
    """A session of its own with the views over a lakehouse of `REVIEWS`."""
    session = spark.newSession()
    session.conf.set("spark.sql.maxMetadataStringLength", "10000")  # plans name every filter
    target = TableRef.parse(str(tmp_path_factory.mktemp("lakehouse")))
    scores = create_tables(session, target)["review_scores"]
    rows = [
        (*head, {"배송": 0.5}, keywords, False, f"print-{head[0]}", "bundle", "run", _at(7, 31, 3))
        for *head, keywords in REVIEWS
    ]
    frame = session.createDataFrame(rows, TABLES["review_scores"]).coalesce(1)
    frame.write.format("delta").mode("append").save(scores.location)
    create_views(session, target, SQL)
    return session


@pytest.mark.parametrize("file", QUERIES, ids=lambda file: file.stem)
def test_query_answers_with_the_rows_computed_by_hand(analyst: SparkSession, file: Path) -> None:
    """Every query of the folder has expected rows here, and gives them, in order."""
    args, expected = EXPECTED[file.stem]
    answer = analyst.sql(file.read_text(encoding="utf-8"), args={"today": TODAY, **args})
    assert [tuple(row) for row in answer.collect()] == [pytest.approx(row, abs=1e-6) for row in expected]


@pytest.mark.parametrize("file", QUERIES, ids=lambda file: file.stem)
def test_query_reads_its_period_and_joins_nothing_crosswise(analyst: SparkSession, file: Path) -> None:
    """The days asked for reach the scan, where Delta skips files by them, and no plan multiplies two tables."""
    args, _ = EXPECTED[file.stem]
    answer = analyst.sql(file.read_text(encoding="utf-8"), args={"today": TODAY, **args})
    plan = answer._jdf.queryExecution().executedPlan().toString()
    pushed = re.findall(r"PushedFilters: \[(.*?)\], ReadSchema", plan)
    assert pushed
    assert all(re.search(r"GreaterThanOrEqual\((created|scored)_at,", filters) for filters in pushed)
    assert not re.search("CartesianProduct|BroadcastNestedLoopJoin", plan)


@pytest.mark.parametrize("file", QUERIES, ids=lambda file: file.stem)
def test_query_opens_with_its_question_and_its_parameters(file: Path) -> None:
    """Line one asks in Korean and in English; the comments above the SQL name each parameter with its type."""
    text = file.read_text(encoding="utf-8")
    question, *comments = [line for line in text.splitlines() if line.startswith("-- ")]
    assert text.startswith(question)
    assert re.fullmatch(r"-- .*[가-힣].*\? / [A-Z].*\?", question)
    sql = re.sub(r"--.*", "", text)
    used = set(re.findall(r":(\w+)", sql))
    assert used == set(re.findall(r":(\w+) (?:DATE|STRING|INT)", "\n".join(comments)))
    assert used == {"today", *EXPECTED[file.stem][0]}


def test_reviews_without_a_mall_have_a_trend_too(analyst: SparkSession) -> None:
    """NULL for :mall asks for the reviews without one."""
    trend = (SQL / "queries" / "keyword_trend.sql").read_text(encoding="utf-8")
    last = analyst.sql(trend, args={"today": TODAY, "mall": None, "keyword": "디자인"}).collect()[-1]
    assert tuple(last) == pytest.approx((TODAY, 1, 0, 2, 1 / 7, 0, 2))


def test_there_are_ten_queries() -> None:
    """No expectation is left of a query that went."""
    assert EXPECTED.keys() == {file.stem for file in QUERIES}
    assert len(QUERIES) == 10
