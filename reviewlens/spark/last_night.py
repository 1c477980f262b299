"""A sample of the reviews that the last night scored, each with its text as it was scored."""

from dataclasses import dataclass

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from reviewlens.config import Columns
from reviewlens.inference.results import Highlight, KeywordScore, Score
from reviewlens.spark.schemas import BUNDLE_ID, FINGERPRINT, KEYWORDS, PROBABILITIES, REVIEW_ID, RUN_ID, TEXT, TRUNCATED
from reviewlens.spark.source import fingerprint_of, select_reviews
from reviewlens.spark.tables import TableRef, latest_version, read_table, table_exists

_RUNS, _SCORES = "scoring_runs", "review_scores"


@dataclass(frozen=True, slots=True)
class Night:
    """A finished scoring run, and the newest versions of the tables that it read and wrote."""

    source: TableRef
    scores: TableRef
    run_id: str
    bundle_id: str
    options: str
    source_version: int
    scores_version: int


@dataclass(frozen=True, slots=True)
class NightlyReview:
    """A review of that night: its text, and what the run's bundle found in it."""

    review_id: str
    text: str
    score: Score


def find_last_night(spark: SparkSession, source: TableRef, target: TableRef) -> Night | None:
    """The newest finished run that scored anything, with the versions to read pinned; None where there is none.

    Raises:
        InputContractError: the source is no Delta table.
    """
    if not table_exists(spark, target.child(_RUNS)):
        return None
    is_night = (F.col("status") == "done") & (F.col("scored") > 0)
    runs = read_table(spark, target.child(_RUNS)).where(is_night)
    run: Row | None = runs.orderBy(F.desc("finished_at"), F.desc(RUN_ID)).first()
    if run is None:
        return None
    scores = target.child(_SCORES)
    versions = latest_version(spark, source), latest_version(spark, scores)
    return Night(source, scores, run[RUN_ID], run[BUNDLE_ID], run["options"], *versions)


def sample_night(spark: SparkSession, night: Night, columns: Columns, rows: int, salt: str) -> list[NightlyReview]:
    """At most `rows` reviews of the night, chosen by a salted hash of their ids; in the order of that hash.

    Reviews whose text is no longer the one that was scored are left out.

    Raises:
        InputContractError: the source lacks a column.
    """
    key = F.xxhash64(F.lit(salt), REVIEW_ID).alias("key")
    scores = read_table(spark, night.scores, night.scores_version).where(F.col(RUN_ID) == night.run_id)
    kept = scores.select(REVIEW_ID, key, PROBABILITIES, KEYWORDS, TRUNCATED, FINGERPRINT)
    sample = kept.orderBy("key", REVIEW_ID).limit(rows)
    reviews = select_reviews(read_table(spark, night.source, night.source_version), columns).select(REVIEW_ID, TEXT)
    is_as_scored = F.col(FINGERPRINT) == fingerprint_of(F.col(TEXT), night.bundle_id, night.options)
    found = reviews.join(F.broadcast(sample), REVIEW_ID).where(is_as_scored)
    return [
        NightlyReview(row[REVIEW_ID], row[TEXT], _as_score(row)) for row in found.orderBy("key", REVIEW_ID).collect()
    ]


def _as_score(row: Row) -> Score:
    return Score(dict(row[PROBABILITIES]), [_as_keyword(found) for found in row[KEYWORDS]], bool(row[TRUNCATED]))


def _as_keyword(found: Row) -> KeywordScore:
    highlight = found.highlight and Highlight(**found.highlight.asDict())
    return KeywordScore(found.keyword, found.probability, found.sentiment, found.sentiment_probability, highlight)
