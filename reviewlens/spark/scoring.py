"""The scoring UDF: texts in, the cascade's results out, each beside its own row.

A Python worker loads a bundle once and keeps it across batches and tasks.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark import SparkFiles, TaskContext
from pyspark.sql import Column
from pyspark.sql.pandas.functions import pandas_udf

from reviewlens.errors import BundleError, DeviceError
from reviewlens.inference.backends import BackendName, Dtype
from reviewlens.spark.schemas import KEYWORDS, PROBABILITIES, REFUSAL, SCORE_DDL, TRUNCATED, WORK

if TYPE_CHECKING:
    from reviewlens.inference.results import Refusal, Score
    from reviewlens.inference.scorer import Scorer
    from reviewlens.inference.work import Work
    from reviewlens.taxonomy import Taxonomy

Device = Literal["auto", "cpu", "gpu"]


@dataclass(frozen=True, slots=True)
class Engine:
    """What a worker scores with.

    Attributes:
        bundle_path: the bundle's directory on every executor, or its name among the files that Spark ships.
        bundle_id: what the bundle there must be.
        device: `auto` takes the GPU that Spark gives the task, else the CPU; `gpu` demands one.
        backend: what runs the models; see `choose_backend` for `auto`.
        dtype: what matrices are multiplied in.
        token_budget: padded tokens of a batch in the model; measured by each worker where None.
        threads: CPU threads of one worker.
        shortlist: words of each keyword that a highlight is looked for among; all words where None.
    """

    bundle_path: str
    bundle_id: str
    device: Device = "auto"
    backend: BackendName | Literal["auto"] = "auto"
    dtype: Dtype | Literal["auto"] = "auto"
    token_budget: int | None = None
    threads: int = 1
    shortlist: int | None = None


def score_udf(engine: Engine) -> Callable[[Column], Column]:
    """A pandas UDF (iterator form) from a text column to a struct of `SCORE_DDL`; a NULL text gives a NULL struct."""

    def score(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        return score_batches(load_scorer(engine), batches)

    udf: Callable[[Column], Column] = pandas_udf(score, SCORE_DDL)  # type: ignore[call-overload]
    return udf


def score_batches(scorer: "Scorer", batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
    """Score batch by batch. Rows never shift: row i of a result is of row i of its batch, all NULL where it is NULL."""
    present: deque[npt.NDArray[np.bool_]] = deque()

    def pools() -> Iterator[list[str]]:
        for texts in batches:
            present.append(texts.notna().to_numpy())
            yield texts[present[-1]].tolist()

    names = [PROBABILITIES, KEYWORDS, TRUNCATED, REFUSAL, WORK]
    for outcomes, work in scorer.score_pools(pools()):
        scored = iter(as_rows(outcomes, work, scorer))
        rows = [next(scored) if here else None for here in present.popleft()]
        columns = {name: [row and row[name] for row in rows] for name in names}
        yield pd.DataFrame(columns, columns=names, dtype=object)


def as_rows(outcomes: "Sequence[Score | Refusal]", work: "Work", scorer: "Scorer") -> list[dict[str, Any]]:
    """Each outcome of a pool as the struct of `SCORE_DDL`, with the pool's cost beside the first."""
    rows = [as_row(outcome, scorer.taxonomy) for outcome in outcomes]
    backend = scorer.keyword.backend
    engine = {name: getattr(backend, name) for name in ("dtype", "device", "threads")}
    for row in rows[:1]:
        row[WORK] = asdict(work) | engine | {"backend": backend.name, "token_budget": scorer.keyword.token_budget}
    return rows


def as_row(outcome: "Score | Refusal", taxonomy: "Taxonomy") -> dict[str, Any]:
    """A score or a refusal as the struct of `SCORE_DDL`, without `work`."""
    from reviewlens.inference.results import Refusal

    if isinstance(outcome, Refusal):
        return {PROBABILITIES: None, KEYWORDS: None, TRUNCATED: None, REFUSAL: outcome.reason, WORK: None}
    value = {level.name: level.value for level in taxonomy.sentiments}
    keywords = [
        {
            "keyword": found.keyword,
            "probability": found.probability,
            "sentiment": found.sentiment,
            "sentiment_value": value[found.sentiment],
            "sentiment_probability": found.sentiment_probability,
            "highlight": found.highlight and asdict(found.highlight),
        }
        for found in outcome.keywords
    ]
    return {
        PROBABILITIES: outcome.probabilities,
        KEYWORDS: keywords,
        TRUNCATED: outcome.truncated,
        REFUSAL: None,
        WORK: None,
    }


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
def load_scorer(engine: Engine) -> "Scorer":
    """This worker's scorer, loaded at the first call and kept.

    Raises:
        BundleError: the bundle on this machine is not the engine's.
        ConfigError: the bundle or the machine lacks what the engine asks for.
    """
    from reviewlens.inference.scorer import Scorer

    path = engine.bundle_path if engine.bundle_path.startswith("/") else SparkFiles.get(engine.bundle_path)
    scorer = Scorer.load(
        path,
        device=task_device(engine.device),
        dtype=engine.dtype,
        token_budget=engine.token_budget,
        backend=engine.backend,
        threads=engine.threads,
        shortlist=engine.shortlist,
    )
    if scorer.bundle.bundle_id != engine.bundle_id:
        raise BundleError(
            f"The bundle at {path} here is {scorer.bundle.bundle_id}, and this run's is {engine.bundle_id}."
        )
    return scorer
