"""The whole night on a small scale: load a file, score it, show what was found."""

import sys

from reviewlens.config import DemoConfig
from reviewlens.job import run_job
from reviewlens.pipelines import demo

if __name__ == "__main__":
    sys.exit(run_job("demo", DemoConfig, demo.run))
