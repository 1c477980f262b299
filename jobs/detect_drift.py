"""Compare each mall's keyword rates of a week with the weeks before."""

import sys

from reviewlens.config import DetectDriftConfig
from reviewlens.job import run_job
from reviewlens.pipelines import detect_drift

if __name__ == "__main__":
    sys.exit(run_job("detect_drift", DetectDriftConfig, detect_drift.run))
