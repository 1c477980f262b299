"""Choose from a round's pool what is worth labelling."""

import sys

from reviewlens.config import ChoosePicksConfig
from reviewlens.job import run_job
from reviewlens.pipelines import choose_picks

if __name__ == "__main__":
    sys.exit(run_job("choose_picks", ChoosePicksConfig, choose_picks.run))
