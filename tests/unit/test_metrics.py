import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from reviewlens.training.metrics import (
    MACRO,
    MICRO,
    ClassFigures,
    choose_thresholds,
    classification_table,
    describe_table,
    find_figures,
    print_table,
    render_markdown,
)

TABLE = [ClassFigures("배송", 0.984, 1.0, 0.9919, 1545), ClassFigures(MACRO, 0.5, 0.25, 1 / 3, 1545)]


def _flat(table: list[ClassFigures]) -> list[tuple[str, float, float, float, int]]:
    return [(row.name, round(row.precision, 6), round(row.recall, 6), round(row.f1, 6), row.support) for row in table]


def test_multi_label_figures_are_those_worked_out_by_hand() -> None:
    """Per class, micro and macro; a class that never occurs has figures of 0 and weighs in the macro average."""
    truth = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 0]])
    predicted = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0]])
    assert _flat(classification_table(truth, predicted, ["가격", "배송", "색상"])) == [
        ("가격", 1.0, 0.666667, 0.8, 3),
        ("배송", 1.0, 0.5, 0.666667, 2),
        ("색상", 0.0, 0.0, 0.0, 0),
        (MICRO, 0.75, 0.6, 0.666667, 5),
        (MACRO, 0.666667, 0.388889, 0.488889, 5),
    ]


def test_single_label_micro_average_is_accuracy() -> None:
    """Class indices are taken too, and a class without a row still has its line."""
    table = classification_table(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), ["부정", "중립", "긍정", "매우긍정"])
    assert _flat(table) == [
        ("부정", 1.0, 0.5, 0.666667, 2),
        ("중립", 0.333333, 1.0, 0.5, 1),
        ("긍정", 0.0, 0.0, 0.0, 1),
        ("매우긍정", 0.0, 0.0, 0.0, 0),
        (MICRO, 0.5, 0.5, 0.5, 4),
        (MACRO, 0.333333, 0.375, 0.291667, 4),
    ]
    assert find_figures(table, MICRO).f1 == 0.5


def test_every_form_of_a_table_has_the_same_columns() -> None:
    """Markdown, JSON and the printed table: class, precision, recall, f1-score, support."""
    assert render_markdown(TABLE) == (
        "|class|precision|recall|f1-score|support|\n"
        "|---|---|---|---|---|\n"
        "|배송|0.98|1.00|0.99|1,545|\n"
        "|macro avg|0.50|0.25|0.33|1,545|"
    )
    assert describe_table(TABLE)["배송"] == {"precision": 0.984, "recall": 1.0, "f1-score": 0.9919, "support": 1545}
    page = io.StringIO()
    print_table("Keywords", TABLE, Console(file=page, width=100))
    assert "Keywords" in page.getvalue()
    for cell in ("class", "f1-score", "배송", "0.98", "1,545", "macro avg"):
        assert cell in page.getvalue()


def _thresholds(*classes: dict[float, int]) -> list[float]:
    """Thresholds for classes given as {probability: truth}, each padded with rows that no threshold finds."""
    rows = max(map(len, classes))
    padded = [[*column.items(), *[(0.0, 0)] * (rows - len(column))] for column in classes]
    probabilities, truth = np.array(padded).transpose(2, 1, 0)
    return choose_thresholds(truth.astype(np.int8), probabilities).round(6).tolist()  # type: ignore[no-any-return]


def test_threshold_is_the_middle_of_the_best_range() -> None:
    """Between the highest false and the lowest true row, as far from both as the candidates allow."""
    assert _thresholds({0.8: 1, 0.7: 1, 0.3: 0}) == [0.505]


def test_of_two_best_ranges_the_one_nearest_to_a_half_wins() -> None:
    """F1 is 2/3 up to 0.40 and again from 0.61 to 0.80."""
    assert _thresholds({0.8: 1, 0.4: 1, 0.6: 0, 0.600001: 0}) == [0.705]


def test_a_keyword_without_true_rows_keeps_a_half() -> None:
    """There is nothing to tune on, whatever the others need."""
    assert _thresholds({0.3: 0, 0.2: 0}, {0.3: 1, 0.2: 0}) == [0.5, 0.255]


def test_one_lucky_row_does_not_move_a_threshold() -> None:
    """Alone the second class would take 0.88; the first one's twenty rows hold it back."""
    clear = {0.7 + i / 1000: 1 for i in range(10)} | {0.3 - i / 1000: 0 for i in range(10)}
    assert _thresholds({0.9: 1, 0.85: 0}) == [0.88]
    assert _thresholds(clear, {0.9: 1, 0.85: 0}) == [0.505, 0.505]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1, width=32)), min_size=1, max_size=12))
def test_no_candidate_beats_the_threshold_of_a_single_class(rows: list[tuple[int, float]]) -> None:
    """With no other class to steady it, the threshold has the best F1 of all within 0.1 to 0.9."""
    truth, probabilities = np.array(rows).T
    [chosen] = choose_thresholds(truth[:, None].astype(np.int8), probabilities[:, None].astype(np.float32))

    def f1(threshold: float) -> float:
        found = probabilities.astype(np.float32) >= np.float32(threshold)
        return float(2 * (truth * found).sum() / max(1, truth.sum() + found.sum()))

    assert 0.1 <= chosen <= 0.9
    assert f1(chosen) == pytest.approx(max(f1(step / 100) for step in range(10, 91)))
