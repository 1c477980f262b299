"""Text at the edge."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewlens.text import Word, hide_words, normalize, skeleton, split_words

KOREAN = st.text(
    st.sampled_from("옷은예쁘지만 배송ㅋㅠ늦어요😀👍🏽\u200d\u00a0\u3000\t\nab!.~\u0301") | st.characters(), max_size=60
)


@given(KOREAN)
def test_words_of_the_stored_text_and_of_its_nfc_form_are_the_same_words(text: str) -> None:
    """NFC moves no whitespace: word i of the scored text is word i of the stored one, at its own offsets."""
    for stored in (text, unicodedata.normalize("NFD", text)):
        words, scored = split_words(stored), split_words(normalize(stored))
        assert [normalize(word.text) for word in words] == [word.text for word in scored]
        assert [stored[word.start : word.end] for word in words] == [word.text for word in words]
        assert [word.text for word in words] == stored.split()


def test_offsets_count_code_points() -> None:
    """An emoji outside the basic plane is one code point, though two UTF-16 units; NFD Hangul is several."""
    nfd = unicodedata.normalize("NFD", "색이")
    assert split_words(f"😀 {nfd}") == [Word("😀", 0, 1), Word(nfd, 2, 2 + len(nfd))]
    assert len(nfd) == 5


def test_compatibility_jamo_stay() -> None:
    """ㅋㅋㅋ is no syllable in the making: NFKC would turn it into other letters."""
    assert normalize("ㅋㅋㅋ ㅠㅠ") == "ㅋㅋㅋ ㅠㅠ"


def test_lone_surrogates_become_the_replacement_character() -> None:
    """A lone surrogate cannot be encoded; it is replaced one for one, so that offsets hold."""
    assert normalize("좋아요\ud83d 끝") == "좋아요\ufffd 끝"


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [([], "옷은  예쁘지만 늦어요"), ([1], "옷은  [M] 늦어요"), ([0, 2], "[M]  예쁘지만 [M]")],
)
def test_hidden_words_give_way_to_the_mask_and_whitespace_stays(hidden: list[int], expected: str) -> None:
    """Only the words change."""
    text = "옷은  예쁘지만 늦어요"
    words = split_words(text)
    assert hide_words(text, [words[index] for index in hidden], "[M]") == expected


def test_near_duplicates_have_one_skeleton() -> None:
    """Spaces, punctuation, emoji, case, NFD and drawn-out letters make no difference; letters and numbers do."""
    alike = [
        "좋아요 ㅋㅋ XL 1000원",
        "좋아요ㅋㅋㅋㅋ!! xl 1000원 😀",
        unicodedata.normalize("NFD", "좋아요 ㅋ xl_1000원"),
    ]
    assert {skeleton(text) for text in alike} == {"좋아요ㅋxl1000원"}
    assert skeleton("좋아요 ㅋ xl 100원") != skeleton(alike[0])
    assert skeleton("😀 !!") == ""
