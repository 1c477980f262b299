"""Configuration of the jobs: a frozen model for each, read from its YAML file, overridden by the command line."""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError
from pydantic_settings import BaseSettings, CliSettingsSource, SettingsConfigDict, SettingsError

from reviewlens.errors import ConfigError


class JobConfig(BaseModel):
    """Keys that every job has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    taxonomy: Path = Field(Path("conf/taxonomy.yaml"), description="the taxonomy's YAML file")


class Columns(BaseModel):
    """What the source calls its columns. Optional ones may be null: then they are null in the results."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    review_id: str = Field("review_id", description="column with the review's id: text or integer, never null or twice")
    mall_id: str = Field("mall_id", description="column with the mall: text or integer")
    text: str = Field("text", description="column with the review's text")
    category: str | None = Field(None, description="column with the category: text (optional)")
    product: str | None = Field(None, description="column with the product: text (optional)")
    rating: str | None = Field(None, description="column with the rating: a number (optional)")
    created_at: str | None = Field(None, description="column with the day or time of writing (optional)")


class ScoreReviewsConfig(JobConfig):
    """Score what is new in a Delta table of reviews into Delta tables of results."""

    source: str = Field(
        description="Delta table of reviews: a path has a slash in it (./lakehouse/reviews), a catalog name none"
    )
    target: str = Field(description="where the results go: a folder (has a slash in it) or a catalog schema (has none)")
    columns: Columns = Field(default_factory=Columns, description="what the source calls its columns")
    bundle: str = Field("starter", description="'starter', or the directory of a bundle")
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="auto takes the GPU that Spark gives the task, else the CPU; gpu demands one"
    )
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="what matrices are multiplied in")
    token_budget: PositiveInt = Field(2_048, description="padded tokens of a batch in the model")
    max_chars: PositiveInt = Field(5_000, description="longer reviews are quarantined as too_long")
    chunk_rows: PositiveInt = Field(20_000, description="rows that one Delta commit carries, about")
    task_rows: PositiveInt = Field(500, description="rows of one Spark task, about")
    max_quarantine_share: float = Field(
        0.5, ge=0, le=1, description="more of a run's new rows than this refused: exit code 5"
    )
    dry_run: bool = Field(
        default=False, description="say what would be scored, and how it is cut in chunks; score nothing"
    )
    sql_dir: Path = Field(Path("conf/sql"), description="where the view definitions are")


class Card(BaseModel):
    """What the model card says and no measurement can tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: str = Field("unknown", description="name of the pretrained encoder")
    encoder_source: str = Field("unknown", description="where the encoder came from")
    encoder_licence: str = Field("unknown", description="licence of the encoder")
    licence: str = Field("unknown", description="licence of the bundle, as an SPDX identifier")
    limits: tuple[str, ...] = Field((), description="what the bundle should not be trusted with, a sentence each")
    command: str = Field("./spark-submit.sh train_model", description="the command that makes the bundle")


class TrainModelConfig(JobConfig):
    """Fine-tune an encoder for both stages on labelled reviews, and write a bundle."""

    labels: str = Field(
        description="labelled reviews: a .jsonl or .parquet file, or a Delta table's path or catalog name"
    )
    encoder: Path = Field(description="directory of a pretrained Hugging Face encoder")
    bundle: Path = Field(description="directory to write the bundle to; must not exist or be empty")
    extra_test: Path | None = Field(
        None, description="more labelled reviews to report figures on, where the file is; never trained on"
    )
    card: Card = Field(default_factory=Card, description="what the model card says and no measurement can tell")
    validation_share: float = Field(0.06, gt=0, lt=1, description="share of the reviews that thresholds are chosen on")
    test_share: float = Field(0.06, gt=0, lt=1, description="share of the reviews that figures are reported on")
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
    seed: int = Field(7, description="seed of everything random")


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


class FileColumns(BaseModel):
    """What the file calls its columns; what is not given is guessed where obvious. '' says that there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    review_id: str | None = Field(None, description="column with the review's id; without one, made of the content")
    mall_id: str | None = Field(None, description="column with the mall; without one, '-'")
    text: str | None = Field(None, description="column with the review's text")
    category: str | None = Field(None, description="column with the category")
    product: str | None = Field(None, description="column with the product")
    rating: str | None = Field(None, description="column with the rating")
    created_at: str | None = Field(None, description="column with the day or time of writing")


