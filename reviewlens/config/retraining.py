"""Configuration of a round of retraining: draw, choose, label, check, freeze."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator
from pydantic_settings import CliPositionalArg

from reviewlens.config.base import JobConfig
from reviewlens.config.scoring import Columns

_TARGET = "where the results are: a folder (has a slash in it) or a catalog schema (has none)"
_ROUND = "name of the round, such as 2026-11"


class SampleReviewsConfig(JobConfig):
    """Draw a round's pool from the scored reviews, in proportion to the malls or categories."""

    source: str = Field(description="Delta table of reviews: a path has a slash in it, a catalog name none")
    target: str = Field(description=_TARGET)
    columns: Columns = Field(default_factory=Columns, description="what the source calls its columns")
    round: str = Field(min_length=1, description=_ROUND)
    salt: str | None = Field(None, description="orders the draw; without one, the round's name. Each round its own")
    rows: PositiveInt = Field(20_000, description="reviews to draw")
    strata: tuple[Literal["mall_id", "category"], ...] = Field(
        ("mall_id",), min_length=1, description="what the draw is proportional to: mall_id, category, or both"
    )
    allocation: Literal["proportional", "equal", "neyman"] = Field(
        "proportional", description="sizes of the strata: by population, all the same, or by population times spread"
    )
    min_rows: NonNegativeInt = Field(0, description="at least this many of each stratum, as far as it has them")
    max_rows: PositiveInt | None = Field(None, description="at most this many of each stratum")
    bundle: str = Field("champion", description="the model in service: only reviews that it scored are drawn")


class CriteriaShares(BaseModel):
    """Shares of the picks that each criterion takes, beside the random ones; they are made to sum to one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keyword: NonNegativeFloat = Field(0.3, description="a keyword's probability is near its threshold")
    sentiment: NonNegativeFloat = Field(0.3, description="an unsure sentiment, of a level whose share grew")
    rarity: NonNegativeFloat = Field(0.2, description="characters and pieces that the training data rarely has")
    outlier: NonNegativeFloat = Field(0.2, description="far from the centre of its cluster")

    @model_validator(mode="after")
    def _hold_sum(self) -> Self:
        if sum(self.model_dump().values()) == 0:
            msg = "at least one criterion needs a share above 0"
            raise ValueError(msg)
        return self


class ChoosePicksConfig(JobConfig):
    """Choose from a round's pool what is worth labelling."""

    target: str = Field(description=_TARGET)
    round: str = Field(min_length=1, description=_ROUND)
    rows: PositiveInt = Field(300, description="reviews to label")
    random_share: float = Field(0.25, ge=0, le=1, description="share that is a pure random draw: it measures the model")
    shares: CriteriaShares = Field(default_factory=CriteriaShares, description="shares of the criteria in the rest")
    bundle: str = Field("champion", description="the model that scored the pool")
    rarity_corpus: Path = Field(
        Path("reviewlens/starter/corpus/reviews.jsonl"),
        description="labelled reviews that the first model was trained on, where no training set is frozen yet",
    )
    clusters: PositiveInt = Field(64, description="clusters of the encoder's vectors, at most")
    cluster_share: float = Field(0.1, gt=0, le=1, description="at most this share of the chosen picks from one cluster")
    max_similarity: float = Field(
        0.8, gt=0, le=1, description="chosen picks whose character n-grams are more alike than this are near-duplicates"
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="auto takes the GPU that Spark gives the task, else the CPU; gpu demands one"
    )
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="what matrices are multiplied in")
    figure: Path | None = Field(None, description="PNG file to draw the round into")


class ExchangeLabelsConfig(JobConfig):
    """Send a round's picks to people, or take their labels back."""

    action: CliPositionalArg[Literal["export", "import"]] = Field(
        "export", description="export picks, or import labels"
    )
    target: str = Field(description=_TARGET)
    round: str = Field(min_length=1, description=_ROUND)
    file: Path = Field(description="file to write or to read")
    format: Literal["label-studio", "jsonl", "csv"] = Field("label-studio", description="what the file is in")
    annotator: str | None = Field(None, description="who labelled, for rows of a file that do not say")
    double_share: float = Field(0.1, ge=0, le=1, description="share of the picks that two people label")
    labelling_config: Path | None = Field(
        None, description="file to write Label Studio's labelling configuration to; without it FILE, ending in .xml"
    )
    max_quarantine_share: float = Field(
        0.5, ge=0, le=1, description="more of an import's annotations than this refused: exit code 5"
    )


class CheckLabelsConfig(JobConfig):
    """Check a round's labels: agreement, confusions, annotators, contradictions."""

    target: str = Field(description=_TARGET)
    round: str = Field(min_length=1, description=_ROUND)
    min_alpha: float = Field(0.6, ge=-1, le=1, description="floor of Krippendorff's alpha over all keywords")
    min_sentiment_alpha: float = Field(0.5, ge=-1, le=1, description="floor of Krippendorff's alpha over sentiments")
    min_double: NonNegativeInt = Field(20, description="doubly labelled reviews that the check needs")
    contradiction: float = Field(0.95, gt=0.5, lt=1, description="the model contradicts a label at this probability")
    annotator_gap: float = Field(
        0.2, gt=0, le=2, description="an annotator whose alpha with the rest is lower than theirs by this is named"
    )
    min_shared: PositiveInt = Field(10, description="reviews that an annotator shares with the rest, to be named")


class FreezeTrainingSetConfig(JobConfig):
    """Freeze the labels so far as a new version of the training set."""

    target: str = Field(description=_TARGET)
    rounds: tuple[str, ...] | None = Field(None, description="rounds whose labels are taken; all without it")
    corpus: Path | None = Field(None, description="labelled reviews (.jsonl, .parquet) to train on besides")
    test_share: float = Field(0.5, ge=0, lt=1, description="share of the random picks that only ever measure")
    validation_share: float = Field(0.2, ge=0, lt=1, description="share of the random picks that choose thresholds")
    allow_unchecked: bool = Field(
        default=False, description="take rounds too whose labels no check has passed, or that changed since"
    )

    @model_validator(mode="after")
    def _hold_shares(self) -> Self:
        if self.test_share + self.validation_share > 1:
            msg = "test_share and validation_share are more than 1 together"
            raise ValueError(msg)
        return self
