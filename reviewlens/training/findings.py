"""What a comparison of two bundles finds: one figure after another, and the verdict over those that are gates."""

from collections.abc import Sequence
from dataclasses import dataclass

GATE = "gate"
KEYWORD_MACRO_F1 = "keyword_macro_f1"
KEYWORD_MICRO_F1 = "keyword_micro_f1"
KEYWORD_F1 = "keyword_f1"
SENTIMENT_ACCURACY = "sentiment_accuracy"
SENTIMENT_MACRO_F1 = "sentiment_macro_f1"
COMPREHENSIVENESS = "comprehensiveness"
SUFFICIENCY = "sufficiency"
RANDOM = "random_"  # before the name of a figure: the same for a random word
NIGHTLY_SHARE = "nightly_share"
NIGHTLY_AGREEMENT = "nightly_agreement"
NIGHTLY_KAPPA = "nightly_kappa"
NIGHTLY_SENTIMENT = "nightly_sentiment_agreement"
NIGHTLY_HIGHLIGHT = "nightly_highlight_agreement"


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure of a comparison.

    Attributes:
        measure: what was measured, a constant of this module.
        subject: of what: a keyword, a number of words; empty where it is of everything.
        champion_value: the champion's figure.
        challenger_value: the challenger's.
        difference: challenger less champion.
        low: lower end of the difference's interval.
        high: upper end.
        value: a figure of both together, such as their agreement.
        rows: how many reviews, or review-keyword pairs, it stands on.
        passed: None where the figure decides nothing.
    """

    measure: str
    subject: str = ""
    champion_value: float | None = None
    challenger_value: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    value: float | None = None
    rows: int = 0
    passed: bool | None = None


@dataclass(frozen=True, slots=True)
class Contest:
    """What was compared: both bundles' ids, the training set whose test part measured them, and the settings.

    `evaluation_id` is the hash of all that; `settings` is JSON.
    """

    evaluation_id: str
    challenger: str
    champion: str
    training_set: int
    content_hash: str
    settings: str


def with_verdict(findings: Sequence[Finding], rows: int) -> list[Finding]:
    """The findings after their verdict: it passes when every gate among them does. `rows` counts the test reviews."""
    return [Finding(GATE, rows=rows, passed=all(each.passed is not False for each in findings)), *findings]


def verdict_of(findings: Sequence[Finding]) -> Finding:
    """The verdict among the findings."""
    return next(each for each in findings if each.measure == GATE)


def select_findings(findings: Sequence[Finding], *measures: str) -> list[Finding]:
    """Those of the given measures, in the order of the findings."""
    return [each for each in findings if each.measure in measures]
