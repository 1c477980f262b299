"""Who takes part in a measurement, and what is measured of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.engine.agreement import Agreement
from tests.bench.engine.labels import Stage
from tests.bench.engine.ours import list_engines

SEED_WAY_SHARE, KEYWORD_TIMES = 8, 4  # the slow one scores an eighth of the reviews, the first stage four times as many
BASELINES = {"cascade": "pipeline in a pandas UDF", "keyword": "predict_batch_udf"}


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody who takes part: what `contest` calls it, what it runs, what multiplies, and on how many reviews."""

    name: str
    title: str
    stage: Stage
    dtype: str
    reviews: int


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of an entry; where it could not run, `failure` says why, and the rest is None."""

    model: str
    title: str
    stage: Stage
    dtype: str
    reviews: int
    seconds: float | None = None
    reviews_per_second: float | None = None
    agreement: Agreement | None = None
    worker_mb: float | None = None
    python_mb: float | None = None
    java_mb: float | None = None
    useful_flops_per_second: float | None = None
    share_of_peak: float | None = None
    failure: str | None = None


def list_entries(bundle: Path, reviews: int) -> list[Entry]:
    """Everybody, in the order of the table."""
    many = KEYWORD_TIMES * reviews
    engines = [(f"{backend} {dtype}", f"{backend}-{dtype}", dtype) for backend, dtype in list_engines(bundle)]
    return [
        Entry("seed", "one text at a time", "cascade", "float32", max(1, reviews // SEED_WAY_SHARE)),
        Entry("pipeline", "pipeline in a pandas UDF", "cascade", "float32", reviews),
        *(Entry(f"ours-cascade-{key}", f"ours, {title}", "cascade", dtype, reviews) for title, key, dtype in engines),
        Entry("predict_batch", "predict_batch_udf", "keyword", "float32", many),
        Entry("spark_nlp", "Spark NLP", "keyword", "float32", many),
        *(Entry(f"ours-keyword-{key}", f"ours, {title}", "keyword", dtype, many) for title, key, dtype in engines),
    ]


def compare_rates(row: Row, rows: Sequence[Row]) -> float | None:
    """How many times as many reviews per second as the baseline of the same model and stage."""
    [baseline] = [
        other
        for other in rows
        if (other.model, other.stage, other.title) == (row.model, row.stage, BASELINES[row.stage])
    ]
    if row.reviews_per_second is None or baseline.reviews_per_second is None:
        return None
    return row.reviews_per_second / baseline.reviews_per_second
