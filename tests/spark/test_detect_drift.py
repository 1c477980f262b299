"""Drift, from scores to alerts."""

import io
import json
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from rich.console import Console

from reviewlens.config import DetectDriftConfig
from reviewlens.errors import InputContractError
from reviewlens.pipelines import detect_drift
from reviewlens.spark.drift import Weeks, count_mentions, read_newest_day, select_weeks
from reviewlens.spark.schemas import TABLES
from reviewlens.spark.tables import TableRef, create_tables

ROOT = Path(__file__).parents[2]
DAY = date(2026, 11, 22)
LATE = datetime.fromisoformat("2026-11-22T23:59:00+09:00")
SCORED_AT = datetime.fromisoformat("2026-11-23T03:00:00+09:00")
WEEKS = Weeks(end=DAY, days=7, reference_days=14)

Scored = tuple[str | None, int | None, dict[str, int], str]


def score(spark: SparkSession, rows: Iterable[Scored]) -> DataFrame:
    """Scores from (mall, days before the week's last, sentiment value by keyword, bundle)."""
    schema = spark.createDataFrame([], TABLES["review_scores"]).schema
    entries: list[tuple[object, ...]] = []
    for number, (mall, days, found, bundle) in enumerate(rows):
        created = None if days is None else LATE - timedelta(days=days)
        keywords = [(keyword, 0.9, None, value, None, None) for keyword, value in found.items()]
        entries.append((str(number), mall, None, created, {}, keywords, False, "f", bundle, "r", SCORED_AT))
    return spark.createDataFrame(entries, schema)


def test_counts_of_a_week_and_of_its_reference(spark: SparkSession) -> None:
    """By mall and keyword; a null mall is one, days are those of the scoring where there is no other."""
    scores = score(
        spark,
        [
            ("가몰", 0, {"배송": -1, "가격": 1}, "x"),
            ("가몰", 6, {}, "x"),
            ("가몰", 7, {"배송": -2}, "x"),
            ("가몰", 13, {"배송": 1}, "x"),
            ("가몰", 13, {}, "x"),
            ("가몰", 14, {"배송": 0}, "x"),
            ("가몰", 20, {}, "x"),
            ("가몰", 21, {"배송": -1}, "x"),  # before the reference
            ("가몰", -1, {"배송": -1}, "x"),  # after the week
            ("나몰", 9, {"배송": -1}, "x"),  # silent this week
            (None, 3, {"배송": 2}, "x"),
            (None, 8, {"배송": -1}, "x"),
        ],
    )
    counts = count_mentions(select_weeks(scores, WEEKS)).orderBy("mall_id", "keyword", "measure").collect()
    assert [tuple(row) for row in counts] == [
        (None, "배송", "mentioned", 1, 1, 1, 1, 1.0, 1.0, 1.0),
        (None, "배송", "negative", 1, 0, 1, 1, 1.0, 1.0, 1.0),
        ("가몰", "가격", "mentioned", 2, 1, 5, 0, 2.0, 13.0, 0.0),
        ("가몰", "가격", "negative", 1, 0, 0, 0, 0.0, 0.0, 0.0),
        # Weeks of 3 and 2 reviews with 2 and 1 mentions, 1 and 0 of them negative.
        ("가몰", "배송", "mentioned", 2, 1, 5, 3, 2.0, 13.0, pytest.approx(4 / 3 + 1 / 2)),
        ("가몰", "배송", "negative", 1, 1, 3, 1, 2.0, 5.0, 0.5),
    ]


def test_the_newest_day_is_none_after_the_scoring(spark: SparkSession) -> None:
    """A review from the future does not empty the week; one without a day has that of its scoring."""
    assert read_newest_day(score(spark, [("가몰", 2, {}, "x"), ("가몰", -400, {}, "x")])) == DAY - timedelta(days=2)
    assert read_newest_day(score(spark, [("가몰", None, {}, "x")])) == SCORED_AT.date()
    assert read_newest_day(score(spark, [])) is None


