"""Draw a round's pool of reviews, mall by mall."""

import sys

from reviewlens.config import SampleReviewsConfig
from reviewlens.job import run_job
from reviewlens.pipelines import sample_reviews

if __name__ == "__main__":
    sys.exit(run_job("sample_reviews", SampleReviewsConfig, sample_reviews.run))
