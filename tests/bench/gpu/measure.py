"""The cascade on a GPU: ours in bfloat16 against a Hugging Face pipeline on the same card, and the CPU's labels.

    .venv/bin/python -m tests.bench.gpu.measure [--reviews 4000 --out .cache/bench/gpu]

Without Spark: one process, one card. Loading and some reviews for warmth are not part of the time.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from reviewlens.bundle import read_manifest
from reviewlens.inference.scorer import POOL_TEXTS, Scorer
from tests.bench.engine.agreement import Agreement, compare_labels
from tests.bench.engine.hardware import describe_machine, name_machine
from tests.bench.engine.labels import Contestant, as_labels
from tests.bench.engine.markdown import write_table
from tests.bench.engine.models import HOME, make_base
from tests.bench.engine.peak import DTYPES, measure_product
from tests.bench.engine.pipelines import open_pipeline
from tests.bench.engine.reviews import REAL, name_source, sample_reviews
from tests.bench.engine.work import count_work

PRODUCT = 8_192  # a product of this size keeps a large card busy
_HEADER = ("contestant", "reviews", "reviews/s", "tokens/s", "of peak", "keywords", "sentiments", "highlights")


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of a contestant: tokens are real ones, each input once; labels against float32 on the CPU."""

    title: str
    dtype: str
    reviews: int
    reviews_per_second: float
    tokens_per_second: float
    share_of_peak: float
    agreement: Agreement

    def cells(self) -> list[str]:
        """Under the header."""
        shares = (self.agreement.keywords, self.agreement.sentiments, self.agreement.highlights)
        rates = (f"{self.reviews_per_second:,.1f}", f"{self.tokens_per_second:,.0f}", f"{self.share_of_peak:.1%}")
        agreements = ("" if share is None else f"{share:.2%}" for share in shares)
        return [self.title, f"{self.reviews:,}", *rates, *agreements]


def measure(bundle: Path, device: str, texts: Sequence[str], few: int, checked: int, product: int) -> list[Row]:
    """Measure ours on all texts, and pipelines on the first `few`; labels are compared on the first `checked`.

    Args:
        bundle: of base size.
        device: `cuda`, or `cpu` to try this script.
        texts: reviews.
        few: for the slow contestants.
        checked: for the reference, which runs on the CPU.
        product: size of the product that the peak is measured with.
    """
    ours = Scorer.load(bundle, device, "bfloat16", token_budget=None, backend="torch")
    reference = [as_labels(score) for score in Scorer.load(bundle, backend="torch").score(texts[:checked])]
    contestants: list[tuple[str, str, Contestant, int]] = [
        ("ours, torch bfloat16", "bfloat16", lambda some: [as_labels(score) for score in ours.score(some)], len(texts)),
        *((f"pipeline, {dtype}", dtype, open_pipeline(bundle, device, dtype), few) for dtype in DTYPES),
    ]
    keywords = len(read_manifest(bundle).taxonomy.keywords)
    peaks = {dtype: measure_product(dtype, device, product) for dtype in DTYPES}
    rows = []
    for title, dtype, contestant, count in contestants:
        contestant(texts[-min(count, POOL_TEXTS) // 2 :])
        began = time.perf_counter()
        labels = contestant(texts[:count])
        seconds = time.perf_counter() - began
        work = count_work(bundle, texts[:count], labels, "cascade")
        same = min(checked, count)
        agreement = compare_labels(reference[:same], labels[:same], keywords, "cascade")
        share = work.flops / seconds / peaks[dtype]
        rows.append(Row(title, dtype, count, count / seconds, work.tokens / seconds, share, agreement))
    return rows


def profile_ours(bundle: Path, device: str, texts: Sequence[str]) -> str:
    """Where the time goes: seconds of each stage, and the operations that take most of it."""
    scorer = Scorer.load(bundle, device, "bfloat16", token_budget=None, backend="torch")
    scorer.score(texts)
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device != "cpu" else [])
    with profile(activities=activities) as profiler:
        [(_, work)] = scorer.score_pools([texts])
    sort = "self_cuda_time_total" if device != "cpu" else "self_cpu_time_total"
    return f"{work}\n{profiler.key_averages().table(sort_by=sort, row_limit=15)}"


def main() -> None:
    """Measure, print the table, and write figures, Markdown and profile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reviews", type=int, default=8_000, help="reviews for ours")
    parser.add_argument("--few", type=int, default=500, help="reviews for the pipelines")
    parser.add_argument("--checked", type=int, default=200, help="reviews whose labels are compared with the CPU's")
    parser.add_argument("--folder", type=Path, default=REAL, help="folder of real reviews; the corpus where it is not")
    parser.add_argument("--out", type=Path, default=HOME.parent / "gpu", help="folder for what this writes")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("No GPU here: torch sees no CUDA device. Run this on a machine with one.")
    bundle = HOME / "base"
    if not (bundle / "manifest.json").is_file():
        make_base(bundle, sample_reviews(options.folder, 300, 6))
    texts = sample_reviews(options.folder, options.reviews, 5)
    rows = measure(bundle, "cuda", texts, options.few, options.checked, PRODUCT)

    table = Table(*_HEADER, title="base size on a GPU", title_justify="left", box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row.cells())
    machine = describe_machine() | {"card": torch.cuda.get_device_name(), "CUDA": str(torch.version.cuda)}
    note = f"Measured on: {name_machine(machine)}; {name_source(options.folder)}."
    console = Console(width=150)
    console.print(table)
    console.print(note, highlight=False, soft_wrap=True)
    options.out.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine, "rows": [asdict(row) for row in rows]}
    (options.out / "figures.json").write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    write_table(_HEADER, [row.cells() for row in rows], [note], options.out / "gpu.md")
    (options.out / "profile.txt").write_text(profile_ours(bundle, "cuda", texts[:POOL_TEXTS]), encoding="utf-8")


if __name__ == "__main__":
    main()
