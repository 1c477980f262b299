"""What Databricks' and Spark's guides show: a Hugging Face pipeline in an iterator pandas UDF, batches of 32.

Float32, in the order of the table. The guides have no third stage; this reading of them is a charitable one: a word is
hidden once for all keywords of its review, not once for each.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from transformers import AutoTokenizer

from reviewlens.bundle import Manifest, read_manifest
from reviewlens.taxonomy import Taxonomy
from reviewlens.text import hide_words, split_words
from tests.bench.engine.labels import Contestant, Found, Labels
from tests.bench.engine.pipelines import load_pipeline

_Pairs = Iterator[tuple[pd.Series, pd.Series]]


def open_pipeline_udf(bundle: Path, spark: SparkSession) -> Contestant:
    """The cascade as a sequence of DataFrames."""
    manifest = read_manifest(bundle)
    classify, judge = keyword_udf(bundle), sentiment_udf(bundle, manifest.taxonomy)
    mask = AutoTokenizer.from_pretrained(bundle / "keyword", local_files_only=True).mask_token

    def score(texts: Sequence[str]) -> list[Labels]:
        reviews = spark.createDataFrame(pd.DataFrame({"row": range(len(texts)), "text": texts}))
        scored = materialize(find_keywords(reviews.withColumn("probabilities", classify("text")), manifest))
        pairs = scored.select("row", "text", F.explode("found").alias("keyword", "probability"))
        sentiments = pairs.select("row", "keyword", judge("text", "keyword").alias("sentiment"))
        without = materialize(hide_words_in(scored, mask).withColumn("without", classify("text")))
        found = sentiments.join(find_highlights(pairs, without), ["row", "keyword"], "left").collect()
        scored.unpersist()
        without.unpersist()
        labels: list[Labels] = [{} for _ in texts]
        for row in found:
            labels[row["row"]][row["keyword"]] = Found(row["sentiment"], *(row["place"] or (None, None)))
        return labels

    return score


def materialize(results: DataFrame) -> DataFrame:
    """Compute and keep what a model gave: a second branch or a pushed-down filter would run the model again."""
    kept = results.cache()
    kept.count()
    return kept


def find_keywords(classified: DataFrame, manifest: Manifest) -> DataFrame:
    """Those over their thresholds, with their probabilities: row, text, found."""
    thresholds = [part for name, limit in manifest.thresholds.items() for part in (F.lit(name), F.lit(limit))]
    limits = F.create_map(*thresholds)
    found = F.map_filter("probabilities", lambda name, probability: probability >= limits[name].cast("float"))
    return classified.select("row", "text", found.alias("found"))


def hide_words_in(scored: DataFrame, mask: str) -> DataFrame:
    """Each review that has a keyword with each of its words hidden in turn: row, start, end, text."""

    def hide(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for reviews in batches:
            rows = [
                (row, word.start, word.end, hide_words(text, [word], mask))
                for row, text in zip(reviews["row"], reviews["text"], strict=True)
                for word in split_words(text)
            ]
            yield pd.DataFrame(rows, columns=["row", "start", "end", "text"])

    reviews = scored.where(F.size("found") > 0).select("row", "text")
    return reviews.mapInPandas(hide, "row BIGINT, start INT, end INT, text STRING")


def find_highlights(pairs: DataFrame, without: DataFrame) -> DataFrame:
    """The place of the word whose absence lowers a keyword's probability most: row, keyword, place."""
    effects = pairs.join(without.drop("text"), "row").withColumn("left", F.col("without")[F.col("keyword")])
    lowered = effects.where(F.col("left") < F.col("probability"))
    return lowered.groupBy("row", "keyword").agg(
        F.min_by(F.struct("start", "end"), F.struct("left", "start")).alias("place")
    )


def keyword_udf(bundle: Path) -> Callable[[str], Column]:
    """Texts to their probabilities by keyword."""
    path = str(bundle / "keyword")

    def classify(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        pipe = load_pipeline(path, "sigmoid")
        for texts in batches:
            yield pd.Series([{each["label"]: each["score"] for each in row} for row in pipe(texts.tolist())])

    udf: Callable[[str], Column] = pandas_udf(classify, "MAP<STRING, FLOAT>")  # type: ignore[call-overload]
    return udf


def sentiment_udf(bundle: Path, taxonomy: Taxonomy) -> Callable[[str, str], Column]:
    """Texts and keywords to the most probable sentiment."""
    path = str(bundle / "sentiment")

    def judge(batches: _Pairs) -> Iterator[pd.Series]:
        pipe = load_pipeline(path, "softmax")
        for texts, keywords in batches:
            prompts = [taxonomy.write_prompt(*pair) for pair in zip(texts, keywords, strict=True)]
            yield pd.Series([row[0]["label"] for row in pipe(prompts)], dtype=object)

    udf: Callable[[str, str], Column] = pandas_udf(judge, "STRING")  # type: ignore[call-overload]
    return udf
