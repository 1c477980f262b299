"""Load a file of reviews into a Delta table."""

import sys
from datetime import datetime

from pyspark.sql import SparkSession
from rich.console import Console

from reviewlens.config import LoadReviewsConfig
from reviewlens.job import run_job
from reviewlens.pipelines import load_reviews


def start(spark: SparkSession, config: LoadReviewsConfig, console: Console) -> None:
    """Made-up days end yesterday."""
    today = datetime.now().astimezone().date()
    load_reviews.run(spark, config.file, config.target, config.columns.model_dump(), config.rows, today, console)


if __name__ == "__main__":
    sys.exit(run_job("load_reviews", LoadReviewsConfig, start))
