"""Check what came back from the labellers, before anything learns from it."""

import sys

from reviewlens.config import CheckLabelsConfig
from reviewlens.job import run_job
from reviewlens.pipelines import check_labels

if __name__ == "__main__":
    sys.exit(run_job("check_labels", CheckLabelsConfig, check_labels.run))
