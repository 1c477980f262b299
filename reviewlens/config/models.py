"""Configuration of everything that makes, compares or promotes models."""

from datetime import date
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from reviewlens.config.base import JobConfig
from reviewlens.config.scoring import Columns


class Card(BaseModel):
    """What the model card says and no measurement can tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: str = Field("unknown", description="name of the pretrained encoder")
    encoder_source: str = Field("unknown", description="where the encoder came from")
    encoder_licence: str = Field("unknown", description="licence of the encoder")
    licence: str = Field("unknown", description="licence of the bundle, as an SPDX identifier")
    limits: tuple[str, ...] = Field((), description="what the bundle should not be trusted with, a sentence each")
    command: str = Field("./spark-submit.sh train_model", description="the command that makes the bundle")


class LabelledConfig(JobConfig):
    """Keys of every job that reads labelled reviews in parts; equal keys give equal parts."""

    labels: str | None = Field(
        None,
        description="labelled reviews: a .jsonl or .parquet file, or a Delta table's path or catalog name; or give "
        "target and training_set",
    )
    target: str | None = Field(
        None, description="where the training sets are: a folder (has a slash in it) or a catalog schema (has none)"
    )
    training_set: PositiveInt | Literal["newest"] | None = Field(
        None, description="version to use instead of labels, with the parts that it has"
    )
    validation_share: float = Field(
        0.06,
        gt=0,
        lt=1,
        description="share of the reviews that is the validation part; of a training set with a small one, the share "
        "of its train part that joins it",
    )
    min_validation: NonNegativeInt = Field(
        100, description="validation reviews of a training set below which a share of its train part joins them"
    )
    test_share: float = Field(
        0.06, gt=0, lt=1, description="share of the reviews that is the test part; a training set has its own"
    )
    seed: int = Field(7, description="seed of everything random")

    @model_validator(mode="after")
    def _hold_one_way(self) -> Self:
        if (self.labels is None) == (self.training_set is None):
            msg = "give labels, or target and training_set: one of the two (null takes a key of the file away)"
            raise ValueError(msg)
        if (self.target is None) != (self.training_set is None):
            msg = "target and training_set belong together"
            raise ValueError(msg)
        return self


class TrainModelConfig(LabelledConfig):
    """Fine-tune an encoder for both stages on labelled reviews, and write a bundle."""

    encoder: Path = Field(description="directory of a pretrained Hugging Face encoder")
    bundle: Path = Field(description="directory to write the bundle to; must not exist or be empty")
    extra_test: Path | None = Field(
        None, description="more labelled reviews to report figures on, where the file is; never trained on"
    )
    card: Card = Field(default_factory=Card, description="what the model card says and no measurement can tell")
    keyword_epochs: PositiveFloat = Field(6, description="passes over the reviews for the keyword model")
    sentiment_epochs: PositiveFloat = Field(4, description="passes over the pairs for the sentiment model")
    learning_rate: PositiveFloat = Field(2e-4, description="peak learning rate of both")
    batch_rows: PositiveInt = Field(32, description="rows of a training batch")
    encoder_dropout: float = Field(
        0.1, ge=0, lt=1, description="dropout inside the encoder; before the classifier it is 0.2"
    )
    hide: float = Field(0.15, ge=0, lt=1, description="probability that a word is hidden, in the texts where words are")
    hide_share: float = Field(0.5, ge=0, le=1, description="share of the training texts in which words are hidden")
    half_precision: bool = Field(default=False, description="store the weights as float16")


class OptimizeModelConfig(LabelledConfig):
    """Write a bundle again with ONNX models in it, where they decide as the original does."""

    bundle: str = Field("starter", description="'starter', or the directory of the bundle to optimise")
    optimized: Path = Field(description="directory to write the new bundle to; must not exist or be empty")
    dtypes: tuple[Literal["float32", "int8"], ...] = Field(
        ("float32", "int8"), min_length=1, description="what to write: float32, int8 or both"
    )
    alpha: float = Field(
        0.85,
        ge=0,
        le=1,
        description="int8: how much of the range of its inputs a layer's weights take over (SmoothQuant)",
    )
    calibration_rows: PositiveInt = Field(400, description="int8: reviews of the train part that show that range")
    rows: PositiveInt = Field(400, description="reviews of the validation part that the models are compared on")
    min_agreement: float = Field(
        0.995, gt=0, le=1, description="gate: share of the keyword decisions that must be the original's"
    )


class ImportCheckpointConfig(JobConfig):
    """Turn a pair of existing checkpoints into a bundle, without loss."""

    keyword: Path = Field(description="keyword model: a Hugging Face directory, or a state dict's file (.pt, .bin)")
    sentiment: Path = Field(description="sentiment model: a Hugging Face directory, or a state dict's file (.pt, .bin)")
    base: Path | None = Field(
        None, description="directory with config.json and tokenizer of the encoder under a state dict"
    )
    bundle: Path = Field(description="directory to write the bundle to; must not exist or be empty")
    thresholds: Path | None = Field(
        None, description="YAML or JSON of a threshold for each keyword; 0.5 each without it"
    )
    training_set: str = Field("unknown", description="what the checkpoints were trained on, for the manifest")


class EvaluateModelConfig(JobConfig):
    """Compare a challenger with the champion on the frozen random test part."""

    target: str = Field(
        description="where the results are: a folder (has a slash in it) or a catalog schema (has none)"
    )
    source: str | None = Field(None, description="Delta table of reviews, for the agreement on the last night's")
    columns: Columns = Field(default_factory=Columns, description="what the source calls its columns")
    challenger: str = Field(description="directory of the bundle that wants to serve")
    champion: str = Field("champion", description="'champion' as the registry has it, 'starter', or a directory")
    training_set: PositiveInt | None = Field(None, description="version whose test part is used; without it the newest")
    resamples: PositiveInt = Field(2_000, description="bootstrap resamples")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of the bootstrap intervals")
    min_gain: float = Field(
        0.0, description="gate: the challenger's macro F1 of keywords must exceed the champion's by more than this"
    )
    max_loss: float = Field(
        0.02, ge=0, description="gate: a loss of macro F1 greater than this must be outside the interval"
    )
    max_keyword_loss: float = Field(
        0.05, ge=0, description="gate: no keyword may lose more F1 than this, where its interval is all under 0"
    )
    min_keyword_rows: PositiveInt = Field(
        10, description="test reviews with a keyword below which its loss is no reason"
    )
    max_sentiment_loss: float = Field(
        0.03, ge=0, description="gate: accuracy of sentiments that may be lost, where its interval is all under 0"
    )
    nightly_rows: PositiveInt = Field(1_000, description="reviews of the last night that both models score")
    report: Path | None = Field(None, description="HTML page to write, figures inside")
    seed: int = Field(7, description="seed of everything random")


class PromoteModelConfig(JobConfig):
    """Make a bundle the champion when its evaluation allows it, or go back to the one before."""

    target: str = Field(
        description="where the results are: a folder (has a slash in it) or a catalog schema (has none)"
    )
    bundle: str | None = Field(None, description="directory of the bundle to promote, or 'starter'")
    rollback: bool = Field(default=False, description="go back to the champion before this one")
    mlflow_uri: str | None = Field(None, description="MLflow registry to keep the alias in, besides the Delta table")
    model_name: str = Field("reviewlens", pattern=r"^[\w .-]+$", description="name of the model in MLflow")


class DetectDriftConfig(JobConfig):
    """Compare each mall's keyword rates of a week with its reference."""

    target: str = Field(
        description="where the results are: a folder (has a slash in it) or a catalog schema (has none)"
    )
    until: date | None = Field(None, description="last day of the week; without it the newest day of scored reviews")
    days: PositiveInt = Field(7, description="days of the week")
    reference_days: PositiveInt = Field(56, description="days before the week that it is compared with")
    false_alarms: float = Field(0.05, gt=0, lt=1, description="expected share of false alarms among all alarms")
