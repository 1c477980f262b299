"""The scoring UDF: texts in, the cascade's results out, each beside its own row.

A Python worker loads a bundle once and keeps it across batches and tasks.
"""

import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from pyspark import SparkFiles, TaskContext
from pyspark.sql import Column
from pyspark.sql.pandas.functions import pandas_udf

from reviewlens.errors import BundleError, DeviceError
from reviewlens.spark.schemas import KEYWORDS, PROBABILITIES, SCORE_DDL, TRUNCATED

if TYPE_CHECKING:
    from reviewlens.inference.results import Score
    from reviewlens.inference.scorer import Scorer
    from reviewlens.taxonomy import Taxonomy

Device = Literal["auto", "cpu", "gpu"]


def score_udf(
    bundle_path: str, bundle_id: str, device: Device, dtype: str, token_budget: int, threads: int
) -> Callable[[Column], Column]:
    """A pandas UDF (iterator form) from a text column to a struct of `SCORE_DDL`; a NULL text gives a NULL struct.

    Args:
        bundle_path: the bundle's directory on every executor, or its name among the files that Spark ships.
        bundle_id: what the bundle there must be.
        device: `auto` takes the GPU that Spark gives the task, else the CPU; `gpu` demands one.
        dtype: what matrices are multiplied in.
        token_budget: padded tokens of a batch in the model.
        threads: CPU threads of one worker.
    """

    def score(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        scorer = load_scorer(bundle_path, bundle_id, task_device(device), dtype, token_budget, threads)
        for texts in batches:
            yield score_batch(scorer, texts)

    udf: Callable[[Column], Column] = pandas_udf(score, SCORE_DDL)  # type: ignore[call-overload]
    return udf


def score_batch(scorer: "Scorer", texts: pd.Series) -> pd.DataFrame:
    """Score one batch. Rows never shift: row i of the result is of row i of `texts`, all NULL where it is NULL."""
    present = texts.notna().to_numpy()
    scores = iter(scorer.score(texts[present].tolist()))
    taxonomy = scorer.taxonomy
    rows = [as_row(next(scores), taxonomy) if here else None for here in present]
    columns = [PROBABILITIES, KEYWORDS, TRUNCATED]
    return pd.DataFrame({name: [row and row[name] for row in rows] for name in columns}, columns=columns, dtype=object)


def as_row(score: "Score", taxonomy: "Taxonomy") -> dict[str, Any]:
    """A score as the struct of `SCORE_DDL`."""
    value = {level.name: level.value for level in taxonomy.sentiments}
    keywords = [
        {
            "keyword": found.keyword,
            "probability": found.probability,
            "sentiment": found.sentiment,
            "sentiment_value": value[found.sentiment],
            "sentiment_probability": found.sentiment_probability,
            "highlight": found.highlight
            and {
                "word": found.highlight.word,
                "start": found.highlight.start,
                "end": found.highlight.end,
                "probability_without": found.highlight.probability_without,
            },
        }
        for found in score.keywords
    ]
    return {PROBABILITIES: score.probabilities, KEYWORDS: keywords, TRUNCATED: score.truncated}


def task_device(device: Device) -> str:
    """The torch device of this task.

    Raises:
        DeviceError: a GPU is demanded, and Spark gave this task none.
    """
    context = TaskContext.get()
    addresses = context.resources()["gpu"].addresses if context and "gpu" in context.resources() else []
    if device == "gpu" and not addresses:
        raise DeviceError("device is gpu, and Spark gave this task no GPU: set spark.task.resource.gpu.amount=1.")
    return f"cuda:{_visible_index(addresses[0])}" if addresses and device != "cpu" else "cpu"


def _visible_index(address: str) -> int:
    """Torch counts only the devices that CUDA_VISIBLE_DEVICES leaves; Spark's address may count them all."""
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return visible.index(address) if address in visible else int(address)


@lru_cache(maxsize=1)
def load_scorer(bundle_path: str, bundle_id: str, device: str, dtype: Any, token_budget: int, threads: int) -> "Scorer":
    """This worker's scorer, loaded at the first call and kept.

    Raises:
        BundleError: the bundle on this machine is not `bundle_id`.
    """
    import torch

    from reviewlens.inference.scorer import Scorer

    torch.set_num_threads(threads)
    path = bundle_path if bundle_path.startswith("/") else SparkFiles.get(bundle_path)
    scorer = Scorer.load(path, device, dtype, token_budget)
    if scorer.bundle.bundle_id != bundle_id:
        raise BundleError(f"The bundle at {path} here is {scorer.bundle.bundle_id}, and this run's is {bundle_id}.")
    return scorer
