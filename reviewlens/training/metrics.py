"""Figures of classifiers: precision, recall and F1 for each class, and the thresholds that decide them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from sklearn.metrics import precision_recall_fscore_support

MICRO, MACRO = "micro avg", "macro avg"
_COLUMNS = ("class", "precision", "recall", "f1-score", "support")
_CANDIDATES = np.arange(10, 91) / 100
_DEFAULT = 0.5
_SAME_F1 = 1e-9


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One line of a classification table; `support` counts the true members of the class."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


def classification_table(
    truth: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer], names: Sequence[str]
) -> list[ClassFigures]:
    """Figures of each class, then their micro and macro average.

    A figure whose denominator is zero (a class that never occurs, or is never predicted) is 0, and counts as 0 in the
    macro average.

    Args:
        truth: 0/1 of shape (rows, classes) where a row may have several classes, else class indices of shape (rows,).
        predicted: the same form.
        names: the classes, in order.
    """
    classes = range(len(names))

    def measure(average: str | None) -> tuple[npt.NDArray[np.float64], ...]:
        found: tuple[npt.NDArray[np.float64], ...] = precision_recall_fscore_support(
            truth, predicted, labels=classes, average=average, zero_division=0
        )
        return found

    columns = [column.tolist() for column in measure(None)]
    rows = [ClassFigures(*row) for row in zip(names, *columns, strict=True)]
    total = sum(row.support for row in rows)
    for name, average in ((MICRO, "micro"), (MACRO, "macro")):
        precision, recall, f1 = (float(value) for value in measure(average)[:3])
        rows.append(ClassFigures(name, precision, recall, f1, total))
    return rows


def find_figures(table: Sequence[ClassFigures], name: str) -> ClassFigures:
    """The line called `name`, such as `MICRO` or `MACRO`."""
    return next(row for row in table if row.name == name)


def describe_table(table: Sequence[ClassFigures]) -> dict[str, dict[str, float]]:
    """The table as JSON takes it: by class, with the printed columns as keys."""
    return {
        row.name: dict(zip(_COLUMNS[1:], (row.precision, row.recall, row.f1, row.support), strict=True))
        for row in table
    }


def render_markdown(table: Sequence[ClassFigures]) -> str:
    """The table in GitHub's Markdown, without a newline at its end."""
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *map(_format, table)]
    return "\n".join(f"|{'|'.join(line)}|" for line in lines)


def print_table(title: str, table: Sequence[ClassFigures], console: Console) -> None:
    """Print the table for a person."""
    printed = Table(title=title, title_justify="left")
    printed.add_column(_COLUMNS[0])
    for column in _COLUMNS[1:]:
        printed.add_column(column, justify="right")
    for row in table:
        if row.name == MICRO:
            printed.add_section()
        printed.add_row(*_format(row))
    console.print(printed)


def choose_thresholds(
    truth: npt.NDArray[np.integer], probabilities: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """For each class the threshold that maximises its F1 on validation rows, steadied by the other classes.

    One threshold for each class, tuned alone (Fan & Lin 2007, "A study on threshold selection for multi-label
    classification"), follows the luck of a hundred positives: on held-out reviews it did worse than one threshold for
    all. So a class's counts (true, found, found rightly) are added to those of the mean class before F1 is taken.
    Candidates are 0.10, 0.11 … 0.90. Where neighbours reach the same best F1 the middle of their range is taken, and of
    several ranges that whose middle is nearest to 0.5. A class without a true row keeps 0.5.

    Args:
        truth: 0/1 of shape (rows, classes).
        probabilities: shape (rows, classes).

    Returns:
        Thresholds of shape (classes,); a class is found where its probability is at least its threshold.
    """
    is_true = truth.astype(bool)
    limits = _CANDIDATES.astype(probabilities.dtype)
    rightly = np.array([(is_true & (probabilities >= limit)).sum(axis=0) for limit in limits])
    found = np.array([(probabilities >= limit).sum(axis=0) for limit in limits])
    true = is_true.sum(axis=0)
    f1 = 2 * _steady(rightly) / np.maximum(_steady(true) + _steady(found), 1)
    return np.array([_choose(column) if count else _DEFAULT for column, count in zip(f1.T, true, strict=True)])


def _steady(counts: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    steadied: npt.NDArray[np.float64] = counts + counts.mean(axis=-1, keepdims=True)
    return steadied


def _choose(f1: npt.NDArray[np.float64]) -> float:
    """The candidate in the middle of the best range of F1, given for each candidate."""
    is_best = np.concatenate([[0], f1 >= f1.max() - _SAME_F1, [0]])
    starts, ends = np.flatnonzero(np.diff(is_best)).reshape(-1, 2).T
    middles = (_CANDIDATES[starts] + _CANDIDATES[ends - 1]) / 2
    return float(middles[np.argmin(np.abs(middles - _DEFAULT))])


def _format(row: ClassFigures) -> tuple[str, ...]:
    return row.name, f"{row.precision:.2f}", f"{row.recall:.2f}", f"{row.f1:.2f}", f"{row.support:,}"
