"""What a whole job costs as reviews grow: seconds, the share of Spark and Delta, and the memory of a worker.

    make bench-growth [ARGS="--sizes 1000 10000 100000"]

The job is ./spark-submit.sh score_reviews with the starter, from the start of the command to its end.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from deltalake import DeltaTable
from rich import box
from rich.console import Console
from rich.table import Table

from tests.bench.engine.figures import draw_growth
from tests.bench.engine.hardware import describe_machine, name_machine
from tests.bench.engine.markdown import write_table
from tests.bench.engine.models import HOME, ROOT
from tests.bench.engine.reviews import REAL, name_source, read_many
from tests.bench.memory import Finished, run_watched

_MALLS = 300
_HEADER = (
    "reviews",
    "seconds",
    "rows/s",
    "chunks",
    "Spark + Delta",
    "base size, projected",
    "worker MB",
    "driver MB",
    "JVM MB",
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one job cost.

    Attributes:
        reviews: that it scored.
        seconds: from the start of the command to its end.
        chunks: that it committed.
        scoring_seconds: in which a worker was in a model, averaged over the slots.
        worker_mb: highest resident memory of the largest worker.
        driver_mb: of the driver's Python.
        java_mb: of the JVM.
        base_overhead_share: what Spark's and Delta's share would be, were each review as slow as with a model of base
            size; None where that was not measured.
    """

    reviews: int
    seconds: float
    chunks: int
    scoring_seconds: float
    worker_mb: float
    driver_mb: float
    java_mb: float
    base_overhead_share: float | None = None

    @property
    def overhead_seconds(self) -> float:
        """All but scoring: starting, loading models, reading, staging, writing, waiting for the last task."""
        return self.seconds - self.scoring_seconds

    def cells(self) -> list[str]:
        """Under the header."""
        projected = self.base_overhead_share
        return [
            f"{self.reviews:,}",
            f"{self.seconds:,.1f}",
            f"{self.reviews / self.seconds:,.1f}",
            str(self.chunks),
            f"{self.overhead_seconds / self.seconds:.1%}",
            "" if projected is None else f"{projected:.1%}",
            *(f"{megabytes:,.0f}" for megabytes in (self.worker_mb, self.driver_mb, self.java_mb)),
        ]


def measure_job(texts: Sequence[str], lake: Path, slots: int, base_rate: float | None, keys: Sequence[str]) -> Cost:
    """Load `texts` into a new lakehouse and score them there.

    Args:
        texts: reviews.
        lake: folder, made anew.
        slots: Spark tasks at a time.
        base_rate: reviews per second with a model of base size.
        keys: more keys of the job.
    """
    shutil.rmtree(lake, ignore_errors=True)
    lake.mkdir(parents=True)
    rows = {"review_id": range(len(texts)), "mall_id": [row % _MALLS for row in range(len(texts))], "text": texts}
    pd.DataFrame(rows).astype({"review_id": str, "mall_id": str}).to_parquet(lake / "reviews.parquet")
    source = f"{lake}/reviews"
    _run("load_reviews", lake, slots, ["--file", f"{lake}/reviews.parquet", "--target", source, "--rows", "null"])
    optional = [
        part for name in ("category", "product", "rating", "created_at") for part in (f"--columns.{name}", "null")
    ]
    arguments = ["--source", source, "--target", str(lake), "--bundle", "starter", *optional, *keys]
    finished = _run("score_reviews", lake, slots, arguments)
    chunks = DeltaTable(str(lake / "scoring_chunks")).to_pandas()
    stages = chunks[["keyword_seconds", "sentiment_seconds", "highlight_seconds"]]
    scoring_seconds = float(stages.to_numpy().sum()) / slots
    overhead = finished.seconds - scoring_seconds
    return Cost(
        reviews=int(chunks["scored"].sum()),
        seconds=finished.seconds,
        chunks=len(chunks),
        scoring_seconds=scoring_seconds,
        worker_mb=finished.worker_mb,
        driver_mb=finished.python_mb - sum(mb for kind, mb in finished.peaks.values() if kind == "worker"),
        java_mb=finished.java_mb,
        base_overhead_share=overhead / (overhead + len(texts) / base_rate) if base_rate else None,
    )


def read_base_rate(figures: Path) -> float | None:
    """Reviews per second of our fastest cascade with the base-size model, as `measure` found it last."""
    if not figures.is_file():
        return None
    rows = json.loads(figures.read_text(encoding="utf-8"))["rows"]
    rates = [
        row["reviews_per_second"] or 0.0
        for row in rows
        if row["model"] == "base" and row["stage"] == "cascade" and row["title"].startswith("ours")
    ]
    return max(rates, default=None)


def _run(job: str, lake: Path, slots: int, arguments: Sequence[str]) -> Finished:
    log = lake / f"{job}.log"
    finished = run_watched(["./spark-submit.sh", job, "--master", f"local[{slots}]", *arguments], log, ROOT)
    if finished.code != 0:
        raise SystemExit(log.read_text(encoding="utf-8"))
    return finished


def main() -> None:
    """Run the jobs, print the table, and write figures, Markdown and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--slots", type=int, default=2, help="Spark tasks at a time, one thread each")
    parser.add_argument("--reviews", type=Path, default=REAL, help="folder of real reviews; the corpus where it is not")
    parser.add_argument("--out", type=Path, default=HOME, help="folder for growth.json and growth.md")
    parser.add_argument("--docs", type=Path, default=Path("docs/figures"), help="folder for the plot")
    options, keys = parser.parse_known_args()
    console = Console(width=150)
    base_rate = read_base_rate(options.out / "figures.json")
    costs: list[Cost] = []
    for size in options.sizes:
        console.print(f"{size:,} reviews …", highlight=False)
        texts = read_many(options.reviews, size, seed=5)
        costs.append(measure_job(texts, HOME / f"growth/{size}", options.slots, base_rate, keys))
    table = Table(title="a whole job with the starter", title_justify="left", box=box.SIMPLE_HEAD)
    for name in _HEADER:
        table.add_column(name, justify="right")
    for cost in costs:
        table.add_row(*cost.cells())
    console.print(table)
    rows: list[dict[str, Any]] = [
        asdict(cost) | {"overhead_share": cost.overhead_seconds / cost.seconds} for cost in costs
    ]
    machine = describe_machine() | {"reviews": name_source(options.reviews), "slots": str(options.slots)}
    document = {"machine": machine, "base_rate": base_rate, "rows": rows}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "growth.json").write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    note = f"Measured on: {name_machine(machine)}."
    write_table(_HEADER, [cost.cells() for cost in costs], [note], options.out / "growth.md")
    for suffix in ("png", "svg"):
        draw_growth(rows).savefig(options.docs / f"engine_growth.{suffix}", dpi=150)


if __name__ == "__main__":
    main()
