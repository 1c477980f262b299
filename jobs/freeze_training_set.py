"""Freeze the labels so far as a new version of the training set."""

import sys

from reviewlens.config import FreezeTrainingSetConfig
from reviewlens.job import run_job
from reviewlens.pipelines import freeze_training_set

if __name__ == "__main__":
    sys.exit(run_job("freeze_training_set", FreezeTrainingSetConfig, freeze_training_set.run))
