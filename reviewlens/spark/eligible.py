"""Which scored reviews a draw may take, and why it leaves the others."""

import unicodedata
from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from reviewlens.spark.schemas import FINGERPRINT, PROBABILITIES, REASON, REVIEW_ID, STRATUM, TEXT
from reviewlens.spark.source import fingerprint_of

DRAW_KEY, UNCERTAINTY = "draw_key", "uncertainty"
UNCERTAINTY_UNITS = 10_000
# Why a scored review is left out; of several reasons the first in this order is given.
CHANGED, LABELLED, PICKED, QUARANTINED, NEAR_DUPLICATE = REASONS = (
    "text_changed_or_gone",
    "labelled",
    "picked_in_another_round",
    "quarantined",
    "near_duplicate_of_labelled",
)
JUDGED_DDL = f"{REVIEW_ID} STRING, {STRATUM} STRING, {DRAW_KEY} BIGINT, {UNCERTAINTY} BIGINT, {REASON} STRING"
_MATCHES, _SKELETON, _BARRED = "matches", "skeleton", "barred"


def judge_reviews(
    scored: DataFrame,
    reviews: DataFrame,
    quarantine: DataFrame,
    labels: DataFrame,
    picks: DataFrame,
    bundle_id: str,
    options: Sequence[str],
    salt: str,
    strata: Sequence[str],
    spread: Column | None = None,
) -> DataFrame:
    """Each scored review in the columns of `JUDGED_DDL`: the reason why it is left out, NULL where it may be drawn.

    A text is the one that was scored when it has the same fingerprint, under any of the bundle's `options`. Only
    narrow columns are shuffled: texts are hashed and compared with the labelled ones where they are read.

    Args:
        scored: rows of `review_scores` by this bundle.
        reviews: the source in the columns of `REVIEWS_DDL`.
        quarantine: rows of `quarantine`.
        labels: rows of `labels`.
        picks: rows of `retraining_picks` of other rounds.
        bundle_id: the bundle's id.
        options: the scoring options of the bundle's runs, as the ledger has them.
        salt: orders the draw.
        strata: the columns whose values make a stratum.
        spread: an integer measure of each row, kept as its uncertainty.
    """
    key = F.xxhash64(F.lit(salt), REVIEW_ID).alias(DRAW_KEY)
    measure = F.lit(None).cast("bigint") if spread is None else spread
    candidates = scored.select(
        REVIEW_ID, key, *strata, F.xxhash64(FINGERPRINT).alias(FINGERPRINT), measure.alias(UNCERTAINTY)
    )
    alike = labelled_skeletons(labels).withColumn(NEAR_DUPLICATE, F.lit(True))
    hashes = [F.xxhash64(fingerprint_of(F.col(TEXT), bundle_id, each)) for each in options]
    texts = (
        reviews.withColumn(_SKELETON, skeleton_key(F.col(TEXT)))
        .join(F.broadcast(alike), _SKELETON, "left")
        .select(REVIEW_ID, key, NEAR_DUPLICATE, F.array(*hashes).cast("array<bigint>").alias(_MATCHES))
    )
    is_unchanged = F.coalesce(F.array_contains(_MATCHES, F.col(FINGERPRINT)), F.lit(False))
    is_alike = F.col(NEAR_DUPLICATE)
    reason = (
        F.when(~is_unchanged, CHANGED).when(F.col(_BARRED).isNotNull(), F.col(_BARRED)).when(is_alike, NEAR_DUPLICATE)
    )
    # The draw key stands first in the join because rows sort faster by a number than by their ids.
    joined = candidates.join(texts, [DRAW_KEY, REVIEW_ID], "left").join(
        _bar(labels, picks, quarantine), REVIEW_ID, "left"
    )
    return joined.select(REVIEW_ID, stratum_key(strata).alias(STRATUM), DRAW_KEY, UNCERTAINTY, reason.alias(REASON))


def stratum_key(strata: Sequence[str]) -> Column:
    """A stratum's values as a JSON array: NULL is not "null", and no separator can stand within a name."""
    return F.to_json(F.array(*strata))


def skeleton_key(text: Column) -> Column:
    """`reviewlens.text.skeleton` in SQL. SQL has no NFC: a text that is stored as NFD has a key of its own."""
    letters = F.regexp_replace(F.lower(text), r"[^\p{L}\p{N}]+", "")
    return F.regexp_replace(letters, r"([^0-9])\1+", "$1")


def labelled_skeletons(labels: DataFrame) -> DataFrame:
    """The skeletons of labelled texts in both their NFC and their NFD form, once each.

    A text of emoji alone has an empty skeleton, which says nothing of its likeness to others: it is left out.
    """
    forms = F.udf(_normal_forms, "ARRAY<STRING>", useArrow=False)
    texts = labels.select(TEXT).distinct().where(F.col(TEXT).isNotNull()).select(F.explode(forms(TEXT)).alias(TEXT))
    return texts.select(skeleton_key(F.col(TEXT)).alias(_SKELETON)).where(F.col(_SKELETON) != "").distinct()


def uncertainty(thresholds: Mapping[str, float]) -> Column:
    """How near the nearest keyword's probability is to its threshold, in units of 1/10,000.

    1 at the threshold, falling to 0 at the probabilities 0 and 1. An integer, so that sums do not depend on their
    order.
    """
    nearness = []
    for keyword, threshold in thresholds.items():
        over = F.element_at(PROBABILITIES, F.lit(keyword)).cast("double") - threshold
        reach = F.when(over < 0, F.lit(threshold)).otherwise(F.lit(1 - threshold))
        nearness.append(F.when(over == 0, F.lit(1.0)).otherwise(1 - F.abs(over) / reach))
    nearest = F.array_max(F.array(*nearness))
    return F.round(F.coalesce(nearest, F.lit(0.0)) * UNCERTAINTY_UNITS).cast("bigint")


def _bar(labels: DataFrame, picks: DataFrame, quarantine: DataFrame) -> DataFrame:
    """Ids that may not be drawn, once each, with the first reason by name."""
    barred = [
        rows.select(REVIEW_ID, F.lit(reason).alias(_BARRED))
        for rows, reason in ((labels, LABELLED), (picks, PICKED), (quarantine, QUARANTINED))
    ]
    return reduce(DataFrame.union, barred).groupBy(REVIEW_ID).agg(F.min(_BARRED).alias(_BARRED))


def _normal_forms(text: str) -> list[str]:
    return [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
