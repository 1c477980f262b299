"""Everybody on the same reviews with the same bundle: reviews per second, labels, memory, share of the matrix peak.

    make bench [ARGS="--base 64 --starter 600"]

Each contestant has a process of its own; starting, loading and a few reviews for warmth are not part of its time.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from reviewlens.bundle import read_manifest
from tests.bench.engine.agreement import compare_labels
from tests.bench.engine.entries import KEYWORD_TIMES, Row, list_entries
from tests.bench.engine.figures import draw_contest
from tests.bench.engine.hardware import describe_machine
from tests.bench.engine.labels import Found, Labels
from tests.bench.engine.models import HOME, MODELS, ROOT, prepare_bundle
from tests.bench.engine.peak import measure_peaks
from tests.bench.engine.reviews import REAL, name_source, sample_reviews
from tests.bench.engine.tables import print_rows, write_markdown
from tests.bench.engine.work import count_work
from tests.bench.memory import run_watched

SEED = 5
THRESHOLD_ROWS = 300


def measure_model(model: str, bundle: Path, texts: Sequence[str], slots: int, console: Console) -> list[Row]:
    """Measure everybody with one bundle; the share of the peak is filled in later."""
    reviews = len(texts) // KEYWORD_TIMES
    keywords = len(read_manifest(bundle).taxonomy.keywords)
    console.print(f"{model}: the reference, {reviews:,} reviews in float32 …", highlight=False)
    cascade = run_contestant("reference", bundle, texts[:reviews], slots)["labels"]
    first_stage = run_contestant("reference_keywords", bundle, texts, slots)["labels"]
    rows = []
    for entry in list_entries(bundle, reviews):
        console.print(f"{model}: {entry.title}, {entry.stage}, {entry.reviews:,} reviews …", highlight=False)
        row = Row(model, entry.title, entry.stage, entry.dtype, entry.reviews)
        given = texts[: entry.reviews]
        reference = (cascade if entry.stage == "cascade" else first_stage)[: entry.reviews]
        try:
            answer = run_contestant(entry.name, bundle, given, slots)
        except RuntimeError as error:
            rows.append(replace(row, failure=str(error)))
            continue
        seconds = answer["seconds"]
        rows.append(
            replace(
                row,
                seconds=seconds,
                reviews_per_second=entry.reviews / seconds,
                agreement=compare_labels(reference, answer["labels"], keywords, entry.stage),
                useful_flops_per_second=count_work(bundle, given, reference, entry.stage).flops / seconds,
                **answer["memory"],
            )
        )
    return rows


def run_contestant(name: str, bundle: Path, texts: Sequence[str], slots: int) -> dict[str, Any]:
    """Seconds, labels and memory of a contestant that runs in a process of its own.

    Raises:
        RuntimeError: it failed; the message is the last line that it wrote.
    """
    with tempfile.TemporaryDirectory() as scratch:
        given, written, log = (Path(scratch) / file for file in ("texts.json", "labels.json", "log"))
        document = {"warm": list(texts[: 4 * slots]), "texts": list(texts)}
        given.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        command = [sys.executable, "-m", "tests.bench.engine.contest", name, str(bundle), str(given), str(written)]
        finished = run_watched([*command, str(slots)], log, ROOT)
        if finished.code != 0:
            said = [line.strip() for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
            raise RuntimeError(said[-1][:300] if said else f"It ended with code {finished.code}.")
        answer = json.loads(written.read_text(encoding="utf-8"))
    labels: list[Labels] = [{key: Found(*found) for key, found in row.items()} for row in answer["labels"]]
    memory = {name: getattr(finished, name) for name in ("worker_mb", "python_mb", "java_mb")}
    return {"seconds": answer["seconds"], "labels": labels, "memory": memory}


def with_shares(rows: Sequence[Row], peaks: dict[str, float]) -> list[Row]:
    """Each row with its share of the peak of the dtype that it multiplies in; int8 has no such product to compare."""
    return [
        replace(row, share_of_peak=row.useful_flops_per_second / peaks[row.dtype])
        if row.useful_flops_per_second is not None and row.dtype in peaks
        else row
        for row in rows
    ]


def main() -> None:
    """Measure, print the table, and write figures, Markdown and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--base", type=int, default=64, help="reviews for the base-size model")
    parser.add_argument("--starter", type=int, default=600, help="reviews for the starter")
    parser.add_argument("--slots", type=int, default=2, help="Spark tasks at a time, one thread each")
    parser.add_argument("--reviews", type=Path, default=REAL, help="folder of real reviews; the corpus where it is not")
    parser.add_argument("--out", type=Path, default=HOME, help="folder for figures.json and contest.md")
    parser.add_argument("--docs", type=Path, default=Path("docs/figures"), help="folder for the plot")
    options = parser.parse_args()
    console = Console(width=170)
    options.out.mkdir(parents=True, exist_ok=True)
    HOME.mkdir(parents=True, exist_ok=True)

    first = measure_peaks(options.slots)
    rows: list[Row] = []
    for model in options.models:
        bundle = prepare_bundle(model, sample_reviews(options.reviews, THRESHOLD_ROWS, SEED + 1))
        texts = sample_reviews(options.reviews, KEYWORD_TIMES * getattr(options, model), SEED)
        rows += measure_model(model, bundle, texts, options.slots, console)
    last = measure_peaks(options.slots)
    peaks = {dtype: max(first[dtype], last[dtype]) for dtype in first}
    rows = with_shares(rows, peaks)

    machine = describe_machine() | {"reviews": name_source(options.reviews), "slots": str(options.slots)}
    document = {"machine": machine, "peaks": peaks, "rows": [asdict(row) for row in rows]}
    (options.out / "figures.json").write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    print_rows(rows, machine, peaks, console)
    write_markdown(rows, machine, peaks, options.out / "contest.md")
    for suffix in ("png", "svg"):
        draw_contest(rows).savefig(options.docs / f"engine.{suffix}", dpi=150)
    console.print(f"Figures and table are in {options.out}, the plot in {options.docs}.", highlight=False)


if __name__ == "__main__":
    main()
