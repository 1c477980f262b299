"""The figures as tables: for a terminal, and in Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from tests.bench.engine.entries import BASELINES, Row, compare_rates
from tests.bench.engine.hardware import name_machine
from tests.bench.engine.markdown import write_table

_HEADER = (
    "model",
    "stage",
    "contestant",
    "reviews",
    "reviews/s",
    "×",
    "keywords",
    "sentiments",
    "highlights",
    "of peak",
    "worker MB",
    "Python MB",
    "JVM MB",
)
_TEXT_COLUMNS = 3


def print_rows(rows: Sequence[Row], machine: Mapping[str, str], peaks: Mapping[str, float], console: Console) -> None:
    """Print the table, what it was measured on, and why rows are empty."""
    table = Table(title="reviews per second, labels and memory", title_justify="left", box=box.SIMPLE_HEAD)
    for index, name in enumerate(_HEADER):
        table.add_column(name, justify="left" if index < _TEXT_COLUMNS else "right", no_wrap=True)
    for row in rows:
        table.add_row(*to_cells(row, rows))
    console.print(table)
    for line in _notes(rows, machine, peaks):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def write_markdown(rows: Sequence[Row], machine: Mapping[str, str], peaks: Mapping[str, float], path: Path) -> None:
    """The same in Markdown."""
    write_table(_HEADER, [to_cells(row, rows) for row in rows], _notes(rows, machine, peaks), path)


def to_cells(row: Row, rows: Sequence[Row]) -> list[str]:
    """A row's cells under the header; what is not known is empty."""
    agreement = row.agreement
    shares = (agreement.keywords, agreement.sentiments, agreement.highlights) if agreement else (None,) * 3
    return [
        row.model,
        row.stage,
        row.title,
        f"{row.reviews:,}",
        _number(row.reviews_per_second, ",.2f"),
        _number(compare_rates(row, rows), ".2f"),
        *(_number(share, ".2%") for share in shares),
        _number(row.share_of_peak, ".1%"),
        *(_number(megabytes or None, ",.0f") for megabytes in (row.worker_mb, row.python_mb, row.java_mb)),
    ]


def _notes(rows: Sequence[Row], machine: Mapping[str, str], peaks: Mapping[str, float]) -> list[str]:
    products = ", ".join(f"{dtype} {rate / 1e9:,.0f} GFLOP/s" for dtype, rate in peaks.items())
    baselines = " and ".join(f"{title} ({stage})" for stage, title in BASELINES.items())
    return [
        f"Measured on: {name_machine(machine)}.",
        f"Matrix peak, a product of 2,048 × 2,048 in {machine['slots']} processes of one thread: {products}.",
        (
            f"× is against {baselines} with the same model. Labels are compared with float32. Of peak: operations that "
            "the labels need, each input once and without padding, per second."
        ),
        *(f"{row.model}, {row.title}, {row.stage}: {row.failure}" for row in rows if row.failure),
    ]


def _number(value: Any, form: str) -> str:
    return "" if value is None else format(value, form)
