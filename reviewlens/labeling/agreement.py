"""How far people agree: Krippendorff's alpha, what they take for one another, and who disagrees with all others.

Krippendorff, K. (2019), "Content Analysis", 4th edition, chapter 12.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import krippendorff
import numpy as np
import numpy.typing as npt

from reviewlens.taxonomy import Taxonomy

NOBODY_TWICE = "nothing was judged by two people"
NO_VARIATION = "all judged alike, and so nothing tells agreement from chance"
NEVER_GIVEN = "nobody gave it"

_Group = Sequence["Opinion"]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one person says of one review: the sentiment of each keyword found in it."""

    review_id: str
    annotator: str
    sentiments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Alpha:
    """Krippendorff's alpha: 1 is agreement, 0 what chance gives.

    Attributes:
        value: None where it is not defined.
        units: reviews, or pairs of review and keyword, that at least two people judged.
        undefined: why it is not defined.
        chance: expected disagreement, up to a factor that all alphas of the same groups share.
    """

    value: float | None
    units: int
    undefined: str | None = None
    chance: float = 0.0


@dataclass(frozen=True, slots=True)
class Confusion:
    """Two names of which one person gave the one where another gave the other.

    `count` counts pairs of people and reviews; `share` is of those in which either name was given.
    """

    names: tuple[str, str]
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How one annotator agrees with the rest, over `shared` reviews, beside how the rest agree among themselves."""

    annotator: str
    shared: int
    alpha: Alpha
    others: Alpha
    disagrees: bool


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A keyword that people gave, or did not give, against the model's confident judgement."""

    review_id: str
    keyword: str
    is_given: bool
    annotators: tuple[str, ...]
    probability: float


def group_opinions(opinions: Iterable[Opinion]) -> list[list[Opinion]]:
    """Opinions of the same review, where at least two people have one; in the order of ids and annotators."""
    by_review: dict[str, dict[str, Opinion]] = {}
    for opinion in opinions:
        by_review.setdefault(opinion.review_id, {})[opinion.annotator] = opinion
    return [
        [each for _, each in sorted(by_review[key].items())] for key in sorted(by_review) if len(by_review[key]) > 1
    ]


def measure_keywords(groups: Sequence[_Group], keywords: Sequence[str]) -> dict[str, Alpha]:
    """Alpha of each keyword over reviews: nominal, given or not."""
    alphas = {}
    for keyword in keywords:
        given = [sum(keyword in opinion.sentiments for opinion in group) for group in groups]
        counts = np.array([(len(group) - yes, yes) for group, yes in zip(groups, given, strict=True)], dtype=int)
        alphas[keyword] = _alpha(counts.reshape(-1, 2), np.arange(2), "nominal", NOBODY_TWICE if not groups else None)
        if groups and not any(given):
            alphas[keyword] = Alpha(None, len(groups), NEVER_GIVEN)
    return alphas


def combine_alphas(alphas: Iterable[Alpha]) -> Alpha:
    """Alpha over all keywords: one minus the sum of their observed over the sum of their expected disagreements.

    Each keyword keeps its own chance. One alpha over all pairs of review and keyword would take for agreement that
    people know which keywords are frequent.

    Args:
        alphas: of keywords over the same groups.
    """
    all_alphas = list(alphas)
    units = max((alpha.units for alpha in all_alphas), default=0)
    chance = sum(alpha.chance for alpha in all_alphas)
    if not chance:
        return Alpha(None, units, NO_VARIATION if units else NOBODY_TWICE)
    return Alpha(sum(alpha.chance * (alpha.value or 0.0) for alpha in all_alphas) / chance, units, None, chance)


def measure_sentiments(groups: Sequence[_Group], taxonomy: Taxonomy) -> Alpha:
    """Alpha of the sentiments over pairs of review and keyword that at least two people named.

    Interval on the taxonomy's values, because averages are taken over these: two levels apart weigh four times one.
    Ordinal distances would change with how often each level was given, and one floor could not serve every round.
    """
    names = taxonomy.sentiment_names
    rows = []
    for group in groups:
        for keyword in taxonomy.keywords:
            given = Counter(opinion.sentiments[keyword] for opinion in group if keyword in opinion.sentiments)
            if given.total() > 1:
                rows.append([given[name] for name in names])
    counts = np.array(rows, dtype=int).reshape(-1, len(names))
    values = np.array([level.value for level in taxonomy.sentiments])
    return _alpha(counts, values, "interval", None if rows else NOBODY_TWICE)


def confuse_keywords(groups: Sequence[_Group]) -> list[Confusion]:
    """Which keyword was given where another person gave which: each without the other; most frequent first."""
    confused: Counter[tuple[str, str]] = Counter()
    pairs = [pair for group in groups for pair in combinations(group, 2)]
    for one, other in pairs:
        only_one, only_other = (
            left.sentiments.keys() - right.sentiments.keys() for left, right in ((one, other), (other, one))
        )
        confused.update({_order(mine, theirs) for mine in only_one for theirs in only_other})
    given = [one.sentiments.keys() | other.sentiments.keys() for one, other in pairs]
    return _rank(confused, {names: sum(not keywords.isdisjoint(names) for keywords in given) for names in confused})


