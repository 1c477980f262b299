"""Configuration of loading, scoring and showing."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from reviewlens.config.base import JobConfig


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


class HighlightSettings(BaseModel):
    """How much work a highlight is worth."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["exact", "shortlist"] = Field(
        "exact", description="exact hides every word in turn; shortlist those that a gradient ranks highest (torch)"
    )
    words: PositiveInt = Field(3, description="words of each keyword that a shortlist hides")


class ScoreReviewsConfig(JobConfig):
    """Score what is new in a Delta table of reviews into Delta tables of results."""

    source: str = Field(
        description="Delta table of reviews: a path has a slash in it (./lakehouse/reviews), a catalog name none"
    )
    target: str = Field(description="where the results go: a folder (has a slash in it) or a catalog schema (has none)")
    columns: Columns = Field(default_factory=Columns, description="what the source calls its columns")
    bundle: str = Field(
        "champion",
        description="'champion' as the target's registry has it (the starter while none was promoted), 'starter', or "
        "the directory of a bundle",
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="auto takes the GPU that Spark gives the task, else the CPU; gpu demands one"
    )
    backend: Literal["auto", "torch", "onnx"] = Field(
        "auto", description="what runs the models: auto takes the fastest that the bundle holds and the machine can do"
    )
    dtype: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        "auto", description="what matrices are multiplied in: auto as for backend"
    )
    highlight: HighlightSettings = Field(
        default_factory=HighlightSettings, description="how much work a highlight is worth"
    )
    token_budget: PositiveInt | None = Field(
        None, description="padded tokens of a batch in the model; null: each worker measures what is fastest"
    )
    max_chars: PositiveInt = Field(5_000, description="longer reviews are quarantined as too_long")
    chunk_rows: PositiveInt = Field(20_000, description="rows that one Delta commit carries, about")
    task_rows: PositiveInt = Field(500, description="rows of one Spark task, about")
    max_quarantine_share: float = Field(
        0.5, ge=0, le=1, description="more of a run's new rows than this refused: exit code 5"
    )
    max_error_share: float = Field(
        0.01, ge=0, le=1, description="more of a run's rows than this breaking the models: exit code 5, chunk not kept"
    )
    dry_run: bool = Field(
        default=False, description="say what would be scored, and how it is cut in chunks; score nothing"
    )
    sql_dir: Path = Field(Path("conf/sql"), description="where the view definitions are")


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
