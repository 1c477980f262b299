"""Marked words: which unit offsets count in, and which whole words they touch."""

import unicodedata

import pytest

from reviewlens.labeling.labels import Highlight, Region
from reviewlens.labeling.spans import is_same_text, locate_regions, locate_word, mark_words

TEXT = "😀👍🏽 핏이 예뻐요\n배송은 늦어요 예뻐요"


def utf16(offset: int) -> int:
    return len(TEXT[:offset].encode("utf-16-le")) // 2


def region(word: str, *, in_units: bool = False, text: str | None = "") -> Region:
    start = TEXT.index(word)
    end = start + len(word)
    places = (utf16(start), utf16(end)) if in_units else (start, end)
    return Region(*places, word if text == "" else text)


@pytest.mark.parametrize("in_units", [False, True])
def test_offsets_after_an_emoji_are_right_in_both_units(in_units: bool) -> None:
    """Code points as Label Studio's editor counts today, UTF-16 units as it did before 2021."""
    spans = locate_regions(TEXT, [region("핏이", in_units=in_units), region("늦어요", in_units=in_units)])
    assert spans is not None
    assert [TEXT[start:end] for start, end in spans] == ["핏이", "늦어요"]


def test_the_unit_is_one_for_the_whole_annotation() -> None:
    """Where a word fits in both units, the others decide."""
    text = "😀아아아 나"
    assert locate_regions(text, [Region(3, 4, "아")]) == [(3, 4)]
    assert locate_regions(text, [Region(3, 4, "아"), Region(6, 7, "나")]) == [(2, 3), (5, 6)]


def test_our_own_spans_and_a_tool_s_in_units_stand_together() -> None:
    """Each fits in its own unit when none fits all."""
    spans = locate_regions(TEXT, [region("핏이"), region("늦어요", in_units=True)])
    assert spans is not None
    assert [TEXT[start:end] for start, end in spans] == ["핏이", "늦어요"]


@pytest.mark.parametrize(
    "faulty",
    [Region(0, 2, "핏이"), Region(4, 400, "핏이"), Region(-3, 2, "핏이"), Region(5, 5, ""), Region(3, 4, " ")],
)
def test_what_does_not_stand_there_is_refused(faulty: Region) -> None:
    """Other words, offsets outside, nothing, and whitespace alone."""
    assert locate_regions(TEXT, [region("핏이"), faulty]) is None


def test_without_the_seen_words_both_units_must_agree() -> None:
    """After an emoji nobody can tell."""
    assert locate_regions("핏이 예뻐요 😀", [Region(0, 2, None)]) == [(0, 2)]
    assert locate_regions(TEXT, [region("핏이", text=None)]) is None


def test_a_line_s_end_is_a_backslash_and_an_n_in_label_studio() -> None:
    """A region over two lines."""
    assert locate_regions(TEXT, [region("예뻐요\n배송은", text=r"예뻐요\n배송은")]) == [(7, 14)]


def test_spans_become_the_whole_words_that_they_touch() -> None:
    """Each once, in the order in which they were marked; a space at the edge touches nothing."""
    assert mark_words(TEXT, [(14, 18)]) == (Highlight("늦어요", 15, 18),)
    assert mark_words(TEXT, [(12, 16), (5, 6)]) == (
        Highlight("배송은", 11, 14),
        Highlight("늦어요", 15, 18),
        Highlight("핏이", 4, 6),
    )


def test_words_without_a_place_are_found() -> None:
    """A whole word before a part, composed or not, first of several."""
    assert locate_word("예뻐요! 예뻐요", "예뻐요") == (5, 8)
    assert locate_word("예뻐요! 좋아요", "예뻐") == (0, 4)
    text = unicodedata.normalize("NFD", "핏이 예뻐요")
    assert locate_word(text, "예뻐요") == (text.index(" ") + 1, len(text))
    assert locate_word("예뻐요", "늦어요") is None
    assert locate_word("예뻐요", "?") is None


def test_a_text_that_went_through_excel_is_the_same() -> None:
    """Line ends, composition, and emoji that CP949 lacks; any other letter makes another text."""
    assert is_same_text("??? 핏이 예뻐요\r\n배송은 늦어요 예뻐요", TEXT)
    assert is_same_text(unicodedata.normalize("NFD", TEXT), TEXT)
    assert not is_same_text("??? 핏이 예뻐요\r\n배송은 빨라요 예뻐요", TEXT)
    assert not is_same_text(TEXT.replace("😀", ""), TEXT)
