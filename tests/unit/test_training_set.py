"""Training sets without Spark: answers resolved, parts, and the hash."""

from dataclasses import replace

import pytest

from reviewlens.errors import InputContractError
from reviewlens.labeling.answers import Answer, hash_answers, hold_taxonomy
from reviewlens.labeling.labels import Highlight, KeywordLabel
from reviewlens.labeling.training_set import FrozenReview, compose, hash_content, part_key, resolve_answers
from reviewlens.taxonomy import Taxonomy

TEXT = "배송 늦어요 색상 예뻐요"
LATE, NICE = Highlight("늦어요", 3, 6), Highlight("예뻐요", 10, 13)


def answer(annotator: str, *labels: KeywordLabel, **changes: object) -> Answer:
    plain = Answer("1차", "r", "가몰", TEXT, annotator, labels, False, "2026.1", 0)
    return replace(plain, **changes)  # type: ignore[arg-type]


def review(number: int, *, is_random: bool = True, text: str | None = None) -> FrozenReview:
    return FrozenReview(f"r{number}", "가몰", text or f"리뷰 {number}번", (), "train", is_random, "1차", 1)


def test_a_keyword_stays_when_at_least_half_gave_it(taxonomy: Taxonomy) -> None:
    """Two of three, one of two; not one of three. Labels stand in the taxonomy's order."""
    price, late = KeywordLabel("가격", "긍정"), KeywordLabel("배송", "부정")
    [three] = resolve_answers([answer("가", late, price), answer("나", late), answer("다")], taxonomy)
    assert ([label.keyword for label in three.labels], three.annotators) == (["배송"], 3)
    [two] = resolve_answers([answer("가", late), answer("나", price)], taxonomy)
    assert [label.keyword for label in two.labels] == ["가격", "배송"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["매우부정", "부정", "긍정"], "부정"),
        (["긍정", "매우긍정"], "긍정"),
        (["매우부정", "부정"], "부정"),
        (["부정", "긍정"], "부정"),
        (["매우부정", "긍정"], "긍정"),
    ],
)
def test_the_sentiment_is_the_median_and_of_two_the_nearer_to_neutral(
    taxonomy: Taxonomy, given: list[str], expected: str
) -> None:
    """Always one that somebody gave, whoever was first; of two as near the lower."""
    for order in (given, given[::-1]):
        answers = [answer(str(number), KeywordLabel("배송", level)) for number, level in enumerate(order)]
        [resolved] = resolve_answers(answers, taxonomy)
        assert [label.sentiment for label in resolved.labels] == [expected]


def test_highlights_are_all_that_were_marked_those_of_most_people_first(taxonomy: Taxonomy) -> None:
    """Each once."""
    answers = [
        answer("가", KeywordLabel("배송", "부정", (NICE, LATE))),
        answer("나", KeywordLabel("배송", "부정", (LATE,))),
    ]
    [resolved] = resolve_answers(answers, taxonomy)
    assert resolved.labels[0].highlights == (LATE, NICE)


def test_a_person_counts_once_and_only_for_the_newest_text(taxonomy: Taxonomy) -> None:
    """A second round's answer replaces the first; a random pick stays one."""
    late, nice = KeywordLabel("배송", "부정"), KeywordLabel("색상", "긍정")
    [resolved] = resolve_answers(
        [
            answer("가", nice, labelled_at=1, is_random=True),
            answer("가", late, labelled_at=2, round="2차"),
            answer("나", nice, labelled_at=1, text="옛 글"),
        ],
        taxonomy,
    )
    assert ([label.keyword for label in resolved.labels], resolved.annotators) == (["배송"], 1)
    assert (resolved.is_random, resolved.round) == (True, "2차")


def test_only_random_picks_measure_and_in_the_shares_asked_for() -> None:
    """Chosen ones are all in train; a part follows from the text alone, not from the others."""
    reviews = [review(number, is_random=number % 2 == 0) for number in range(4000)]
    composed = compose(reviews, [], {}, 0.5, 0.2)
    assert {part: composed.count(part) for part in ("train", "validation", "test")} == pytest.approx(
        {"train": 2600, "validation": 400, "test": 1000}, rel=0.1
    )
    assert all(each.is_random for each in composed.reviews if each.part != "train")
    fewer = {each.review_id: each.part for each in compose(reviews[:100], [], {}, 0.5, 0.2).reviews}
    assert fewer.items() <= {each.review_id: each.part for each in composed.reviews}.items()


