"""The page of a comparison."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from reviewlens.training.findings import (
    COMPREHENSIVENESS,
    KEYWORD_F1,
    KEYWORD_MACRO_F1,
    NIGHTLY_AGREEMENT,
    NIGHTLY_KAPPA,
    NIGHTLY_SHARE,
    RANDOM,
    SUFFICIENCY,
    Contest,
    Finding,
    with_verdict,
)
from reviewlens.training.report import render_report, write_report
from reviewlens.training.wording import night_cells, say_verdict

SETTINGS = {
    "confidence": 0.95,
    "max_keyword_loss": 0.05,
    "max_loss": 0.02,
    "max_sentiment_loss": 0.03,
    "min_gain": 0.0,
    "min_keyword_rows": 10,
    "resamples": 2000,
}
CONTEST = Contest("e1", "new", "old", 3, "c0ffee", json.dumps(SETTINGS))
HIGHLIGHTS = [
    Finding(name, f"{size} word", 0.3, 0.4, 0.1, 0.0, 0.2, rows=50)
    for measure in (COMPREHENSIVENESS, SUFFICIENCY)
    for name in (measure, RANDOM + measure)
    for size in (1, 2, 3)
]
FINDINGS = with_verdict(
    [
        Finding(KEYWORD_MACRO_F1, "", 0.7, 0.75, 0.05, 0.01, 0.09, rows=200, passed=True),
        Finding(KEYWORD_F1, "배송<b>", 0.9, 0.7, -0.2, -0.3, -0.1, rows=40, passed=False),
        Finding(KEYWORD_F1, "색상", 0.0, 0.0, 0.0, None, None, rows=0),
        *HIGHLIGHTS,
        Finding(NIGHTLY_SHARE, "배송", 0.5, 0.25, -0.25, rows=400),
        Finding(NIGHTLY_AGREEMENT, "배송", value=0.75, rows=400),
        Finding(NIGHTLY_KAPPA, "배송", rows=400),
    ],
    200,
)


def test_the_page_stands_alone_and_says_the_verdict_first(tmp_path: Path) -> None:
    """Nothing is fetched, names are escaped, and both figures are well-formed SVG whose text is text."""
    file = tmp_path / "pages" / "report.html"
    write_report(file, CONTEST, FINDINGS, ["a <note>"])
    page = file.read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "<b>" not in page
    assert "a &lt;note&gt;" in page
    assert page.index("The gate says no: 1 of 2 gates failed on 200 test reviews (F1, 배송") < page.index("<h2>")
    figures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    texts = [[node.text for node in ET.fromstring(each).iter("{http://www.w3.org/2000/svg}text")] for each in figures]  # noqa: S314
    assert len(texts) == 2
    assert {"배송<b> (40)", "색상 (0)"} <= set(texts[0])
    assert "champion, its random words" in texts[1]


def test_the_same_findings_make_the_same_page() -> None:
    """No time and no chance in it."""
    assert render_report(CONTEST, FINDINGS, []) == render_report(CONTEST, FINDINGS, [])


def test_without_highlights_and_last_night_the_page_says_so(recwarn: pytest.WarningsRecorder) -> None:
    """And nobody is warned of glyphs that the browser has."""
    page = render_report(CONTEST, [each for each in FINDINGS if each.measure in ("gate", KEYWORD_F1)], [])
    assert page.count("<svg") == 1
    assert "There is no true keyword that both models find" in page
    assert "Left out; see the notes above." in page
    assert not recwarn.list


def test_words_for_a_verdict_and_for_a_night() -> None:
    """Numbers are of gates alone; shares are per cent, an undefined kappa a dash."""
    assert say_verdict(with_verdict(FINDINGS[1:2], 9)) == "The gate says yes: 1 of 1 gates passed on 9 test reviews."
    assert night_cells(FINDINGS) == [("배송", "50.0%", "25.0%", "75.0%", "–", "400")]
