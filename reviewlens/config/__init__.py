"""Configuration of the jobs."""

from reviewlens.config.base import Config, JobConfig, read_config
from reviewlens.config.models import (
    Card,
    DetectDriftConfig,
    EvaluateModelConfig,
    ImportCheckpointConfig,
    OptimizeModelConfig,
    PromoteModelConfig,
    TrainModelConfig,
)
from reviewlens.config.retraining import (
    CheckLabelsConfig,
    ChoosePicksConfig,
    ExchangeLabelsConfig,
    FreezeTrainingSetConfig,
    SampleReviewsConfig,
)
from reviewlens.config.scoring import (
    Columns,
    DemoConfig,
    FileColumns,
    LoadReviewsConfig,
    ScoreReviewsConfig,
    ShowScoresConfig,
)

__all__ = [
    "Card",
    "CheckLabelsConfig",
    "ChoosePicksConfig",
    "Columns",
    "Config",
    "DemoConfig",
    "DetectDriftConfig",
    "EvaluateModelConfig",
    "ExchangeLabelsConfig",
    "FileColumns",
    "FreezeTrainingSetConfig",
    "ImportCheckpointConfig",
    "JobConfig",
    "LoadReviewsConfig",
    "OptimizeModelConfig",
    "PromoteModelConfig",
    "SampleReviewsConfig",
    "ScoreReviewsConfig",
    "ShowScoresConfig",
    "TrainModelConfig",
    "read_config",
]
