"""Whether a worker's memory stays flat over a million rows: what it holds after each hundred thousand.

    make bench-stream [ARGS="--rows 1000000"]

A one-layer model stands in for a real one, so that the rows pass in minutes; what is held beside models is the same.
"""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from reviewlens import Scorer
from reviewlens.inference.scorer import POOL_TEXTS
from reviewlens.spark.scoring import score_batches
from tests.bench.engine.models import HOME, make_base
from tests.bench.engine.reviews import REAL, read_texts


def stream_batches(texts: list[str], rows: int, seed: int) -> Iterator[pd.Series]:
    """Arrow batches of texts as Spark gives them; each text has a number of its own at its end."""
    rng = np.random.default_rng(seed)
    endless = (f"{text} {rng.integers(10**9)}" for text in cycle(texts))
    for start in range(0, rows, POOL_TEXTS):
        yield pd.Series(list(islice(endless, min(POOL_TEXTS, rows - start))), dtype=object)


def read_resident_mb() -> float:
    """What this process holds now."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1_024


def main() -> None:
    """Score, and look at the memory along the way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--looks", type=int, default=10, help="how often to look at the memory")
    options = parser.parse_args()
    console = Console(width=100)
    texts = read_texts(REAL)
    table = Table("rows", "resident MB", "seconds")
    figures = []
    with tempfile.TemporaryDirectory() as scratch:
        make_base(Path(scratch) / "small", texts[:300], layers=1, hidden=64)
        scorer = Scorer.load(Path(scratch) / "small", threads=1)
        done, next_look, began = 0, options.rows // options.looks, time.monotonic()
        for scored in score_batches(scorer, stream_batches(texts, options.rows, seed=1)):
            done += len(scored)
            if done >= next_look:
                figures.append({"rows": done, "mb": read_resident_mb(), "seconds": time.monotonic() - began})
                table.add_row(f"{done:,}", f"{figures[-1]['mb']:,.0f}", f"{figures[-1]['seconds']:,.0f}")
                next_look += options.rows // options.looks
    console.print(table)
    HOME.mkdir(parents=True, exist_ok=True)
    (HOME / "stream.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
