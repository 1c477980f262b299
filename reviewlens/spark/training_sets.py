"""Training sets: versions that never change, read whole or not at all.

A freeze commits twice: the reviews, then the version's line. Reviews are of a version when both their version and their
content hash are those of a line, so that a run that was cut off, or overtaken, leaves nothing that counts.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from reviewlens.errors import BusyError, InputContractError
from reviewlens.labeling.training_set import PARTS, FrozenReview, hash_content, part_key
from reviewlens.spark.conflicts import CONFLICTS, busy_on_conflict
from reviewlens.spark.label_quality import read_labels
from reviewlens.spark.schemas import (
    CONTENT_HASH,
    IS_RANDOM,
    LABELS,
    MALL_ID,
    PART,
    REVIEW_ID,
    ROUND,
    TABLES,
    TEXT,
    VERSION,
)
from reviewlens.spark.tables import TableRef, create_tables, read_table, table_exists

_REVIEWS, _VERSIONS = TRAINING_SET_TABLES = ("training_sets", "training_set_versions")


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A row of `training_set_versions`: reviews of each part, and what they were made of."""

    version: int
    content_hash: str
    train: int
    validation: int
    test: int
    labels_version: int
    rounds: tuple[str, ...]
    corpus: str | None
    taxonomy_version: str
    frozen_at: datetime


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """A version and its reviews, in the order of their ids; their content is what the hash says."""

    version: int
    content_hash: str
    taxonomy_version: str
    reviews: tuple[FrozenReview, ...]

    @property
    def name(self) -> str:
        """What a manifest calls it."""
        return f"training set {self.version} (sha256 {self.content_hash})"

    def part(self, name: str) -> list[FrozenReview]:
        """The reviews of `train`, `validation` or `test`."""
        return [review for review in self.reviews if review.part == name]


def read_training_set(spark: SparkSession, target: TableRef, version: int | None = None) -> TrainingSet:
    """A version, or the newest.

    Raises:
        InputContractError: there is no such version, or its reviews are not those that were frozen.
    """
    lines = {line.version: line for line in read_versions(spark, target)}
    wanted = max(lines, default=0) if version is None else version
    if wanted not in lines:
        there = f"versions {', '.join(map(str, sorted(lines)))} are there" if lines else "nothing was frozen yet"
        which = "training set" if version is None else f"version {version}"
        raise InputContractError(
            f"{target.child(_VERSIONS).location} has no {which}: {there}. Freeze one with freeze_training_set."
        )
    line = lines[wanted]
    reviews = _read_reviews(spark, target.child(_REVIEWS), line.version, line.content_hash)
    if hash_content(reviews) != line.content_hash:
        raise InputContractError(
            f"Version {wanted} in {target.child(_REVIEWS).location} has changed since it was frozen: its "
            f"{len(reviews):,} reviews have another hash than {line.content_hash[:12]}. Restore the table to its "
            "version before the change (DESCRIBE HISTORY shows which)."
        )
    return TrainingSet(line.version, line.content_hash, line.taxonomy_version, tuple(reviews))


def read_versions(spark: SparkSession, target: TableRef) -> list[VersionLine]:
    """The lines of all versions, oldest first; none where there is no table yet."""
    ref = target.child(_VERSIONS)
    if not table_exists(spark, ref):
        return []
    rows = read_table(spark, ref).orderBy(VERSION).collect()
    return [VersionLine(**(row.asDict() | {"rounds": tuple(row.rounds)})) for row in rows]


def read_earlier_parts(spark: SparkSession, target: TableRef) -> dict[str, str]:
    """The part that each text of all versions was in, by `part_key`; of several, the last of `PARTS`."""
    earlier: dict[str, str] = {}
    if table_exists(spark, target.child(_VERSIONS)):
        lines = read_table(spark, target.child(_VERSIONS)).select(VERSION, CONTENT_HASH)
        rows = read_table(spark, target.child(_REVIEWS)).join(lines, [VERSION, CONTENT_HASH], "left_semi")
        for row in rows.select(TEXT, PART).distinct().collect():
            key = part_key(row[TEXT])
            earlier[key] = max(row[PART], earlier.get(key, PARTS[0]), key=PARTS.index)
    return earlier


def write_version(spark: SparkSession, target: TableRef, line: VersionLine, reviews: Sequence[FrozenReview]) -> None:
    """Write a version: its reviews, then its line.

    Raises:
        BusyError: another run froze this version, or is about to; nothing of this one counts.
    """
    tables = create_tables(spark, target, TRAINING_SET_TABLES)
    stamp = {VERSION: line.version, CONTENT_HASH: line.content_hash}
    rows = [asdict(review) | stamp for review in reviews]
    with busy_on_conflict(_say_overtaken(line.version)):
        _insert_missing(spark, tables[_REVIEWS], _REVIEWS, rows, (VERSION, CONTENT_HASH, REVIEW_ID), line.version)
        _insert_missing(spark, tables[_VERSIONS], _VERSIONS, [asdict(line)], (VERSION,), line.version)
    held = next(each for each in read_versions(spark, target) if each.version == line.version)
    if held.content_hash != line.content_hash:
        raise BusyError(_say_overtaken(line.version))


def remove_leftovers(spark: SparkSession, target: TableRef) -> int:
    """Remove reviews that belong to no version, and say how many.

    Only up to the newest version: a freeze that is under way is of a later one, or can no longer succeed.
    """
    ref, lines = target.child(_REVIEWS), read_versions(spark, target)
    if not lines or not table_exists(spark, ref):
        return 0
    kept = F.lit(False)
    for line in lines:
        kept |= (F.col(VERSION) == line.version) & (F.col(CONTENT_HASH) == line.content_hash)
    is_left: Column = (F.col(VERSION) <= lines[-1].version) & ~kept
    count = read_table(spark, ref).where(is_left).count()
    if count:
        try:
            DeltaTable.forName(spark, ref.sql).delete(is_left)
        except CONFLICTS:
            return 0  # they count for nothing, and the next run finds them
    return count


def _read_reviews(spark: SparkSession, ref: TableRef, version: int, content_hash: str) -> list[FrozenReview]:
    is_of_version = (F.col(VERSION) == version) & (F.col(CONTENT_HASH) == content_hash)
    rows = read_table(spark, ref).where(is_of_version).orderBy(REVIEW_ID).collect()
    return [_read_review(row) for row in rows]


def _read_review(row: Row) -> FrozenReview:
    return FrozenReview(
        review_id=row[REVIEW_ID],
        mall_id=row[MALL_ID],
        text=row[TEXT],
        labels=read_labels(row[LABELS]),
        part=row[PART],
        is_random=row[IS_RANDOM],
        round=row[ROUND],
        annotators=row.annotators,
    )


def _insert_missing(
    spark: SparkSession, ref: TableRef, name: str, rows: Sequence[dict[str, Any]], keys: Sequence[str], version: int
) -> None:
    """Insert the rows that the table lacks: twice is once. Two runs of one version conflict, for both read it."""
    schema = spark.createDataFrame([], TABLES[name]).schema
    new: DataFrame = spark.createDataFrame([tuple(row[field] for field in schema.names) for row in rows], schema)
    is_same = F.col(f"held.{VERSION}") == F.lit(version)
    for key in keys:
        is_same &= F.col(f"held.{key}") == F.col(f"new.{key}")
    held = DeltaTable.forName(spark, ref.sql).alias("held")
    held.merge(new.coalesce(1).alias("new"), is_same).whenNotMatchedInsertAll().execute()


def _say_overtaken(version: int) -> str:
    return f"Another run is freezing training set {version}, or has: run again, it will be the next one."