def test_near_duplicates_never_lie_in_two_parts() -> None:
    """Those of a review that measures leave train, the corpus's too; random ones go the same way together."""
    reviews = [review(number) for number in range(200)]
    shouted = [review(1000 + number, text=f"리뷰~~ {number}번!!!") for number in range(200)]
    chosen = [review(2000 + number, text=f"리뷰, {number}번 ㅋ", is_random=False) for number in range(50)]
    alike = [review(3000 + number, text=f"리뷰{number}번.", is_random=False) for number in range(50)]
    composed = compose([*reviews, *shouted, *chosen], [*alike, review(7, is_random=False)], {}, 0.5, 0.2)
    parts: dict[str, set[str]] = {}
    for each in composed.reviews:
        parts.setdefault(part_key(each.text), set()).add(each.part)
    assert max(map(len, parts.values())) == 1
    kept = {each.review_id for each in composed.reviews}
    measured = sum(each.part != "train" for each in compose(reviews[:50], [], {}, 0.5, 0.2).reviews)
    assert len({each.review_id for each in alike} - kept) == composed.near_duplicates == measured
    assert {each.review_id for each in chosen} <= kept
    assert composed.relabelled == 1


def test_what_an_earlier_version_measured_is_never_learned_nor_the_other_way() -> None:
    """Whatever the shares are now, and whether the review is picked by chance this time or not."""
    earlier = {part_key("리뷰 0번"): "test", part_key("리뷰 1번"): "train"}
    composed = compose([review(0), review(1), review(2)], [], earlier, 0.0, 0.0)
    assert [each.part for each in composed.reviews] == ["test", "train", "train"]
    composed = compose([review(1), review(0, is_random=False)], [], earlier, 0.9, 0.0)
    assert [(each.review_id, each.part) for each in composed.reviews] == [("r1", "train")]


def test_texts_of_emoji_alone_are_not_all_alike() -> None:
    """Their skeletons are empty, and yet 😀 is no near-duplicate of 👎."""
    assert part_key("😀 ") == part_key("😀") != part_key("👎")


def test_the_hash_follows_the_content_and_not_its_order() -> None:
    """A part, a word's offset, an annotator more: another hash."""
    first, second = review(1), replace(review(2), labels=(KeywordLabel("배송", "부정", (LATE,)),))
    content = hash_content([first, second])
    assert hash_content([second, first]) == content
    changes: list[dict[str, object]] = [
        {"part": "test"},
        {"annotators": 2},
        {"labels": (KeywordLabel("배송", "부정", (NICE,)),)},
    ]
    for change in changes:
        assert hash_content([first, replace(second, **change)]) != content  # type: ignore[arg-type]


def test_answers_in_another_taxonomy_are_told_by_round(taxonomy: Taxonomy) -> None:
    """Its version differs, or it names what this one does not know; no text is told."""
    old = answer("가", KeywordLabel("맛", "긍정"), round="0차", taxonomy_version="2025.1")
    with pytest.raises(InputContractError, match=r"round 0차: 1 in taxonomy 2025\.1 with 맛") as caught:
        hold_taxonomy([answer("나"), old], taxonomy)
    assert "늦어요" not in str(caught.value)
    with pytest.raises(InputContractError, match=r"with 맛"):
        hold_taxonomy([replace(old, taxonomy_version="2026.1")], taxonomy)


def test_the_hash_of_answers_knows_who_said_what_and_not_when() -> None:
    """So that a check is of these labels and no others."""
    late = KeywordLabel("배송", "부정", (LATE,))
    said = [answer("가", late), answer("나")]
    assert hash_answers(said[::-1]) == hash_answers([answer("가", late, labelled_at=9), answer("나")])
    assert len({hash_answers(each) for each in (said, [answer("나", late), answer("가")], said[:1])}) == 3
