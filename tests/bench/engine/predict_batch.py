"""Spark's own `predict_batch_udf`, batches of 32: the keyword stage, float32, in the order of the table."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, FloatType

from reviewlens.bundle import read_manifest
from tests.bench.engine.labels import Contestant, Found, Labels, find_keywords

BATCH_ROWS = 32
_Predict = Callable[[npt.NDArray[np.object_]], npt.NDArray[np.float32]]


def open_predict_batch(bundle: Path, spark: SparkSession) -> Contestant:
    """The UDF; its workers keep the model."""
    manifest = read_manifest(bundle)
    names = manifest.taxonomy.keywords
    path = str(bundle / "keyword")

    def load() -> _Predict:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(path, local_files_only=True, dtype=torch.float32)
        model.eval()

        def predict(texts: npt.NDArray[np.object_]) -> npt.NDArray[np.float32]:
            inputs = tokenizer(texts.tolist(), padding=True, truncation=True, return_tensors="pt")
            with torch.inference_mode():
                logits = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
            return np.asarray(torch.sigmoid(logits).numpy(), dtype=np.float32)

        return predict

    classify = predict_batch_udf(load, return_type=ArrayType(FloatType()), batch_size=BATCH_ROWS)

    def score(texts: Sequence[str]) -> list[Labels]:
        reviews = spark.createDataFrame(pd.DataFrame({"row": range(len(texts)), "text": texts}))
        rows = sorted(reviews.select("row", classify("text").alias("probabilities")).collect())
        return [
            {name: Found() for name in find_keywords(dict(zip(names, row[1], strict=True)), manifest.thresholds)}
            for row in rows
        ]

    return score
