"""Text at the edge: what is scored, and where each word stands in what is stored.

Offsets are code points of the stored text, as Python counts them. Browsers and JavaScript tools count UTF-16 units.
"""

import re
import unicodedata
from dataclasses import dataclass

_WORD = re.compile(r"\S+")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_WORD_CHARACTER = re.compile(r"[\W_]")
_REPEATED = re.compile(r"([^0-9])\1+")


@dataclass(frozen=True, slots=True)
class Word:
    """An eojeol: a run without whitespace, `text[start:end]` of the string that it was split from."""

    text: str
    start: int
    end: int


def normalize(text: str) -> str:
    """The text as scored: NFC, lone surrogates replaced by U+FFFD.

    NFC moves no whitespace, so word `i` of the result is word `i` of the stored text. NFKC would turn ㅋ into
    another letter.
    """
    return unicodedata.normalize("NFC", _LONE_SURROGATE.sub("\ufffd", text))


def split_words(text: str) -> list[Word]:
    """Whitespace-separated words in order, with their code point offsets."""
    return [Word(match.group(), match.start(), match.end()) for match in _WORD.finditer(text)]


def hide_words(text: str, hidden: list[Word], mask: str) -> str:
    """`text` with each of the words, given in order, replaced by `mask`; whitespace stays."""
    parts: list[str] = []
    position = 0
    for word in hidden:
        parts += text[position : word.start], mask
        position = word.end
    return "".join(parts) + text[position:]


def skeleton(text: str) -> str:
    """The letters and digits of a text, lower case, repetitions of one letter collapsed: ㅋㅋㅋㅋ and ㅋ are alike.

    Texts with the same skeleton are near-duplicates: they differ in spaces, punctuation, emoji or drawn-out letters.
    Digits stay as they are: 1000 is not 10.
    """
    return _REPEATED.sub(r"\1", _NO_WORD_CHARACTER.sub("", normalize(text).lower()))
