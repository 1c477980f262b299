"""The whole night on a small scale: a file of reviews becomes a table, is scored, and is shown."""

from datetime import datetime

from pyspark.sql import SparkSession
from rich.console import Console

from reviewlens.config import Columns, DemoConfig, ScoreReviewsConfig
from reviewlens.pipelines import load_reviews, score_reviews, show_scores
from reviewlens.spark.schemas import CATEGORY, CREATED_AT, MALL_ID, PRODUCT, RATING, REVIEW_ID, TEXT

_COLUMNS = Columns(
    review_id=REVIEW_ID,
    mall_id=MALL_ID,
    text=TEXT,
    category=CATEGORY,
    product=PRODUCT,
    rating=RATING,
    created_at=CREATED_AT,
)


def run(spark: SparkSession, config: DemoConfig, console: Console) -> None:
    """Load, score, show. The second demo over the same reviews scores nothing: they are unchanged."""
    reviews = f"{config.lakehouse}/reviews"
    load_reviews.run(
        spark,
        config.file,
        reviews,
        config.columns.model_dump(),
        config.rows,
        datetime.now().astimezone().date(),
        console,
    )
    score_reviews.run(
        spark,
        ScoreReviewsConfig(
            taxonomy=config.taxonomy,
            source=reviews,
            target=config.lakehouse,
            columns=_COLUMNS,
            bundle=config.bundle,
            task_rows=100,
        ),
        console,
    )
    show_scores.run(spark, reviews, config.lakehouse, _COLUMNS, config.reviews, console=console)
