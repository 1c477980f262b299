"""What a shortlist of words loses and saves against exact highlights.

make bench-shortlist [ARGS="--rows 5000 --words 2 3 4"]
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from reviewlens import Scorer
from reviewlens.inference.results import Refusal, Score
from reviewlens.inference.scorer import POOL_TEXTS
from tests.bench.engine.hardware import describe_machine
from tests.bench.engine.models import HOME
from tests.bench.engine.reviews import REAL, name_source, sample_reviews

SEED = 11


@dataclass(frozen=True, slots=True)
class Run:
    """One way of finding highlights: scores, seconds of the highlight stage, and rows that passed the keyword model."""

    scores: list[Score]
    highlight_seconds: float
    forwards: int


def run(bundle: str, dtype: str, texts: Sequence[str], words: int | None) -> Run:
    """Score all texts; every word is hidden where `words` is None."""
    scorer = Scorer.load(bundle, dtype=dtype, backend="torch", shortlist=words)  # type: ignore[arg-type]
    scorer.score(texts[:32])
    scores: list[Score] = []
    seconds, forwards = 0.0, 0
    pools = [texts[start : start + POOL_TEXTS] for start in range(0, len(texts), POOL_TEXTS)]
    for outcomes, work in scorer.score_pools(pools):
        assert not any(isinstance(outcome, Refusal) for outcome in outcomes)
        kept = [outcome for outcome in outcomes if isinstance(outcome, Score)]
        scores += kept
        seconds += work.highlight_seconds
        forwards += work.inputs - len(outcomes) - sum(len(score.keywords) for score in kept)
    return Run(scores, seconds, forwards)


def count_passes(scores: Sequence[Score]) -> int:
    """The most rows that gradient passes took: one forward for each review with keywords, one backward for each."""
    return sum(1 + len(score.keywords) for score in scores if score.keywords)


def count_agreement(exact: Sequence[Score], other: Sequence[Score]) -> float:
    """Share of the review-keyword pairs that both found whose highlights are the same word."""
    same = total = 0
    for one, two in zip(exact, other, strict=True):
        places = {found.keyword: found.highlight and found.highlight.start for found in one.keywords}
        for found in two.keywords:
            if found.keyword in places:
                total += 1
                same += places[found.keyword] == (found.highlight and found.highlight.start)
    return same / total


def main() -> None:
    """Measure, print the table, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--words", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--reviews", type=Path, default=REAL, help="folder of real reviews; the corpus where it is not")
    options = parser.parse_args()
    console = Console(width=120)
    texts = sample_reviews(options.reviews, options.rows, SEED)
    exact = run(options.bundle, options.dtype, texts, None)
    rows = []
    for words in options.words:
        began = time.monotonic()
        short = run(options.bundle, options.dtype, texts, words)
        console.print(f"{words} words: {time.monotonic() - began:,.0f} s", highlight=False)
        rows.append(
            {
                "words": words,
                "agreement": count_agreement(exact.scores, short.scores),
                "forwards_saved": 1 - short.forwards / exact.forwards,
                "passes": count_passes(short.scores) / exact.forwards,
                "speedup": exact.highlight_seconds / short.highlight_seconds,
            }
        )
    table = Table(title=f"{options.bundle}, {options.dtype}, {len(texts):,} reviews", title_justify="left")
    for name in ("words of a keyword", "same highlight", "forwards saved", "gradient passes", "highlight stage faster"):
        table.add_column(name, justify="right")
    for row in rows:
        shares = (f"{row[name]:.1%}" for name in ("agreement", "forwards_saved", "passes"))
        table.add_row(str(row["words"]), *shares, f"{row['speedup']:.2f} ×")
    console.print(table)
    HOME.mkdir(parents=True, exist_ok=True)
    document = {"machine": describe_machine() | {"reviews": name_source(options.reviews)}, "rows": rows}
    (HOME / "shortlist.json").write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
