"""Labelled reviews in their parts, wherever they lie: a file, a table, or a frozen training set."""

from dataclasses import asdict
from pathlib import Path

from pyspark.sql import SparkSession

from reviewlens.errors import InputContractError
from reviewlens.labeling.training_set import PARTS
from reviewlens.spark.tables import TableRef, latest_version, read_table
from reviewlens.spark.training_sets import TrainingSet, read_training_set
from reviewlens.taxonomy import Taxonomy
from reviewlens.training.dataset import LabelledReview, parse_labelled, read_labelled, split_reviews


def read_parts(
    spark: SparkSession,
    labels: str | None,
    target: str | None,
    training_set: int | str | None,
    taxonomy: Taxonomy,
    validation_share: float,
    test_share: float,
    min_validation: int,
    salt: str,
) -> tuple[dict[str, list[LabelledReview]], str]:
    """The reviews of `train`, `validation` and `test`, and what to call them all.

    Args:
        spark: the session.
        labels: a .jsonl or .parquet file, or a Delta table, cut into parts here; or None.
        target: where training sets are; used without `labels`.
        training_set: a version, or `newest`.
        taxonomy: what the labels are of.
        validation_share: of `labels`; of a training set, the share of its train part that joins a small validation
            part.
        test_share: of `labels`.
        min_validation: reviews below which a training set's validation part is small.
        salt: decides which reviews are cut off; equal salts and shares cut alike.

    Raises:
        InputContractError: the labels break their contract, or there is no such training set.
    """
    if labels is not None:
        reviews, name = _read_labels(spark, labels, taxonomy)
        return split_reviews(reviews, validation_share, test_share, salt), name
    frozen = _read_frozen(spark, target, training_set, taxonomy)
    return _read_frozen_parts(frozen, taxonomy, min_validation, validation_share, salt), frozen.name


def _read_labels(spark: SparkSession, labels: str, taxonomy: Taxonomy) -> tuple[list[LabelledReview], str]:
    """Labelled reviews from a file or a table, and what to call them."""
    if labels.endswith((".jsonl", ".json", ".parquet")):
        return read_labelled(Path(labels), taxonomy), Path(labels).name
    ref = TableRef.parse(labels)
    version = latest_version(spark, ref)
    rows = [row.asDict(recursive=True) for row in read_table(spark, ref, version).collect()]
    name = f"{ref.location} version {version}"
    return parse_labelled(rows, taxonomy, name), name


def _read_frozen(spark: SparkSession, target: str | None, version: int | str | None, taxonomy: Taxonomy) -> TrainingSet:
    """A version of the training set that was labelled in this taxonomy, and that a model can learn from."""
    assert target is not None
    frozen = read_training_set(spark, TableRef.parse(target), version if isinstance(version, int) else None)
    if frozen.taxonomy_version != taxonomy.version:
        raise InputContractError(
            f"Training set {frozen.version} is in taxonomy {frozen.taxonomy_version}, and --taxonomy is "
            f"{taxonomy.version}: give the taxonomy that it was labelled in, or freeze a set in this one."
        )
    if not frozen.part("train"):
        raise InputContractError(f"Training set {frozen.version} has no train part: freeze one with more labels.")
    return frozen


def _read_frozen_parts(
    frozen: TrainingSet, taxonomy: Taxonomy, min_validation: int, validation_share: float, salt: str
) -> dict[str, list[LabelledReview]]:
    """The set's own parts; a validation part that is too small gets a share of the train part, equal texts together."""
    parts = {
        part: parse_labelled([asdict(review) for review in frozen.part(part)], taxonomy, frozen.name) for part in PARTS
    }
    if len(parts["validation"]) < max(min_validation, 1):
        cut = split_reviews(parts["train"], validation_share, 0.0, salt)
        parts |= {"train": cut["train"], "validation": parts["validation"] + cut["validation"]}
    return parts
