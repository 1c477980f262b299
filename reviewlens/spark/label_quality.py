"""Labels as they are judged: the answers of people, what the model said, and the checks of each round."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from reviewlens.errors import InputContractError
from reviewlens.labeling.answers import Answer
from reviewlens.labeling.labels import Highlight, KeywordLabel
from reviewlens.spark.schemas import (
    ANNOTATOR,
    IS_RANDOM,
    LABELS,
    MALL_ID,
    PROBABILITIES,
    REVIEW_ID,
    ROUND,
    TABLES,
    TEXT,
)
from reviewlens.spark.tables import TableRef, latest_version, read_table, table_exists, verify_schema

_VERDICT = "round"
_CHECKED_AT, _LABELS_HASH = "checked_at", "labels_hash"


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of `label_quality`, but for the check that it is of."""

    measure: str
    subject: str | None
    value: float | None
    rows: int
    floor: float | None = None
    passed: bool | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the newest check of a round ended, and of which labels it was."""

    check_id: str
    labels_hash: str
    passed: bool


def read_answers(
    spark: SparkSession, target: TableRef, rounds: Sequence[str] | None = None
) -> tuple[list[Answer], int]:
    """The labels of the given rounds, or of all, and the table's version that they were read at.

    Raises:
        InputContractError: there are no labels, or none of one of the rounds.
    """
    ref = target.child("labels")
    if not table_exists(spark, ref):
        raise InputContractError(f"There is no table of labels at {ref.location}: import some with exchange_labels.")
    verify_schema(spark, ref, TABLES["labels"])
    version = latest_version(spark, ref)
    rows = read_table(spark, ref, version)
    if rounds is not None:
        rows = rows.where(F.col(ROUND).isin(list(rounds)))
    columns = (ROUND, REVIEW_ID, MALL_ID, TEXT, ANNOTATOR, LABELS, IS_RANDOM, "taxonomy_version")
    answers = [
        _read_answer(row) for row in rows.select(*columns, F.unix_micros("labelled_at").alias("micros")).collect()
    ]
    missing = sorted(set(rounds or ()) - {answer.round for answer in answers})
    if missing or not answers:
        which = f" of round {', '.join(missing)}" if missing else ""
        raise InputContractError(f"{ref.location} has no labels{which}: import them with exchange_labels first.")
    return answers, version


def read_probabilities(spark: SparkSession, target: TableRef, round_name: str) -> dict[str, dict[str, float]]:
    """What the model that chose a round's picks said of them: every keyword's probability, by review."""
    ref = target.child("retraining_picks")
    if not table_exists(spark, ref):
        return {}
    picks = read_table(spark, ref).where(F.col(ROUND) == F.lit(round_name))
    return {row[REVIEW_ID]: row[PROBABILITIES] or {} for row in picks.select(REVIEW_ID, PROBABILITIES).collect()}


def read_verdicts(spark: SparkSession, ref: TableRef) -> dict[str, Verdict]:
    """The newest check of each round."""
    newest = F.max_by(F.struct("check_id", _LABELS_HASH, "passed"), _CHECKED_AT).alias("newest")
    verdicts = read_table(spark, ref).where(F.col("measure") == _VERDICT).groupBy(ROUND).agg(newest)
    return {row[ROUND]: Verdict(**row.newest.asDict()) for row in verdicts.collect()}


def write_check(
    spark: SparkSession,
    ref: TableRef,
    round_name: str,
    verdict: Verdict,
    figures: Iterable[Figure],
    answers: int,
    now: datetime,
) -> None:
    """Append a check's figures and its verdict in one commit."""
    stamp: dict[str, object] = {
        "check_id": verdict.check_id,
        ROUND: round_name,
        _LABELS_HASH: verdict.labels_hash,
        _CHECKED_AT: now,
    }
    last = Figure(_VERDICT, round_name, float(verdict.passed), answers, None, verdict.passed)
    schema = spark.createDataFrame([], TABLES["label_quality"]).schema
    rows = [asdict(figure) | stamp for figure in (*figures, last)]
    table = spark.createDataFrame([tuple(row[name] for name in schema.names) for row in rows], schema)
    table.coalesce(1).write.format("delta").mode("append").saveAsTable(ref.sql)


def _read_answer(row: Row) -> Answer:
    return Answer(
        round=row[ROUND],
        review_id=row[REVIEW_ID],
        mall_id=row[MALL_ID],
        text=row[TEXT],
        annotator=row[ANNOTATOR],
        labels=read_labels(row[LABELS]),
        is_random=bool(row[IS_RANDOM]),
        taxonomy_version=row["taxonomy_version"],
        labelled_at=row.micros or 0,
    )


def read_labels(labels: Iterable[Row] | None) -> tuple[KeywordLabel, ...]:
    """A row's labels."""
    return tuple(
        KeywordLabel(
            label.keyword,
            label.sentiment,
            tuple(Highlight(word.word, word.start, word.end) for word in label.highlights or ()),
        )
        for label in labels or ()
    )
