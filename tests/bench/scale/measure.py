"""A draw from ten million scored reviews, measured alone: seconds, and the memory of the driver.

    .venv/bin/python -m tests.bench.scale.measure .cache/bench/scale [KEYS OF sample_reviews]

The first draw is made in one JVM with a heap of 1 GB, which in local mode is driver and executor at once. The round
then grows with the executor in a JVM of its own, which shows what the driver alone takes.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.memory import run_watched

ROOT = Path(__file__).parents[3]
LIMIT_S, LIMIT_MB = 180, 1_024
DRAWS = (("local.conf", 20_000), ("cluster.conf", 40_000))


def main(folder: str, *keys: str) -> int:
    """Draw 20,000 reviews, then let the round grow to 40,000; 1 where a limit was passed."""
    lake = Path(folder).absolute()
    for earlier in lake.glob("retraining_*"):
        shutil.rmtree(earlier)
    table = Table(title=f"draws from {lake.name}", title_justify="left")
    for name in ("settings", "draw", "judged", "eligible", "strata", "drawn", "seconds", "JVM MB", "Python MB"):
        table.add_column(name, justify="right")
    held = []
    for settings, rows in DRAWS:
        figures, seconds, memory = draw(lake, settings, rows, keys)
        judged = figures["population"] + sum(figures["left_out"].values())
        counts = (judged, figures["population"], figures["strata_count"], figures["drawn"])
        table.add_row(
            settings,
            figures["status"],
            *(f"{count:,}" for count in counts),
            f"{seconds:.1f}",
            *(f"{mb:,.0f}" for mb in memory),
        )
        held += [seconds < LIMIT_S, settings == "local.conf" or sum(memory) < LIMIT_MB]
    Console(width=120).print(table)
    return 0 if all(held) else 1


def draw(
    lake: Path, settings: str, rows: int, keys: tuple[str, ...]
) -> tuple[dict[str, Any], float, tuple[float, float]]:
    """Run the job; its JSON line, its seconds, and the highest resident MB of the driver's JVM and Python."""
    job = ["./spark-submit.sh", "sample_reviews", "--spark", f"tests/bench/scale/{settings}", "--round", "bench"]
    job += ["--source", f"{lake}/reviews", "--target", str(lake), "--bundle", "starter", "--rows", str(rows)]
    job += ["--columns.product", "null", "--columns.rating", "null", *keys]
    log = lake / "measure.log"
    finished = run_watched(job, log, ROOT)
    said = log.read_text(encoding="utf-8")
    if finished.code:
        raise SystemExit(said)
    Console(soft_wrap=True).print(said, markup=False, highlight=False)
    return json.loads(said.splitlines()[-1]), finished.seconds, (finished.largest("java"), finished.largest("python"))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
