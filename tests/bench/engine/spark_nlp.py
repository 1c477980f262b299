"""Keywords with Spark NLP: run by the Python of its own environment, which holds no reviewlens.

    python spark_nlp.py JARS MODEL TEXTS FOUND

JARS is a folder; MODEL one that Spark NLP can import; TEXTS has one JSON object `{"row": 0, "text": "..."}` a line;
FOUND is the JSON file that this writes.
"""

import json
import os
import sys
import time
from pathlib import Path

import pyspark
import sparknlp  # type: ignore[import-not-found]
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession
from sparknlp.annotator import (  # type: ignore[import-not-found]
    RegexTokenizer,
    XlmRoBertaForSequenceClassification,
)
from sparknlp.base import DocumentAssembler  # type: ignore[import-not-found]

BATCH_ROWS = (8, 32)  # Spark NLP's default, and that of Spark's guides
_WARM_ROWS = 64


def main(jars: str, model: str, texts: str, found: str) -> None:
    """Score the texts once with each batch size, and write the seconds of each and the keywords of every text."""
    spark = _start_session(Path(jars))
    reviews = spark.read.schema("row long, text string").json(texts)
    reviews = reviews.repartition(spark.sparkContext.defaultParallelism).cache()
    rows = reviews.count()
    classifier = XlmRoBertaForSequenceClassification.loadSavedModel(model, spark)
    settings = json.loads((Path(model) / "settings.json").read_text(encoding="utf-8"))
    classifier.setInputCols(["document", "token"]).setOutputCol("keywords").setCaseSensitive(True)
    classifier.setActivation("sigmoid").setMultilabel(True).setMaxSentenceLength(settings["max_tokens"])
    stages = [
        DocumentAssembler().setInputCol("text").setOutputCol("document"),
        RegexTokenizer().setInputCols(["document"]).setOutputCol("token").setPattern(r"\s+").setToLowercase(False),
        classifier,
    ]
    _score(PipelineModel(stages), reviews.limit(_WARM_ROWS))
    seconds: dict[int, float] = {}
    keywords: dict[int, list[str]] = {}
    for batch_rows in BATCH_ROWS:
        classifier.setBatchSize(batch_rows)
        began = time.perf_counter()
        keywords = _score(PipelineModel(stages), reviews)
        seconds[batch_rows] = time.perf_counter() - began
    answer = {
        "seconds": seconds,
        "keywords": [keywords[row] for row in range(rows)],
        "versions": {"spark-nlp": sparknlp.version(), "pyspark": pyspark.__version__},
    }
    Path(found).write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")
    spark.stop()


def _start_session(jars: Path) -> SparkSession:
    settings = {
        "spark.jars": ",".join(map(str, sorted(jars.glob("*.jar")))),
        "spark.driver.memory": "4g",
        "spark.driver.host": "localhost",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # As sparknlp.start() has them, which also asks for the packages that do not resolve.
        "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
        "spark.kryoserializer.buffer.max": "2000M",
        # As many tasks as cores, each with a thread of its own: the default of 6 for each is slower.
        "spark.jsl.settings.onnx.intraOpNumThreads": "1",
    }
    builder = SparkSession.builder.master(f"local[{len(os.sched_getaffinity(0))}]")
    for key, value in settings.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _score(pipeline: PipelineModel, reviews: DataFrame) -> dict[int, list[str]]:
    scored = pipeline.transform(reviews).select("row", "keywords.result")
    return {row: list(result) for row, result in scored.collect()}


if __name__ == "__main__":
    main(*sys.argv[1:])
