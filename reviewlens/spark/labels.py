"""A round's picks, and the labels that came back: read for the exchange, and written by it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.sql import Column, Row, SparkSession
from pyspark.sql import functions as F

from reviewlens.errors import InputContractError
from reviewlens.labeling.labels import Annotation, Guess, Highlight, Pick, Refusal
from reviewlens.labeling.merging import Changes, Key, Stored
from reviewlens.spark.conflicts import busy_on_conflict
from reviewlens.spark.schemas import (
    ANNOTATOR,
    BUNDLE_ID,
    CATEGORY,
    IS_RANDOM,
    KEYWORDS,
    LABELS,
    MALL_ID,
    PROBABILITIES,
    RAW,
    REASON,
    REVIEW_ID,
    ROUND,
    TABLES,
    TEXT,
)
from reviewlens.spark.tables import TableRef, read_table, table_exists

ANNOTATION_ID = "annotation_id"
LABELLED_AT = "labelled_at"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_picks(spark: SparkSession, target: TableRef, round_name: str) -> list[Pick]:
    """All picks of a round; their number is bounded by the configuration that chose them.

    Raises:
        InputContractError: there are none.
    """
    ref = target.child("retraining_picks")
    rows: list[Row] = []
    if table_exists(spark, ref):
        columns = (ROUND, REVIEW_ID, MALL_ID, CATEGORY, TEXT, PROBABILITIES, KEYWORDS, BUNDLE_ID, IS_RANDOM)
        rows = read_table(spark, ref).where(F.col(ROUND) == F.lit(round_name)).select(*columns).collect()
    if not rows:
        raise InputContractError(
            f"Round {round_name} has no picks in {ref.location}: choose them with the job choose_picks, or give "
            "another --round."
        )
    return [_read_pick(row) for row in rows]


def read_stored(spark: SparkSession, labels: TableRef, round_name: str) -> dict[Key, Stored]:
    """What the table holds of a round, by review and annotator."""
    rows = read_table(spark, labels).where(F.col(ROUND) == F.lit(round_name))
    micros = F.unix_micros(LABELLED_AT).alias("micros")
    return {
        (row[REVIEW_ID], row[ANNOTATOR]): Stored(row[ANNOTATION_ID], _EPOCH + timedelta(microseconds=row.micros))
        for row in rows.select(REVIEW_ID, ANNOTATOR, ANNOTATION_ID, micros).collect()
    }


def write_labels(
    spark: SparkSession, labels: TableRef, round_name: str, changes: Changes, format_name: str, now: datetime
) -> None:
    """Write an import's changes in one commit; nothing to change writes nothing.

    Raises:
        BusyError: another job wrote the table at the same time.
    """
    rows = [_label_row(annotation, format_name, now) for annotation in (*changes.new, *changes.replaced)]
    rows += [
        {ANNOTATION_ID: "", ROUND: round_name, REVIEW_ID: review_id, ANNOTATOR: annotator}
        for review_id, annotator in changes.withdrawn
    ]
    if rows:
        merge = _start_merge(spark, labels, "labels", rows, (ROUND, REVIEW_ID, ANNOTATOR), round_name)
        is_withdrawn = F.col(f"change.{LABELS}").isNull()
        merge = merge.whenMatchedDelete(is_withdrawn).whenMatchedUpdateAll()
        _commit(merge.whenNotMatchedInsertAll(~is_withdrawn), labels)


def write_refusals(
    spark: SparkSession,
    quarantine: TableRef,
    round_name: str,
    refusals: Iterable[Refusal],
    accepted: Iterable[Key],
    now: datetime,
) -> None:
    """Add what the quarantine lacks, and remove what a newer annotation of the same person and review has settled.

    Raises:
        BusyError: another job wrote the table at the same time.
    """
    came = {refusal.annotation_id: refusal for refusal in refusals}
    settled = set(accepted) | {(each.submission.review_id, each.submission.annotator) for each in came.values()}
    held = read_table(spark, quarantine).where(F.col(ROUND) == F.lit(round_name))
    stale, known = [], set()
    for row in held.select(ANNOTATION_ID, REVIEW_ID, ANNOTATOR).collect():
        known.add(row[ANNOTATION_ID])
        if None not in row and row[ANNOTATION_ID] not in came and (row[REVIEW_ID], row[ANNOTATOR]) in settled:
            stale.append({ANNOTATION_ID: row[ANNOTATION_ID], ROUND: round_name, REASON: ""})
    rows = [_refusal_row(refusal, round_name, now) for name, refusal in came.items() if name not in known]
    if rows or stale:
        merge = _start_merge(spark, quarantine, "label_quarantine", [*rows, *stale], (ANNOTATION_ID, ROUND), round_name)
        is_stale = F.col(f"change.{REASON}") == ""
        _commit(merge.whenMatchedDelete(is_stale).whenNotMatchedInsertAll(~is_stale), quarantine)


def _read_pick(row: Row) -> Pick:
    return Pick(
        round=row[ROUND],
        review_id=row[REVIEW_ID],
        mall_id=row[MALL_ID],
        category=row[CATEGORY],
        text=row[TEXT],
        guesses=tuple(_read_guess(found) for found in row[KEYWORDS] or ()),
        surest=max((row[PROBABILITIES] or {}).values(), default=0.0),
        bundle_id=row[BUNDLE_ID],
        is_random=bool(row[IS_RANDOM]),
    )


def _read_guess(found: Row) -> Guess:
    word = found.highlight
    highlight = Highlight(word.word, word.start, word.end) if word else None
    return Guess(found.keyword, found.probability, found.sentiment, found.sentiment_probability, highlight)


def _label_row(annotation: Annotation, format_name: str, now: datetime) -> dict[str, Any]:
    pick = annotation.pick
    return {
        ANNOTATION_ID: annotation.annotation_id,
        ROUND: pick.round,
        REVIEW_ID: pick.review_id,
        MALL_ID: pick.mall_id,
        TEXT: pick.text,
        ANNOTATOR: annotation.annotator,
        LABELS: [asdict(label) for label in annotation.labels],
        IS_RANDOM: pick.is_random,
        "taxonomy_version": annotation.taxonomy_version,
        "format": format_name,
        LABELLED_AT: annotation.labelled_at,
        "imported_at": now,
    }


def _refusal_row(refusal: Refusal, round_name: str, now: datetime) -> dict[str, Any]:
    submission = refusal.submission
    return {
        ANNOTATION_ID: refusal.annotation_id,
        ROUND: round_name,
        REVIEW_ID: submission.review_id,
        ANNOTATOR: submission.annotator,
        REASON: refusal.fault.value,
        RAW: submission.raw,
        "imported_at": now,
    }


def _start_merge(
    spark: SparkSession,
    ref: TableRef,
    name: str,
    rows: Iterable[Mapping[str, Any]],
    keys: Iterable[str],
    round_name: str,
) -> DeltaMergeBuilder:
    schema = spark.createDataFrame([], TABLES[name]).schema
    change = spark.createDataFrame([tuple(row.get(field) for field in schema.names) for row in rows], schema)
    held = DeltaTable.forPath(spark, ref.location) if ref.is_path else DeltaTable.forName(spark, ref.sql)
    is_same: Column = F.col(f"held.{ROUND}") == F.lit(round_name)  # a literal lets Delta skip the other rounds' files
    for key in keys:
        is_same &= F.col(f"held.{key}") == F.col(f"change.{key}")
    return held.alias("held").merge(change.coalesce(1).alias("change"), is_same)


def _commit(merge: DeltaMergeBuilder, ref: TableRef) -> None:
    with busy_on_conflict(f"Another job wrote {ref.location} at the same time: run this import again."):
        merge.execute()
