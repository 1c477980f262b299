"""Marked words: from a tool's offsets, or from words without a place, to the words of a review.

Label Studio's editor counts code points. Its releases before 2021 and many tools in the browser count UTF-16 units,
of which an emoji has two.
"""

import re
from collections.abc import Iterable, Sequence

from reviewlens.labeling.labels import Highlight, Region
from reviewlens.text import Word, normalize, split_words

_LAST_OF_BMP = 0xFFFF
# Browsers fold whitespace, and Label Studio writes a line's end as a backslash and an n.
_FOLDED = re.compile(r"\s|\\n")

_Span = tuple[int, int]


def locate_regions(text: str, regions: Sequence[Region]) -> list[_Span] | None:
    """The code point offsets of regions, or None where one of them is not what stands in the text.

    All are read as code points if all fit so, else all as UTF-16 units if all fit so, else each as it fits. A region
    fits when the text between its offsets is the one that the tool saw; without that, when both readings agree.
    """
    points = _code_points_by_unit(text)
    as_points = [_fit(text, region, region.start, region.end) for region in regions]
    as_units = [_fit(text, region, points.get(region.start), points.get(region.end)) for region in regions]
    each = [point or unit for point, unit in zip(as_points, as_units, strict=True)]
    for reading in (as_points, as_units, each):
        spans = [span for span in reading if span is not None]
        if len(spans) == len(regions):
            return spans
    return None


def locate_word(text: str, wanted: str) -> _Span | None:
    """Where a word without a place stands: the first word that is it, else the first that holds it."""
    for fold in (normalize, _fold_to_cp949):
        needle = fold(wanted).strip()
        words = [(fold(word.text), word) for word in split_words(text)]
        found = [word for folded, word in words if folded == needle != ""]
        found += [word for folded, word in words if needle and needle in folded]
        if found:
            return found[0].start, found[0].end
    return None


def is_same_text(labelled: str, stored: str) -> bool:
    """Whether a text came back as it went, but for what office programs do to it.

    They fold line ends and compose characters, and write a question mark for what CP949 lacks, such as an emoji.
    """
    if normalize(labelled).split() == normalize(stored).split():
        return True
    return "?" in labelled and _fold_to_cp949(labelled) == _fold_to_cp949(stored)


def mark_words(text: str, spans: Iterable[_Span]) -> tuple[Highlight, ...]:
    """The whole words that spans touch, each once, in the order of the spans."""
    words = split_words(text)
    touched: dict[Word, None] = {}
    for start, end in spans:
        touched |= dict.fromkeys(word for word in words if word.start < end and start < word.end)
    return tuple(Highlight(word.text, word.start, word.end) for word in touched)


def _fit(text: str, region: Region, start: int | None, end: int | None) -> _Span | None:
    if start is None or end is None or not 0 <= start < end <= len(text):
        return None
    if region.text is None:
        fits = all(ord(character) <= _LAST_OF_BMP for character in text[: region.end])
    else:
        seen, stands = (_FOLDED.sub("", part) for part in (region.text, text[start:end]))
        fits = seen == stands != ""
    return (start, end) if fits else None


def _code_points_by_unit(text: str) -> dict[int, int]:
    """UTF-16 offset to code point offset; offsets inside a surrogate pair have none."""
    points, units = {0: 0}, 0
    for point, character in enumerate(text, start=1):
        units += 1 if ord(character) <= _LAST_OF_BMP else 2
        points[units] = point
    return points


def _fold_to_cp949(text: str) -> str:
    """What is left of a text, spaces aside, when it went through CP949."""
    kept = normalize(text).encode("cp949", errors="ignore").decode("cp949")
    return "".join(kept.replace("?", "").split())
