"""Make a bundle the champion when its evaluation allows it, or go back to the one before."""

import sys

from reviewlens.config import PromoteModelConfig
from reviewlens.job import run_job
from reviewlens.pipelines import promote_model

if __name__ == "__main__":
    sys.exit(run_job("promote_model", PromoteModelConfig, promote_model.run))