def confuse_sentiments(groups: Sequence[_Group]) -> list[Confusion]:
    """Which level was given where another person gave which, of the same keyword; most frequent first."""
    confused: Counter[tuple[str, str]] = Counter()
    given: Counter[str] = Counter()
    for one, other in (pair for group in groups for pair in combinations(group, 2)):
        for keyword in one.sentiments.keys() & other.sentiments.keys():
            mine, theirs = one.sentiments[keyword], other.sentiments[keyword]
            given.update({mine, theirs})
            if mine != theirs:
                confused[_order(mine, theirs)] += 1
    return _rank(confused, {names: given[names[0]] + given[names[1]] - confused[names] for names in confused})


def judge_annotators(groups: Sequence[_Group], keywords: Sequence[str], gap: float, min_shared: int) -> list[Standing]:
    """Each annotator's agreement with the rest, worst first.

    Somebody disagrees with all others when alpha over the pairs with this person is lower by more than `gap` than alpha
    over the pairs without. Of two people neither can be named, for there is no rest. In 60 simulated rounds each of 30
    to 120 doubly labelled reviews with 3 or 5 people, a gap of 0.2 named one of 40 who were as careful as the others,
    or fewer, and nine of ten or more of those who missed half of the keywords.

    Args:
        groups: opinions of the same review.
        keywords: the taxonomy's.
        gap: difference of alphas.
        min_shared: reviews that a person must share with the rest, and the rest among themselves, to be named.
    """
    pairs = [pair for group in groups for pair in combinations(group, 2)]
    standings = []
    for name in sorted({opinion.annotator for group in groups for opinion in group}):
        mine = [pair for pair in pairs if name in (pair[0].annotator, pair[1].annotator)]
        rest = [pair for pair in pairs if name not in (pair[0].annotator, pair[1].annotator)]
        alpha, others = (combine_alphas(measure_keywords(part, keywords).values()) for part in (mine, rest))
        shared, elsewhere = (len({one.review_id for one, _ in part}) for part in (mine, rest))
        is_low = alpha.value is not None and others.value is not None and alpha.value < others.value - gap
        standings.append(Standing(name, shared, alpha, others, is_low and min(shared, elsewhere) >= min_shared))
    return sorted(standings, key=lambda each: (each.alpha.value is None, each.alpha.value or 0.0, each.annotator))


def find_contradictions(
    opinions: Iterable[Opinion], probabilities: Mapping[str, Mapping[str, float]], limit: float
) -> list[Contradiction]:
    """Labels that the model contradicts, the most confident first.

    A keyword that somebody did not give contradicts a probability of `limit` or more, one that somebody gave a
    probability of 1 - `limit` or less. Confident learning (Northcutt et al. 2021) would estimate a limit for each
    keyword from the labels themselves; one limit for all needs no estimate from a round of a few hundred.

    Args:
        opinions: also those of reviews that one person labelled.
        probabilities: the model's, by review and keyword; reviews without any contradict nothing.
        limit: above 0.5.
    """
    against: dict[tuple[str, str, bool], list[str]] = {}
    for opinion in opinions:
        for keyword, probability in probabilities.get(opinion.review_id, {}).items():
            is_given = keyword in opinion.sentiments
            if (1 - probability if is_given else probability) >= limit:
                against.setdefault((opinion.review_id, keyword, is_given), []).append(opinion.annotator)
    found = [
        Contradiction(review_id, keyword, is_given, tuple(sorted(annotators)), probabilities[review_id][keyword])
        for (review_id, keyword, is_given), annotators in against.items()
    ]
    return sorted(found, key=lambda each: (-abs(each.probability - 0.5), each.review_id, each.keyword))


def _alpha(
    counts: npt.NDArray[np.int_],
    values: npt.NDArray[np.int_],
    level: Literal["nominal", "interval"],
    undefined: str | None,
) -> Alpha:
    """Alpha of `counts`, of shape (units, values); the units have at least two judgements each."""
    totals = counts.sum(axis=0)
    if undefined is None and np.count_nonzero(totals) < 2:  # noqa: PLR2004
        undefined = NO_VARIATION
    if undefined is not None:
        return Alpha(None, len(counts), undefined)
    alpha = krippendorff.alpha(value_counts=counts, value_domain=values, level_of_measurement=level)
    chance = float(totals.sum() ** 2 - (totals**2).sum()) / 2
    return Alpha(float(alpha), len(counts), None, chance)


def _order(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)


def _rank(confused: Mapping[tuple[str, str], int], cases: Mapping[tuple[str, str], int]) -> list[Confusion]:
    ranked = [Confusion(names, count, count / cases[names]) for names, count in confused.items()]
    return sorted(ranked, key=lambda each: (-each.count, -each.share, each.names))
