"""Train both stages on labelled reviews, into a bundle."""

import sys

from reviewlens.config import TrainModelConfig
from reviewlens.job import run_job
from reviewlens.pipelines import train_model

if __name__ == "__main__":
    sys.exit(run_job("train_model", TrainModelConfig, train_model.run))
