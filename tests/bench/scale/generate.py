"""Scored reviews in great number, for measuring a draw: 5,000 very uneven malls, every value made from a row's number.

.venv/bin/python tests/bench/scale/generate.py .cache/bench/scale [ROWS]
"""

import json
import sys
from math import log
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from reviewlens.bundle import STARTER, Bundle, read_bundle
from reviewlens.spark.jars import local_jars
from reviewlens.spark.schemas import TABLES
from reviewlens.spark.session import start_session
from reviewlens.spark.source import with_fingerprint
from reviewlens.spark.tables import TableRef, create_tables

ROWS = 10_000_000
MALLS = 5_000
LABELLED = 5_000
OPTIONS = json.dumps({"dtype": "float32", "max_chars": 5_000})
WORDS = [
    *(
        "배송이",
        "늦어요",
        "색이",
        "예뻐요",
        "사이즈가",
        "커요",
        "작아요",
        "소재가",
        "좋아요",
        "얇아요",
        "가격이",
        "착해요",
    ),
    *(
        "비싸요",
        "핏이",
        "마감이",
        "아쉬워요",
        "편해요",
        "정말",
        "너무",
        "조금",
        "생각보다",
        "화면과",
        "달라요",
        "추천해요",
    ),
    *("다시", "살게요", "세탁", "후", "늘어났어요", "줄었어요", "ㅋㅋㅋ", "ㅠㅠ", "만족", "그냥"),
]


def main(folder: str, rows: int = ROWS) -> None:
    """Write the source, its scores, their run and some labels under `folder`."""
    settings = {
        "spark.master": "local[2]",
        "spark.driver.memory": "3g",
        "spark.jars": ",".join(map(str, local_jars())),
        "spark.ui.enabled": "false",
        "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
    }
    spark = start_session("generate", settings)
    bundle = read_bundle(STARTER)
    target = TableRef.parse(str(Path(folder).absolute()))
    names = ("review_scores", "quarantine", "scoring_runs", "labels")
    tables = {name: ref.sql for name, ref in create_tables(spark, target, names).items()}
    source = target.child("reviews").location
    make_reviews(spark, rows).write.format("delta").mode("overwrite").save(source)
    reviews = spark.read.format("delta").load(source)
    scores = score(reviews, bundle).select(*spark.createDataFrame([], TABLES["review_scores"]).columns)
    scores.write.format("delta").mode("overwrite").saveAsTable(tables["review_scores"])
    run = spark.createDataFrame([("run", bundle.bundle_id, OPTIONS)], "run_id STRING, bundle_id STRING, options STRING")
    labels = reviews.orderBy("review_id").limit(LABELLED).select("review_id", "text", F.expr("uuid() annotation_id"))
    for name, few in (("scoring_runs", run), ("labels", labels)):
        few.coalesce(1).write.format("delta").mode("overwrite").saveAsTable(tables[name])
    Console().print(f"{rows:,} reviews of {reviews.select('mall_id').distinct().count():,} malls in {folder}")
    spark.stop()


def make_reviews(spark: SparkSession, rows: int) -> DataFrame:
    """The source: the largest mall has about a fifth of the reviews, the smallest a few dozen; some have no mall."""
    rank = F.floor(F.exp(log(MALLS + 1) * F.pow(uniform("mall"), F.lit(1.5)))).cast("int")
    return spark.range(0, rows, 1, 32).select(
        F.format_string("r%09d", "id").alias("review_id"),
        F.when(rank < MALLS, F.format_string("몰%04d", rank)).alias("mall_id"),
        F.concat(F.lit("상품군"), F.pmod(F.xxhash64("id"), F.lit(12))).alias("category"),
        F.timestamp_seconds(1_760_000_000 + F.pmod(F.xxhash64("id"), F.lit(30_000_000))).alias("created_at"),
        F.concat_ws(" ", *(pick_word(place) for place in range(8)), F.col("id")).alias("text"),
    )


def score(reviews: DataFrame, bundle: Bundle) -> DataFrame:
    """What a run would have written: probabilities of all keywords, and one keyword with its highlight."""
    thresholds = bundle.manifest.thresholds
    probabilities = [F.pow(uniform(keyword, "review_id"), F.lit(4)).cast("float") for keyword in thresholds]
    word = F.substring_index("text", " ", 1)
    highlight = F.struct(
        word.alias("word"),
        F.lit(0).alias("start"),
        F.char_length(word).alias("end"),
        F.lit(0.1).cast("float").alias("probability_without"),
    )
    keyword = F.struct(
        F.element_at(
            F.array(*map(F.lit, thresholds)), 1 + F.pmod(F.xxhash64("review_id"), F.lit(14)).cast("int")
        ).alias("keyword"),
        uniform("probability", "review_id").cast("float").alias("probability"),
        F.lit("긍정").alias("sentiment"),
        F.lit(1).alias("sentiment_value"),
        uniform("sentiment", "review_id").cast("float").alias("sentiment_probability"),
        highlight.alias("highlight"),
    )
    return with_fingerprint(reviews, bundle.bundle_id, OPTIONS).withColumns(
        {
            "probabilities": F.map_from_arrays(F.array(*map(F.lit, thresholds)), F.array(*probabilities)),
            "keywords": F.array(keyword),
            "truncated": F.lit(False),
            "bundle_id": F.lit(bundle.bundle_id),
            "run_id": F.lit("run"),
            "scored_at": F.lit("2026-11-01").cast("timestamp"),
        }
    )


def uniform(name: object, column: str = "id") -> Column:
    """A number in [0, 1) for each row, and another for each name."""
    return F.pmod(F.xxhash64(F.lit(name), column), F.lit(1 << 53)) / float(1 << 53)


def pick_word(place: int) -> Column:
    """A word of the text; later places may be empty, so that lengths differ."""
    chosen = F.pmod(F.xxhash64(F.lit(place), "id"), F.lit(len(WORDS) + 8 * place)).cast("int")
    return F.get(F.array(*map(F.lit, WORDS)), chosen)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
