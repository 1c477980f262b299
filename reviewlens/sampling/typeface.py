"""What this machine's fonts can write: Korean where one of them has Hangul, and no empty boxes where none has."""

from functools import lru_cache

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

_LATIN = "DejaVu Sans"  # comes with matplotlib
_SYLLABLE = "가"
_PLAIN_WEIGHTS = ("normal", "regular", "book", 400)


@lru_cache(maxsize=1)
def find_families() -> tuple[str, ...]:
    """Font families to write with, in the order in which they are asked for a character."""
    hangul = [
        font
        for font in font_manager.fontManager.ttflist
        if not font.name.startswith("Last Resort") and ord(_SYLLABLE) in _read_characters(font.fname)
    ]
    hangul.sort(
        key=lambda font: (font.weight not in _PLAIN_WEIGHTS, font.style != "normal", "Mono" in font.name, font.name)
    )
    return (_LATIN, *(font.name for font in hangul[:1]))


def can_write(text: str) -> bool:
    """Whether every character of a text has a glyph in one of the families."""
    characters = [_read_characters(font_manager.findfont(family)) for family in find_families()]
    return all(any(ord(each) in known for known in characters) for each in text)


def pick_words(korean: str, english: str) -> str:
    """A label in Korean, or in English where no font can write Korean."""
    return korean if can_write(korean) else english


@lru_cache(maxsize=512)
def _read_characters(path: str) -> frozenset[int]:
    try:
        return frozenset(FT2Font(path).get_charmap())
    except RuntimeError:  # a file that FreeType cannot read
        return frozenset()
