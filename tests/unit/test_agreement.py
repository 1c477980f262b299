"""What two models say of the same reviews."""

import pytest

from reviewlens.inference.results import Highlight, KeywordScore, Score
from reviewlens.training.agreement import compare_scores
from reviewlens.training.findings import (
    NIGHTLY_AGREEMENT,
    NIGHTLY_HIGHLIGHT,
    NIGHTLY_KAPPA,
    NIGHTLY_SENTIMENT,
    NIGHTLY_SHARE,
    Finding,
)

KEYWORDS = ("가격", "배송")


def found(keyword: str, sentiment: str = "긍정", start: int | None = 0) -> KeywordScore:
    highlight = None if start is None else Highlight("늦어요", start, start + 3, 0.1)
    return KeywordScore(keyword, 0.9, sentiment, 0.8, highlight)


def test_agreement_is_worked_out_by_hand() -> None:
    """Shares, kappa beyond chance, and sentiment and highlight only where both found the keyword."""
    old = [[found("배송")], [found("배송")], [found("배송", start=None)], []]
    new = [[found("배송", "부정", 4)], [], [found("배송", start=None)], []]
    first, second = ([Score({}, each, truncated=False) for each in scores] for scores in (old, new))
    findings = {(each.measure, each.subject): each for each in compare_scores(first, second, KEYWORDS)}
    assert findings[NIGHTLY_SHARE, "배송"] == Finding(NIGHTLY_SHARE, "배송", 0.75, 0.5, -0.25, rows=4)
    assert findings[NIGHTLY_AGREEMENT, "배송"].value == 0.75
    assert findings[NIGHTLY_KAPPA, "배송"].value == pytest.approx((0.75 - 0.5) / (1 - 0.5))
    assert findings[NIGHTLY_KAPPA, "가격"].value is None
    assert (findings[NIGHTLY_AGREEMENT, ""].value, findings[NIGHTLY_AGREEMENT, ""].rows) == (0.875, 8)
    assert (findings[NIGHTLY_SENTIMENT, ""].value, findings[NIGHTLY_SENTIMENT, ""].rows) == (0.5, 2)
    assert findings[NIGHTLY_HIGHLIGHT, ""].value == 0.5


def test_models_that_share_no_keyword_agree_on_no_sentiment() -> None:
    """None, and not an error or a share of nothing."""
    scores = [Score({}, [found("배송")], truncated=False)], [Score({}, [], truncated=False)]
    findings = {each.measure: each for each in compare_scores(*scores, KEYWORDS) if not each.subject}
    assert (findings[NIGHTLY_SENTIMENT].value, findings[NIGHTLY_SENTIMENT].rows) == (None, 0)
    assert findings[NIGHTLY_KAPPA].value == 0.0