class LoadReviewsConfig(JobConfig):
    """Load a file of reviews into a Delta table, replacing what the table held."""

    file: Path | None = Field(
        None, description=".parquet, .csv or .jsonl; without one, the corpus that ships with ReviewLens"
    )
    target: str = Field(description="Delta table to write: a path has a slash in it, a catalog name none")
    columns: FileColumns = Field(default_factory=FileColumns, description="what the file calls its columns")
    rows: PositiveInt | None = Field(None, description="at most this many reviews, chosen by a hash of their ids")


class ShowScoresConfig(JobConfig):
    """Show what was found: a few reviews with their highlights, malls with their keywords, the last run's figures."""

    source: str = Field(description="Delta table of reviews: a path has a slash in it, a catalog name none")
    target: str = Field(
        description="where the results are: a folder (has a slash in it) or a catalog schema (has none)"
    )
    columns: Columns = Field(default_factory=Columns, description="what the source calls its columns")
    reviews: PositiveInt = Field(12, description="reviews to show")


class DemoConfig(JobConfig):
    """Load a file of reviews, score it, and show what was found."""

    file: Path | None = Field(
        None, description=".parquet, .csv or .jsonl; without one, the corpus that ships with ReviewLens"
    )
    columns: FileColumns = Field(default_factory=FileColumns, description="what the file calls its columns")
    rows: PositiveInt | None = Field(1_000, description="at most this many reviews, chosen by a hash of their ids")
    lakehouse: str = Field("./lakehouse", description="folder for the tables")
    bundle: str = Field("starter", description="'starter', or the directory of a bundle")
    reviews: PositiveInt = Field(12, description="reviews to show")


Config = TypeVar("Config", bound=JobConfig)


def read_config(kind: type[Config], file: Path, arguments: Sequence[str]) -> Config:
    """Read a job's configuration: its YAML file, with the command line's keys over it.

    Args:
        kind: the job's model.
        file: YAML; its keys are the model's.
        arguments: `--key value`, nested keys with dots, dashes or underscores alike. `--help` prints all and exits.

    Raises:
        ConfigError: lists every key that is unknown, missing or wrong.
    """
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(f"No configuration at {file}: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not YAML: {error}") from error
    overrides = _parse_arguments(kind, arguments)
    try:
        return kind.model_validate(_overlay(document, overrides))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {_say(fault)}" for fault in error.errors())
        raise ConfigError(f"{file} and the command line: {faults}. --help explains each key.") from error


def _parse_arguments(kind: type[Config], arguments: Sequence[str]) -> dict[str, Any]:
    """The command line as nested keys, by pydantic-settings; nothing is required of it, the file may hold the rest."""

    class Arguments(BaseSettings, kind):  # type: ignore[misc, valid-type]
        model_config = SettingsConfigDict(cli_kebab_case=False, cli_implicit_flags=True, extra="forbid")

    Arguments.__doc__ = kind.__doc__
    source = CliSettingsSource[Any](
        Arguments, cli_exit_on_error=False, cli_avoid_json=True, cli_hide_none_type=True, cli_parse_none_str="null"
    )
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            parsed = source(args=list(arguments))
    except SettingsError as error:
        raise ConfigError(f"Command line: {error}. --help explains each key.") from error
    return dict(parsed())


def _overlay(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    return under | {
        key: _overlay(under[key], value) if isinstance(value, dict) and isinstance(under.get(key), dict) else value
        for key, value in over.items()
    }


def _say(fault: Any) -> str:
    said: str = {"extra_forbidden": "no such key", "missing": "missing"}.get(fault["type"], fault["msg"])
    return said
