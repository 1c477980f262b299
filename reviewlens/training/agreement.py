"""How often two models say the same of reviews that nobody labelled."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import cohen_kappa_score

from reviewlens.inference.results import KeywordScore, Score
from reviewlens.training.findings import (
    NIGHTLY_AGREEMENT,
    NIGHTLY_HIGHLIGHT,
    NIGHTLY_KAPPA,
    NIGHTLY_SENTIMENT,
    NIGHTLY_SHARE,
    Finding,
)


def compare_scores(champion: Sequence[Score], challenger: Sequence[Score], keywords: Sequence[str]) -> list[Finding]:
    """What both models found in the same reviews; no gate.

    For each keyword the share of reviews in which each model found it, the share in which they agree, and Cohen's
    kappa, which takes out what agrees by chance (None where both always say the same). Then, over all keywords that
    both found, the shares with the same sentiment and with the same highlight.
    """
    rows = len(champion)
    ours, theirs = _found(champion, keywords), _found(challenger, keywords)
    findings = [
        Finding(NIGHTLY_AGREEMENT, value=_share(ours == theirs), rows=ours.size),
        Finding(NIGHTLY_KAPPA, value=_kappa(ours.ravel(), theirs.ravel()), rows=ours.size),
    ]
    for name, old, new in zip(keywords, ours.T, theirs.T, strict=True):
        shares = _share(old), _share(new)
        difference = None if shares[0] is None or shares[1] is None else shares[1] - shares[0]
        findings += [
            Finding(NIGHTLY_SHARE, name, *shares, difference, rows=rows),
            Finding(NIGHTLY_AGREEMENT, name, value=_share(old == new), rows=rows),
            Finding(NIGHTLY_KAPPA, name, value=_kappa(old, new), rows=rows),
        ]
    common = _common(champion, challenger)
    sentiments = np.array([old.sentiment == new.sentiment for old, new in common])
    highlights = np.array([_place(old) == _place(new) for old, new in common])
    return [
        *findings,
        Finding(NIGHTLY_SENTIMENT, value=_share(sentiments), rows=len(common)),
        Finding(NIGHTLY_HIGHLIGHT, value=_share(highlights), rows=len(common)),
    ]


def _found(scores: Sequence[Score], keywords: Sequence[str]) -> npt.NDArray[np.bool_]:
    rows = [{found.keyword for found in score.keywords} for score in scores]
    return np.array([[name in row for name in keywords] for row in rows], dtype=bool).reshape(-1, len(keywords))


def _common(champion: Sequence[Score], challenger: Sequence[Score]) -> list[tuple[KeywordScore, KeywordScore]]:
    """The keywords that both found, review by review."""
    pairs = []
    for old, new in zip(champion, challenger, strict=True):
        found = {each.keyword: each for each in new.keywords}
        pairs += [(each, found[each.keyword]) for each in old.keywords if each.keyword in found]
    return pairs


def _place(found: KeywordScore) -> tuple[int, int] | None:
    return (found.highlight.start, found.highlight.end) if found.highlight else None


def _share(flags: npt.NDArray[np.bool_]) -> float | None:
    return float(flags.mean()) if flags.size else None


def _kappa(old: npt.NDArray[np.bool_], new: npt.NDArray[np.bool_]) -> float | None:
    if len({*old.tolist(), *new.tolist()}) < 2:  # noqa: PLR2004  both constant, and the same
        return None
    return float(cohen_kappa_score(old, new))
