"""How far people agree, what they confuse, who stands apart, and what the model contradicts."""

import krippendorff
import numpy as np
import pytest

from reviewlens.labeling.agreement import (
    NEVER_GIVEN,
    NO_VARIATION,
    NOBODY_TWICE,
    Contradiction,
    Opinion,
    combine_alphas,
    confuse_keywords,
    confuse_sentiments,
    find_contradictions,
    group_opinions,
    judge_annotators,
    measure_keywords,
    measure_sentiments,
)
from reviewlens.taxonomy import Taxonomy


def say(review_id: str, annotator: str, *keywords: str, **sentiments: str) -> Opinion:
    return Opinion(review_id, annotator, dict.fromkeys(keywords, "긍정") | sentiments)


def test_alpha_of_a_keyword_is_krippendorffs_over_reviews_that_two_people_judged() -> None:
    """By hand: of 4 reviews 1 differs, 8 judgements of which 3 give it; alpha = 1 - (2/8) / (2*3*5/(8*7))."""
    opinions = [
        *(say("1", who, "배송") for who in "가나"),
        *(say("2", who) for who in "가나"),
        *(say("3", who) for who in "가나"),
        say("4", "가", "배송"),
        say("4", "나"),
        say("5", "가", "배송"),
    ]
    alpha = measure_keywords(group_opinions(opinions), ["배송"])["배송"]
    assert alpha.value == pytest.approx(1 - (2 / 8) / (30 / 56))
    assert alpha.units == 4


def test_alpha_that_is_not_defined_says_why() -> None:
    """Nobody twice, one person only, never given, always given: no number, and no failure."""
    one = group_opinions([say("1", "가", "배송"), say("2", "가"), say("2", "가", "배송")])
    assert one == []
    assert [measure_keywords(one, ["배송"])["배송"].undefined, combine_alphas([]).undefined] == [NOBODY_TWICE] * 2
    always = group_opinions([say(str(number), who, "배송") for number in range(3) for who in "가나"])
    alphas = measure_keywords(always, ["배송", "색상"])
    assert [(each.value, each.units, each.undefined) for each in alphas.values()] == [
        (None, 3, NO_VARIATION),
        (None, 3, NEVER_GIVEN),
    ]
    assert combine_alphas(alphas.values()).undefined == NO_VARIATION


def test_alpha_over_all_keywords_does_not_take_frequencies_for_agreement() -> None:
    """Two people who toss a coin of the same bias for each keyword agree by chance alone."""
    rng = np.random.default_rng(1)
    rates = {"배송": 0.95, "색상": 0.05}
    opinions = [
        say(str(number), who, *(name for name, rate in rates.items() if rng.random() < rate))
        for number in range(600)
        for who in "가나"
    ]
    groups = group_opinions(opinions)
    counts = [
        [2 - given, given]
        for group in groups
        for name in rates
        for given in [sum(name in opinion.sentiments for opinion in group)]
    ]
    assert krippendorff.alpha(value_counts=counts, level_of_measurement="nominal") > 0.7
    assert combine_alphas(measure_keywords(groups, list(rates)).values()).value == pytest.approx(0, abs=0.1)


def test_sentiments_are_compared_where_both_named_the_keyword_and_by_their_distance(taxonomy: Taxonomy) -> None:
    """One level apart costs less than four; a keyword that one of them left out is no unit."""

    def alpha(last: str) -> float:
        pairs = [("매우부정", "매우부정"), ("부정", "부정"), ("긍정", "긍정"), ("매우긍정", last)]
        opinions = [
            Opinion(str(number), who, {"배송": level, **({"색상": "긍정"} if who == "가" else {})})
            for number, levels in enumerate(pairs)
            for who, level in zip("가나", levels, strict=True)
        ]
        found = measure_sentiments(group_opinions(opinions), taxonomy)
        assert found.units == 4
        assert found.value is not None
        return found.value

    assert 0.9 < alpha("긍정") < 1
    assert alpha("매우부정") < 0.3


def test_confused_keywords_and_levels_are_counted_by_pairs_of_people() -> None:
    """Each without the other; the share is of the pairs of people in which either was given."""
    opinions = [
        say("1", "가", "스타일", 배송="부정"),
        say("1", "나", "디자인", 배송="매우부정"),
        say("2", "가", "디자인", "색상"),
        say("2", "나", "디자인", "스타일", "색상"),
        say("3", "가", 배송="매우부정"),
        say("3", "나", 배송="매우부정"),
        say("3", "다", 배송="부정"),
    ]
    groups = group_opinions(opinions)
    assert [(each.names, each.count, each.share) for each in confuse_keywords(groups)] == [
        (("디자인", "스타일"), 1, 1 / 2)
    ]
    assert [(each.names, each.count, each.share) for each in confuse_sentiments(groups)] == [
        (("매우부정", "부정"), 3, 3 / 4)
    ]


def rounds_of(people: str, reviews: int, odd: str | None = None) -> list[Opinion]:
    """Everybody labels alike, every second review 배송, but that the odd one says the opposite each third time."""
    return [
        say(str(number), who, *(["배송"] if (number % 2 == 0) != (who == odd and number % 3 == 0) else []))
        for number in range(reviews)
        for who in people
    ]


def test_the_one_who_disagrees_with_all_others_is_named_and_nobody_else() -> None:
    """The others' alpha is among themselves: the odd one does not pull it down."""
    standings = judge_annotators(group_opinions(rounds_of("가나다", 30, odd="나")), ["배송"], 0.2, 10)
    assert [each.annotator for each in standings if each.disagrees] == ["나"]
    assert standings[0].annotator == "나"
    assert standings[0].others.value == 1
    assert standings[0].alpha.value is not None
    assert standings[0].alpha.value < 0.5
    assert standings[0].shared == 30


def test_nobody_is_named_of_two_people_nor_from_a_few_reviews() -> None:
    """Of two who differ neither is the odd one."""
    for people, reviews in (("가나", 30), ("가나다", 9)):
        standings = judge_annotators(group_opinions(rounds_of(people, reviews, odd="나")), ["배송"], 0.2, 10)
        assert not any(each.disagrees for each in standings)


def test_labels_that_the_model_contradicts_come_with_who_gave_them_surest_first() -> None:
    """Missing against a high probability, given against a low one; reviews without probabilities say nothing."""
    opinions = [say("1", "나"), say("1", "가"), say("1", "다", "배송"), say("2", "가", "배송", "색상"), say("3", "가")]
    probabilities = {"1": {"배송": 0.96}, "2": {"배송": 0.01, "색상": 0.2}}
    assert find_contradictions(opinions, probabilities, 0.95) == [
        Contradiction("2", "배송", True, ("가",), 0.01),
        Contradiction("1", "배송", False, ("가", "나"), 0.96),
    ]
