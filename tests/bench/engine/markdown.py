"""Figures as a Markdown table."""

from collections.abc import Sequence
from pathlib import Path


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str], path: Path) -> None:
    """Write a table, numbers to the right, and `notes` as a list under it."""
    numbers = [all(not row[column] or row[column][0].isdigit() for row in rows) for column in range(len(header))]
    lines = [_join(header), _join(["---:" if number else "---" for number in numbers]), *map(_join, rows)]
    path.write_text("\n".join([*lines, "", *(f"- {note}" for note in notes), ""]), encoding="utf-8")


def _join(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
