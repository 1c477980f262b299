"""A draw from ten million scored reviews, measured alone: seconds, and the memory of the driver.

    .venv/bin/python tests/bench/scale/measure.py .cache/bench/scale [KEYS OF sample_reviews]

The first draw is made in one JVM with a heap of 1 GB, which in local mode is driver and executor at once. The round
then grows with the executor in a JVM of its own, which shows what the driver alone takes.
"""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[3]
LIMIT_S, LIMIT_MB = 180, 1_024
DRAWS = (("local.conf", 20_000), ("cluster.conf", 40_000))
_EXECUTOR = ("pyspark.daemon", "CoarseGrainedExecutorBackend")  # in the commands of its processes
_POLL_S = 0.2


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
        figures, seconds, peaks = draw(lake, settings, rows, keys)
        judged = figures["population"] + sum(figures["left_out"].values())
        counts = (judged, figures["population"], figures["strata_count"], figures["drawn"])
        memory = (peaks["java"], peaks["python"])
        table.add_row(
            settings,
            figures["status"],
            *(f"{count:,}" for count in counts),
            f"{seconds:.1f}",
            *(f"{mb:,}" for mb in memory),
        )
        held += [seconds < LIMIT_S, settings == "local.conf" or sum(memory) < LIMIT_MB]
    Console(width=120).print(table)
    return 0 if all(held) else 1


def draw(lake: Path, settings: str, rows: int, keys: tuple[str, ...]) -> tuple[dict[str, Any], float, dict[str, int]]:
    """Run the job; its JSON line, its seconds from start to end, and the driver's highest resident memory in MB."""
    job = ["./spark-submit.sh", "sample_reviews", "--spark", f"tests/bench/scale/{settings}", "--round", "bench"]
    job += ["--source", f"{lake}/reviews", "--target", str(lake), "--bundle", "starter", "--rows", str(rows)]
    job += ["--columns.product", "null", "--columns.rating", "null", *keys]
    log = lake / "measure.log"
    began = time.monotonic()
    with log.open("w") as stream:
        process = subprocess.Popen(job, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT)
        peaks = {"java": 0, "python": 0}
        while process.poll() is None:
            for name, peak in read_peaks(process.pid).items():
                peaks[name] = max(peaks[name], peak)
            time.sleep(_POLL_S)
    seconds = time.monotonic() - began
    said = log.read_text()
    if process.returncode:
        raise SystemExit(said)
    Console(soft_wrap=True).print(said, markup=False, highlight=False)
    return json.loads(said.splitlines()[-1]), seconds, peaks


def read_peaks(parent: int) -> dict[str, int]:
    """The highest resident memory so far, in MB, of the JVM and the Python of the driver under process `parent`."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            children.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
        except OSError:  # it ended meanwhile
            continue
    family, peaks = [parent], dict[str, int]()
    for process in family:
        family += children.get(process, [])
        try:
            status, command = (Path(f"/proc/{process}/{name}").read_text() for name in ("status", "cmdline"))
        except OSError:
            continue
        kind = Path(command.partition("\0")[0]).name.rstrip("0123456789.")
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        if kind in ("java", "python") and peak and not any(part in command for part in _EXECUTOR):
            peaks[kind] = max(peaks.get(kind, 0), int(peak[1]) // 1_024)
    return peaks


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
