"""Nightly: score what is new in a Delta table of reviews."""

import sys

from reviewlens.config import ScoreReviewsConfig
from reviewlens.job import run_job
from reviewlens.pipelines import score_reviews

if __name__ == "__main__":
    sys.exit(run_job("score_reviews", ScoreReviewsConfig, score_reviews.run))
