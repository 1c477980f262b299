"""Write a bundle again with ONNX models in it."""

import sys

from reviewlens.config import OptimizeModelConfig
from reviewlens.job import run_job
from reviewlens.pipelines import optimize_model

if __name__ == "__main__":
    sys.exit(run_job("optimize_model", OptimizeModelConfig, optimize_model.run))
