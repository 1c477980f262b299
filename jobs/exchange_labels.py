"""Send a round's picks to people, or take their labels back."""

import sys

from reviewlens.config import ExchangeLabelsConfig
from reviewlens.job import run_job
from reviewlens.pipelines import exchange_labels

if __name__ == "__main__":
    sys.exit(run_job("exchange_labels", ExchangeLabelsConfig, exchange_labels.run))
