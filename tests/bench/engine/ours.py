"""Ours: the job's own scoring UDF, and its keyword stage alone, with each backend that bundle and machine have."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
from pyspark.sql import Column, Row, SparkSession
from pyspark.sql.pandas.functions import pandas_udf

from reviewlens.bundle import read_manifest
from reviewlens.inference.backends import BackendName, Dtype
from reviewlens.inference.backends.choice import choose_backend, list_onnx, read_cpu_flags
from reviewlens.inference.scorer import Scorer
from reviewlens.spark.scoring import Engine, load_scorer, score_udf
from tests.bench.engine.labels import Contestant, Found, Labels, as_labels, find_keywords


def list_engines(bundle: Path) -> list[tuple[BackendName, Dtype]]:
    """Backends and dtypes to measure: bfloat16 only where the CPU multiplies it, ONNX where the bundle holds it."""
    torch_dtypes: list[Dtype] = ["float32"]
    if choose_backend("torch", "auto", "cpu", (), read_cpu_flags())[1] == "bfloat16":
        torch_dtypes.append("bfloat16")
    onnx_dtypes: list[Dtype] = [name for name in ("float32", "int8") if name in list_onnx(bundle)]
    return [("torch", dtype) for dtype in torch_dtypes] + [("onnx", dtype) for dtype in onnx_dtypes]


def open_reference(bundle: Path) -> Contestant:
    """What labels are compared with: float32 in torch, in this process, on all cores."""
    scorer = Scorer.load(bundle, dtype="float32", backend="torch")
    return lambda texts: [as_labels(score) for score in scorer.score(texts)]


def open_reference_keywords(bundle: Path) -> Contestant:
    """Its first stage alone."""
    scorer = Scorer.load(bundle, dtype="float32", backend="torch")
    names, thresholds = scorer.taxonomy.keywords, scorer.bundle.manifest.thresholds

    def score(texts: Sequence[str]) -> list[Labels]:
        rows = scorer.keyword_probabilities(texts).tolist()
        return [
            {name: Found() for name in find_keywords(dict(zip(names, row, strict=True)), thresholds)} for row in rows
        ]

    return score


def open_cascade(bundle: Path, spark: SparkSession, backend: BackendName, dtype: Dtype) -> Contestant:
    """The scoring UDF, one thread for each worker; each worker measures its token budget when it starts."""
    judge = score_udf(_engine(bundle, backend, dtype))

    def score(texts: Sequence[str]) -> list[Labels]:
        reviews = spark.createDataFrame(pd.DataFrame({"row": range(len(texts)), "text": texts}))
        rows = sorted(
            reviews.select("row", judge(reviews["text"]).alias("score")).collect(), key=lambda row: row["row"]
        )
        return [
            {each["keyword"]: Found(each["sentiment"], *_place(each["highlight"])) for each in row["score"]["keywords"]}
            for row in rows
        ]

    return score


def open_keyword_stage(bundle: Path, spark: SparkSession, backend: BackendName, dtype: Dtype) -> Contestant:
    """The first stage alone, in the same workers."""
    manifest = read_manifest(bundle)
    names = manifest.taxonomy.keywords
    engine = _engine(bundle, backend, dtype)

    def classify(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        scorer = load_scorer(engine)
        for texts in batches:
            yield pd.Series(list(scorer.keyword_probabilities(texts.tolist())), dtype=object)

    udf: Callable[[str], Column] = pandas_udf(classify, "ARRAY<FLOAT>")  # type: ignore[call-overload]

    def score(texts: Sequence[str]) -> list[Labels]:
        reviews = spark.createDataFrame(pd.DataFrame({"row": range(len(texts)), "text": texts}))
        rows = sorted(reviews.select("row", udf("text")).collect())
        return [
            {name: Found() for name in find_keywords(dict(zip(names, row[1], strict=True)), manifest.thresholds)}
            for row in rows
        ]

    return score


def _place(highlight: Row | None) -> tuple[int | None, int | None]:
    return (highlight["start"], highlight["end"]) if highlight else (None, None)


def _engine(bundle: Path, backend: BackendName, dtype: Dtype) -> Engine:
    bundle_id = read_manifest(bundle).bundle_id
    return Engine(str(bundle.absolute()), bundle_id, "cpu", backend, dtype, token_budget=None, threads=1)
