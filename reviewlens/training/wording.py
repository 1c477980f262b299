"""Findings in words: the cells of tables, and the verdict in one sentence."""

from collections.abc import Sequence

from reviewlens.training.findings import (
    COMPREHENSIVENESS,
    GATE,
    KEYWORD_F1,
    KEYWORD_MACRO_F1,
    KEYWORD_MICRO_F1,
    NIGHTLY_AGREEMENT,
    NIGHTLY_HIGHLIGHT,
    NIGHTLY_KAPPA,
    NIGHTLY_SENTIMENT,
    NIGHTLY_SHARE,
    RANDOM,
    SENTIMENT_ACCURACY,
    SENTIMENT_MACRO_F1,
    SUFFICIENCY,
    Finding,
    verdict_of,
)

FIGURE_COLUMNS = ("figure", "champion", "challenger", "difference", "interval", "rows", "gate")
NIGHT_COLUMNS = ("keyword", "champion", "challenger", "same answer", "kappa", "rows")
NAMES = {
    KEYWORD_MACRO_F1: "keywords, macro F1",
    KEYWORD_MICRO_F1: "keywords, micro F1",
    KEYWORD_F1: "F1",
    SENTIMENT_ACCURACY: "sentiments, accuracy",
    SENTIMENT_MACRO_F1: "sentiments, macro F1",
    COMPREHENSIVENESS: "comprehensiveness",
    SUFFICIENCY: "sufficiency",
    RANDOM + COMPREHENSIVENESS: "comprehensiveness at random",
    RANDOM + SUFFICIENCY: "sufficiency at random",
    NIGHTLY_AGREEMENT: "all keywords",
    NIGHTLY_SENTIMENT: "sentiment, where both found it",
    NIGHTLY_HIGHLIGHT: "highlight, where both found it",
}
_NONE = "–"


def name_finding(finding: Finding) -> str:
    """What a person calls the figure, such as `F1, 배송`."""
    name = NAMES.get(finding.measure, finding.measure)
    return f"{name}, {finding.subject}" if finding.subject else name


def figure_cells(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    """The rows under `FIGURE_COLUMNS`: figures of both models on the labelled reviews."""
    return [
        (name_finding(each), *_compared(each), f"{each.rows:,}", _say_passed(each.passed))
        for each in findings
        if each.measure != GATE and not each.measure.startswith("nightly_")
    ]


def night_cells(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    """The rows under `NIGHT_COLUMNS`: shares of the last night's reviews, keyword by keyword, then over all."""
    found = {(each.measure, each.subject): each for each in findings}
    rows: list[tuple[str, ...]] = [
        (
            subject,
            _percent(share.champion_value),
            _percent(share.challenger_value),
            _percent(found[NIGHTLY_AGREEMENT, subject].value),
            _number(found[NIGHTLY_KAPPA, subject].value),
            f"{share.rows:,}",
        )
        for (measure, subject), share in found.items()
        if measure == NIGHTLY_SHARE
    ]
    for measure in (NIGHTLY_AGREEMENT, NIGHTLY_SENTIMENT, NIGHTLY_HIGHLIGHT):
        if overall := found.get((measure, "")):
            kappa = found[NIGHTLY_KAPPA, ""].value if measure == NIGHTLY_AGREEMENT else None
            rows.append((NAMES[measure], "", "", _percent(overall.value), _number(kappa), f"{overall.rows:,}"))
    return rows


def name_failed(findings: Sequence[Finding]) -> list[str]:
    """The names of the gates that said no."""
    return [name_finding(each) for each in findings if each.passed is False and each.measure != GATE]


def say_verdict(findings: Sequence[Finding]) -> str:
    """The verdict in one sentence, which names the gates that said no."""
    rows = verdict_of(findings).rows
    gates = sum(each.passed is not None and each.measure != GATE for each in findings)
    if failed := name_failed(findings):
        return (
            f"The gate says no: {len(failed)} of {gates} gates failed on {rows:,} test reviews ({'; '.join(failed)})."
        )
    return f"The gate says yes: {gates} of {gates} gates passed on {rows:,} test reviews."


def _compared(finding: Finding) -> tuple[str, str, str, str]:
    is_defined = finding.low is not None and finding.high is not None
    interval = f"{finding.low:+.3f} … {finding.high:+.3f}" if is_defined else _NONE
    difference = _NONE if finding.difference is None else f"{finding.difference:+.3f}"
    return _number(finding.champion_value), _number(finding.challenger_value), difference, interval


def _say_passed(passed: bool | None) -> str:
    return "" if passed is None else "passed" if passed else "failed"


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1%}"
