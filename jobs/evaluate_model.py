"""Compare a challenger with the champion."""

import sys

from reviewlens.config import EvaluateModelConfig
from reviewlens.job import run_job
from reviewlens.pipelines import evaluate_model

if __name__ == "__main__":
    sys.exit(run_job("evaluate_model", EvaluateModelConfig, evaluate_model.run))
