"""The figure of a round."""

import io
import json
import logging
import warnings

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reviewlens.sampling import typeface
from reviewlens.sampling.figures import draw_round, name_stratum


def draw(malls: list[str | None], picked: int) -> tuple[Figure, bytes]:
    """A round of a few reviews in each mall, of which the first `picked` are picks, every fourth a random one."""
    strata = [json.dumps([mall], ensure_ascii=False) for mall in malls for _ in range(3)]
    pool = pd.DataFrame(
        {"stratum": strata, "population": 10, "text": [f"리뷰 {'길' * (row % 90)}" for row in range(len(strata))]}
    )
    picks = pool[:picked].assign(round="11월 $회차$ 😀", quota=3, is_random=[row % 4 == 0 for row in range(picked)])
    picks["reason"] = ["random" if row % 4 == 0 else "rarity" for row in range(picked)]
    picks["reasons"] = [["random"] if row % 4 == 0 else ["rarity", "outlier"] for row in range(picked)]
    figure = draw_round(pool, picks)
    written = io.BytesIO()
    figure.savefig(written)
    return figure, written.getvalue()


@pytest.mark.parametrize(
    ("malls", "picked"), [(["가몰"], 2), ([None, "$x$", "😀"], 0), ([f"m{n}" for n in range(400)], 300)]
)
def test_a_round_is_drawn_without_a_word(
    malls: list[str | None], picked: int, caplog: pytest.LogCaptureFixture
) -> None:
    """One mall or many, no picks, names that no font has: four panels, no warning, no glyph box, no state."""
    before = dict(mpl.rcParams)
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        figure, image = draw(malls, picked)
    assert image.startswith(b"\x89PNG")
    assert len(figure.axes) == 4
    assert not caplog.records
    assert dict(mpl.rcParams) == before


def test_the_panels_show_the_rounds_figures() -> None:
    """Bars and cells are the counts of the picks."""
    figure, _ = draw(["a", "b"], 5)
    malls, reasons, overlap, _ = figure.axes
    assert [label.get_text() for label in malls.get_yticklabels()] == ["a", "b"]
    widths = [bar.get_width() for bar in reasons.patches if isinstance(bar, Rectangle)]
    assert widths == [2, 0, 0, 3, 0, 0, 0, 0, 0, 3]
    assert [text.get_text() for text in overlap.texts][-1] == "3"


def test_labels_are_english_where_no_font_has_hangul(monkeypatch: pytest.MonkeyPatch) -> None:
    """And malls that cannot be written have their rank."""
    monkeypatch.setattr(typeface, "find_families", lambda: ("DejaVu Sans",))
    figure, _ = draw(["가몰", "b"], 5)
    malls, reasons, *_ = figure.axes
    assert [label.get_text() for label in malls.get_yticklabels()] == ["b", "#2"]
    assert reasons.get_title(loc="left") == "Why they were picked"


def test_strata_are_named_as_people_read_them() -> None:
    """Several values, and none."""
    assert [name_stratum(key) for key in ('["가몰"]', '[null,"상의"]')] == ["가몰", "– · 상의"]