@pytest.fixture
def run(spark: SparkSession, tmp_path: Path) -> Callable[..., detect_drift.DriftReport]:
    """Run the job over `tmp_path`/lake; the screen is in `run.screen`."""

    def start(**keys: object) -> detect_drift.DriftReport:
        document = {"target": str(tmp_path / "lake"), "until": DAY, "reference_days": 28, **keys}
        start.screen = io.StringIO()  # type: ignore[attr-defined]
        console = Console(file=start.screen, width=200)  # type: ignore[attr-defined]
        return detect_drift.run(spark, DetectDriftConfig.model_validate(document), console)

    return start


def write_scores(spark: SparkSession, tmp_path: Path, rows: Iterable[Scored]) -> None:
    table = create_tables(spark, TableRef.parse(str(tmp_path / "lake")), ["review_scores"])["review_scores"]
    score(spark, rows).coalesce(1).write.format("delta").mode("overwrite").saveAsTable(table.sql)


def read_alerts(spark: SparkSession, tmp_path: Path) -> list[Row]:
    return spark.read.format("delta").load(str(tmp_path / "lake" / "drift_alerts")).orderBy("mall_id").collect()


def week(mall: str | None, days: int, reviews: int, late: int, bundle: str = "x") -> list[Scored]:
    """Reviews of one day, `late` of them blaming the delivery."""
    return [(mall, days, {"배송": -1} if number < late else {}, bundle) for number in range(reviews)]


def test_a_big_malls_change_is_an_alert_once_however_often_it_is_looked_for(
    spark: SparkSession, tmp_path: Path, run: Callable[..., detect_drift.DriftReport]
) -> None:
    """A null mall may drift; a small mall's same change, a new mall and another bundle's rates are no alert."""
    steady = [part for days in (8, 15, 22, 29) for part in week(None, days, 100, 10) + week("작은몰", days, 5, 1)]
    changed = [*week(None, 1, 100, 40), *week("작은몰", 1, 5, 4), *week("새몰", 1, 50, 50)]
    other = week(None, 9, 60, 60, bundle="old")
    write_scores(spark, tmp_path, [*steady, *changed, *other])
    report = run()
    assert (report.bundle_id, report.week_reviews, report.reference_reviews) == ("x", 155, 420)
    assert (report.malls, report.malls_without_reference, report.other_bundles_reviews) == (3, 1, 60)
    assert json.loads(run.screen.getvalue().splitlines()[-1])["alerts"] == 1  # type: ignore[attr-defined]
    run()
    [alert] = read_alerts(spark, tmp_path)
    assert (alert.mall_id, alert.keyword, alert.measure, alert.bundle_id) == (None, "배송", "mentioned", "x")
    assert (alert.week_start, alert.week_end) == (date(2026, 11, 16), DAY)
    assert (alert.week_rows, alert.week_rate, alert.reference_rows, alert.reference_rate) == (100, 0.4, 400, 0.1)
    assert alert.low < 0.1 < alert.high < 0.4
    assert alert.p_value < alert.q_value < 0.001

    quiet = run(until=DAY - timedelta(days=7))
    assert (quiet.alerts, len(read_alerts(spark, tmp_path))) == (0, 1)
    assert "No drift" in run.screen.getvalue()  # type: ignore[attr-defined]
    write_scores(spark, tmp_path, steady)
    assert run().alerts == 0
    assert read_alerts(spark, tmp_path) == []


def test_nothing_scored_is_an_error_that_says_so(
    spark: SparkSession, tmp_path: Path, run: Callable[..., detect_drift.DriftReport]
) -> None:
    """No table, and no rows to find the newest day in."""
    with pytest.raises(InputContractError, match="run score_reviews"):
        run()
    write_scores(spark, tmp_path, [])
    with pytest.raises(InputContractError, match="holds no reviews"):
        run(until=None)
