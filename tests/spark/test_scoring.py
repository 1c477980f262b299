"""The scoring UDF."""

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any

import pandas as pd
import pytest
from pyspark.errors import PythonException
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from reviewlens import Scorer
from reviewlens.bundle import Bundle
from reviewlens.errors import BundleError
from reviewlens.spark.scoring import Engine, load_scorer, score_batches, score_udf

TEXTS = ["옷은 예쁘지만 배송은 늦어요", None, "", "😀👍🏽", "배송 " * 300, "늦어요"]


@pytest.fixture(scope="module")
def scorer(tiny_bundle: Bundle) -> Scorer:
    return Scorer.load(tiny_bundle.path)


def test_rows_never_shift_whatever_stands_where(scorer: Scorer) -> None:
    """Null, empty, emoji-only and oversized texts at every position: each result is that of its own text."""
    alone = {text: records(scorer, [text])[0] for text in TEXTS}
    for order in list(permutations(TEXTS))[::37]:
        batch = records(scorer, order)
        for text, row in zip(order, batch, strict=True):
            if text is None:
                assert set(row.values()) == {None}
                continue
            assert row["truncated"] == alone[text]["truncated"] == (text == TEXTS[4])
            assert row["probabilities"] == pytest.approx(alone[text]["probabilities"], abs=1e-5)
            assert [found["keyword"] for found in row["keywords"]] == [
                found["keyword"] for found in alone[text]["keywords"]
            ]


def test_the_udf_gives_each_row_what_the_scorer_gives_its_text(
    spark: SparkSession, tiny_bundle: Bundle, scorer: Scorer
) -> None:
    """Through Arrow, over several batches and tasks, ids stay beside their results, NULL beside NULL."""
    texts = [(index, TEXTS[index % len(TEXTS)]) for index in range(24)]
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "5")
    try:
        score = score_udf(Engine(str(tiny_bundle.path), tiny_bundle.bundle_id, dtype="float32", token_budget=512))
        reviews = spark.createDataFrame(texts, "id INT, text STRING").repartition(3)
        rows = reviews.select("id", score(F.col("text")).alias("score")).orderBy("id").collect()
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    assert [row.id for row in rows] == list(range(24))
    for row, (_, text) in zip(rows, texts, strict=True):
        if text is None:
            assert row.score.probabilities is None
            continue
        [expected] = scorer.score([text])
        assert row.score.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
        assert [_as_tuple(found) for found in row.score.keywords] == [
            (
                found.keyword,
                found.sentiment,
                found.highlight and (found.highlight.word, found.highlight.start, found.highlight.end),
            )
            for found in expected.keywords
        ]


def test_a_worker_loads_its_bundle_once(spark: SparkSession, tiny_bundle: Bundle) -> None:
    """Later batches and later tasks of a worker find the models loaded."""
    engine = Engine(str(tiny_bundle.path), tiny_bundle.bundle_id)

    def count_loads(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        import os

        for _ in batches:
            load_scorer(engine)
        yield pd.DataFrame({"worker": [os.getpid()], "loads": [load_scorer.cache_info().misses]})

    loads: dict[int, set[int]] = {}
    for _ in range(2):
        tasks = spark.range(8).repartition(8).mapInPandas(count_loads, "worker INT, loads INT").collect()
        assert len(tasks) == 8
        for task in tasks:
            loads.setdefault(task.worker, set()).add(task.loads)
    assert len(loads) <= 2
    assert all(len(counts) == 1 for counts in loads.values())


def test_a_bundle_that_differs_on_this_machine_is_an_error(tiny_bundle: Bundle) -> None:
    """What scores must be what the driver verified."""
    with pytest.raises(BundleError, match="this run's is another"):
        load_scorer(Engine(str(tiny_bundle.path), "another"))


def test_a_gpu_demanded_and_not_given_is_an_error(spark: SparkSession, tiny_bundle: Bundle) -> None:
    """Never a silent CPU run."""
    score = score_udf(Engine(str(tiny_bundle.path), tiny_bundle.bundle_id, device="gpu"))
    with pytest.raises(PythonException, match=r"reviewlens\.errors\.DeviceError: device is gpu"):
        spark.createDataFrame([("늦어요",)], "text STRING").select(score(F.col("text"))).collect()


def records(scorer: Scorer, texts: Sequence[Any]) -> list[dict[str, Any]]:
    """What one batch of texts gives, row by row."""
    [batch] = score_batches(scorer, iter([pd.Series(list(texts), dtype=object)]))
    return [dict(zip(batch.columns, row, strict=True)) for row in batch.to_numpy()]


def _as_tuple(found: Row) -> tuple[object, ...]:
    place = found.highlight and (found.highlight.word, found.highlight.start, found.highlight.end)
    return (found.keyword, found.sentiment, place)
