"""The source of a run: its contract, and its rows under the pipeline's own names."""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    DataType,
    DateType,
    IntegralType,
    NumericType,
    StringType,
    TimestampNTZType,
    TimestampType,
    VarcharType,
)

from reviewlens.config import Columns
from reviewlens.errors import InputContractError
from reviewlens.spark.schemas import (
    CATEGORY,
    CREATED_AT,
    FINGERPRINT,
    MALL_ID,
    PRODUCT,
    RATING,
    REASON,
    REVIEW_ID,
    TEXT,
)
from reviewlens.spark.tables import quote

_NAMES: tuple[type[DataType], ...] = (StringType, VarcharType, IntegralType)
_TEXTS: tuple[type[DataType], ...] = (StringType, VarcharType)
# For each of our columns: the types that the source may hold, in words, and what they become.
_ACCEPTED: dict[str, tuple[tuple[type[DataType], ...], str, str]] = {
    REVIEW_ID: (_NAMES, "text or integer", "string"),
    MALL_ID: (_NAMES, "text or integer", "string"),
    TEXT: (_TEXTS, "text", "string"),
    CATEGORY: (_TEXTS, "text", "string"),
    PRODUCT: (_TEXTS, "text", "string"),
    RATING: ((NumericType,), "a number", "double"),
    CREATED_AT: ((TimestampType, TimestampNTZType, DateType), "a date or timestamp", "timestamp"),
}
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Refusal:
    """Reason codes of the quarantine."""

    NULL_TEXT = "null_text"
    EMPTY_TEXT = "empty_text"
    TOO_LONG = "too_long"


def select_reviews(table: DataFrame, columns: Columns) -> DataFrame:
    """The source's rows in the columns of `REVIEWS_DDL`; optional columns that are not mapped are NULL.

    Raises:
        InputContractError: lists every column that is missing or of a wrong type.
    """
    types = {field.name: field.dataType for field in table.schema}
    faults, selected = [], []
    for ours, theirs in columns.model_dump().items():
        accepted, words, kind = _ACCEPTED[ours]
        if theirs is None:
            selected.append(F.lit(None).cast(kind).alias(ours))
        elif theirs not in types:
            faults.append(f"{ours}: there is no column {theirs} (columns: {', '.join(types)})")
        elif not isinstance(types[theirs], accepted):
            faults.append(f"{ours}: column {theirs} is {types[theirs].simpleString()}, and must be {words}")
        else:
            selected.append(F.col(quote(theirs)).cast(kind).alias(ours))
    if faults:
        raise InputContractError(
            f"The source breaks its contract. {'; '.join(faults)}. Map columns with --columns.KEY."
        )
    return table.select(*selected)


def count_reviews(reviews: DataFrame) -> int:
    """Count the rows, and hold that every row has an id of its own.

    Raises:
        InputContractError: says how many ids are null, how many rows repeat an id, and names some.
    """
    counts = reviews.agg(
        F.count("*").alias("rows"), F.count(REVIEW_ID).alias("ids"), F.countDistinct(REVIEW_ID).alias("distinct_ids")
    ).first()
    assert counts is not None
    faults = []
    if counts.ids < counts.rows:
        faults.append(f"{REVIEW_ID} is null in {counts.rows - counts.ids:,} of {counts.rows:,} rows")
    if counts.distinct_ids < counts.ids:
        repeated = reviews.where(F.col(REVIEW_ID).isNotNull()).groupBy(REVIEW_ID).count().where("count > 1")
        examples = ", ".join(
            repr(row[REVIEW_ID][:64]) for row in repeated.orderBy(REVIEW_ID).limit(_EXAMPLES).collect()
        )
        faults.append(f"{counts.ids - counts.distinct_ids:,} rows repeat a {REVIEW_ID} (among them {examples})")
    if faults:
        raise InputContractError(f"The source breaks its contract. {'; '.join(faults)}. Each review needs one id.")
    return int(counts.rows)


def with_fingerprint(reviews: DataFrame, bundle_id: str, options: str) -> DataFrame:
    """Add what a row is scored once for: the hash of (stored text, bundle, scoring options).

    The stored text and not its NFC form: offsets count the code points of what is stored.
    """
    return reviews.withColumn(FINGERPRINT, fingerprint_of(F.col(TEXT), bundle_id, options))


def fingerprint_of(text: Column, bundle_id: str, options: str) -> Column:
    """The fingerprint of one text."""
    parts = F.concat_ws("\u0001", F.coalesce(text, F.lit("\u0000")), F.lit(bundle_id), F.lit(options))
    return F.substring(F.sha2(parts, 256), 1, 32)


def with_refusal(reviews: DataFrame, max_chars: int) -> DataFrame:
    """Add the reason why a row cannot be scored, NULL where it can, and cut longer texts before they reach Python."""
    return reviews.withColumn(REASON, refusal_reason(F.col(TEXT), max_chars)).withColumn(
        TEXT, F.substring(TEXT, 1, max_chars)
    )


def refusal_reason(text: Column, max_chars: int) -> Column:
    """A reason code of `Refusal`, or NULL."""
    return (
        F.when(text.isNull(), Refusal.NULL_TEXT)
        .when(F.char_length(text) > max_chars, Refusal.TOO_LONG)
        .when(~text.rlike(r"(?U)\S"), Refusal.EMPTY_TEXT)
    )
