"""Malls whose reviews of a week speak of other things, or in another tone, than those of the weeks before."""

import time
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reviewlens.config import DetectDriftConfig
from reviewlens.display import print_line
from reviewlens.errors import InputContractError
from reviewlens.sampling.drift import find_drift
from reviewlens.spark.drift import (
    MENTIONED,
    Weeks,
    count_bundles,
    count_mentions,
    read_newest_day,
    select_weeks,
    write_alerts,
)
from reviewlens.spark.progress import RowProgress
from reviewlens.spark.schemas import BUNDLE_ID, MALL_ID, TABLES
from reviewlens.spark.tables import TableRef, create_tables, read_table, table_exists

_TOP = 20


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What was compared. Reviews that other bundles scored are left out: another model is no drift of the shoppers."""

    week_start: date
    week_end: date
    reference_start: date
    bundle_id: str | None = None
    week_reviews: int = 0
    reference_reviews: int = 0
    other_bundles_reviews: int = 0
    malls: int = 0
    malls_without_reference: int = 0
    comparisons: int = 0
    alerts: int = 0
    alerted_malls: int = 0
    seconds: float = 0.0


def run(spark: SparkSession, config: DetectDriftConfig, console: Console) -> DriftReport:
    """Compare the week with its reference, and write an alert for each rate that left its bounds.

    The same week again replaces its alerts.

    Raises:
        BusyError: another run wrote the same week at the same time.
        InputContractError: nothing was scored yet.
    """
    began = time.monotonic()
    target = TableRef.parse(config.target)
    scores = target.child("review_scores")
    if not table_exists(spark, scores):
        raise InputContractError(f"No table {scores.location}: run score_reviews with this target first.")
    rows = read_table(spark, scores)
    end = config.until or read_newest_day(rows)
    if end is None:
        raise InputContractError(f"{scores.location} holds no reviews: run score_reviews with this target first.")
    weeks = Weeks(end, config.days, config.reference_days)
    report, counts = _count(spark, select_weeks(rows, weeks), weeks, console)
    alerts = find_drift(counts, config.false_alarms)
    tables = create_tables(spark, target, ["drift_alerts"])
    stamp = {"week_start": weeks.start, "week_end": weeks.end, "reference_start": weeks.reference_start}
    stamp |= {"detected_at": datetime.now().astimezone(), BUNDLE_ID: report.bundle_id}  # type: ignore[dict-item]
    columns = spark.createDataFrame([], TABLES["drift_alerts"]).columns
    write_alerts(spark, tables["drift_alerts"], alerts.assign(**stamp)[columns], weeks)
    report = replace(
        report,
        alerts=len(alerts),
        alerted_malls=alerts[MALL_ID].nunique(dropna=False),
        seconds=time.monotonic() - began,
    )
    show_report(report, alerts, console)
    return report


def _count(spark: SparkSession, dated: DataFrame, weeks: Weeks, console: Console) -> tuple[DriftReport, pd.DataFrame]:
    """Count what the week's bundle scored: one row for each mall, keyword and measure."""
    bundles = count_bundles(dated)
    bundle_id = next(iter(bundles), None)
    week, total = bundles.get(bundle_id, (0, 0)) if bundle_id else (0, 0)
    report = DriftReport(
        week_start=weeks.start,
        week_end=weeks.end,
        reference_start=weeks.reference_start,
        bundle_id=bundle_id,
        week_reviews=week,
        reference_reviews=total - week,
        other_bundles_reviews=sum(reviews for _, reviews in bundles.values()) - total,
    )
    mentions = count_mentions(dated.where(F.col(BUNDLE_ID) == F.lit(bundle_id)))
    with RowProgress(spark.sparkContext, max(total, 1), console, "counting") as progress, progress.part(total):
        counts = mentions.toPandas()
    is_new = counts["reference_rows"] == 0
    return (
        replace(
            report,
            malls=counts[MALL_ID].nunique(dropna=False),
            malls_without_reference=counts.loc[is_new & (counts["measure"] == MENTIONED), MALL_ID].nunique(
                dropna=False
            ),
            comparisons=int((~is_new).sum()),
        ),
        counts,
    )


def show_report(report: DriftReport, alerts: pd.DataFrame, console: Console) -> None:
    """Print the strongest alerts as a table for people, and a JSON line for machines."""
    weeks = f"{report.week_start} to {report.week_end} against {report.reference_start} on"
    if alerts.empty:
        console.print(f"No drift: {weeks}, {report.comparisons:,} comparisons in {report.malls:,} malls.")
    else:
        title = f"drift: {weeks}, {report.alerts:,} alerts of {report.comparisons:,} comparisons"
        table = Table(title=title, title_justify="left")
        for name in ("mall", "keyword", "measure"):
            table.add_column(name, overflow="fold")
        for name in ("week", "reference", "bounds", "rows"):
            table.add_column(name, justify="right", no_wrap=True)
        for alert in alerts.head(_TOP).to_dict("records"):
            table.add_row(*map(Text, (str(alert[MALL_ID] or "-"), alert["keyword"], alert["measure"])), *_say(alert))
        console.print(table)
        if report.alerts > _TOP:
            console.print(f"... {report.alerts - _TOP:,} more in drift_alerts.")
    if report.malls_without_reference:
        console.print(f"{report.malls_without_reference:,} malls have no reviews before the week: not compared.")
    line: dict[str, Any] = {"event": "detect_drift", **asdict(report)}
    print_line(console, line)


def _say(alert: dict[Any, Any]) -> tuple[str, str, str, str]:
    return (
        f"{alert['week_rate']:.1%}",
        f"{alert['reference_rate']:.1%}",
        f"{alert['low']:.1%} to {alert['high']:.1%}",
        f"{alert['week_rows']:,} of {alert['week_rows'] + alert['reference_rows']:,}",
    )
