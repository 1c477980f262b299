"""Show what was found: reviews with their highlights, malls with their keywords."""

import sys

from pyspark.sql import SparkSession
from rich.console import Console

from reviewlens.config import ShowScoresConfig
from reviewlens.job import run_job
from reviewlens.pipelines import show_scores


def start(spark: SparkSession, config: ShowScoresConfig, console: Console) -> None:
    """Print what the tables hold."""
    show_scores.run(spark, config.source, config.target, config.columns, config.reviews, console=console)


if __name__ == "__main__":
    sys.exit(run_job("show_scores", ShowScoresConfig, start))
