"""What a person sees in a terminal: marked reviews, explanations, malls, the figures of a run.

Only rendering: plain values in, rich renderables out. Everything reads without colour too.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from reviewlens.inference.results import KeywordScore, Score, WordEffects
from reviewlens.taxonomy import Taxonomy

_DROP_COLUMNS = 6  # keywords side by side in 80 columns
_BAR_CELLS = 16
_BAR_GLYPHS = (("█", "green"), ("·", "yellow"), ("▒", "red"))


@dataclass(frozen=True, slots=True)
class Mark:
    """A keyword and its sentiment, at the code points `span` of a text, or at no one word.

    `value` is the sentiment's: its sign is the colour.
    """

    keyword: str
    sentiment: str
    value: int
    span: tuple[int, int] | None

    @classmethod
    def of(cls, found: KeywordScore, taxonomy: Taxonomy) -> Self:
        """The mark of a keyword that was found."""
        value = next(level.value for level in taxonomy.sentiments if level.name == found.sentiment)
        span = (found.highlight.start, found.highlight.end) if found.highlight else None
        return cls(found.keyword, found.sentiment, value, span)


@dataclass(frozen=True, slots=True)
class MallKeyword:
    """A keyword's share of a mall's reviews, and the shares of its mentions that are positive and negative."""

    mall: str
    mall_reviews: int
    keyword: str
    mentions: int
    positive: float
    negative: float


def mark_review(text: str, marks: Sequence[Mark]) -> Text:
    """The text with each marked word in brackets, its keywords and sentiments beside it.

    Words under several marks are bracketed once. Marks without a span follow on a line of their own.
    """
    marked, position = Text(), 0
    for start, end, group in _group_marks(marks):
        marked.append(_printable(text[position:start]))
        colours = {_colour(mark.value) for mark in group}
        colour = colours.pop() if len(colours) == 1 else "magenta"
        marked.append(f"[{_printable(text[start:end])}]", style=f"bold reverse {colour}")
        marked.append_text(_label(group))
        position = end
    marked.append(_printable(text[position:]))
    if nowhere := [mark for mark in marks if mark.span is None]:
        marked.append("\nno single word: ", style="dim").append_text(_label(nowhere))
    return marked


def show_explanation(
    text: str, score: Score, effects: WordEffects, thresholds: Mapping[str, float], taxonomy: Taxonomy
) -> RenderableType:
    """Everything about one review: its marks, every keyword's probability, and each word's drop."""
    parts: list[RenderableType] = [mark_review(text, [Mark.of(found, taxonomy) for found in score.keywords]), ""]
    if score.truncated:
        parts += ["The end of the text is beyond the models' window and was not scored.", ""]
    parts.append(_show_keywords(score, thresholds, taxonomy))
    for first in range(0, len(score.keywords), _DROP_COLUMNS):
        parts += [
            "",
            "How much each keyword's probability drops without the word (* highlight)",
            _show_drops(score.keywords[first : first + _DROP_COLUMNS], effects, taxonomy),
        ]
    return Group(*parts)


def show_review(heading: str, text: str, marks: Sequence[Mark]) -> RenderableType:
    """A review under its heading."""
    return Group(Text(_printable(heading), style="dim"), mark_review(text, marks), "")


def show_malls(rows: Sequence[MallKeyword]) -> Table:
    """Malls and under each its keywords, in the order given: reviews, their share, and how many praise and blame."""
    table = _table(title="What each mall's reviews speak of")
    table.add_column("mall, keyword", overflow="fold")
    for name in ("reviews", "share", "█ pos", "▒ neg"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(width=_BAR_CELLS, no_wrap=True)
    previous = None
    for row in rows:
        if row.mall != previous:
            table.add_section()
            table.add_row(Text(_printable(row.mall)), f"{row.mall_reviews:,}", style="bold")
            previous = row.mall
        table.add_row(
            Text(f"  {row.keyword}"),
            f"{row.mentions:,}",
            f"{row.mentions / row.mall_reviews:.0%}",
            Text(f"{row.positive:.0%}", style="green"),
            Text(f"{row.negative:.0%}", style="red"),
            _bar(row.positive, row.negative),
        )
    return table


def print_figures(console: Console, title: str, figures: Mapping[str, Any]) -> None:
    """The figures of a run: a table for a person, then one line of JSON for a machine."""
    table = _table(title=title, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), Text(_printable(_figure(value))))
    console.print(table)
    print_line(console, figures)


def print_line(console: Console, figures: Mapping[str, Any]) -> None:
    """The figures of a run as one line of JSON for a machine, never wrapped."""
    console.out(json.dumps(figures, ensure_ascii=False, default=str), highlight=False)


def _group_marks(marks: Sequence[Mark]) -> list[tuple[int, int, list[Mark]]]:
    """Marks by where they stand; those that overlap are one group over all of their text."""
    groups: list[tuple[int, int, list[Mark]]] = []
    for span, mark in sorted(((mark.span, mark) for mark in marks if mark.span), key=lambda pair: pair[0]):
        start, end = span
        if groups and start < groups[-1][1]:
            first, last, group = groups.pop()
            groups.append((first, max(last, end), [*group, mark]))
        else:
            groups.append((start, end, [mark]))
    return groups


def _label(marks: Sequence[Mark]) -> Text:
    names = [Text(f"{mark.keyword}/{mark.sentiment}", style=_colour(mark.value)) for mark in marks]
    return Text.assemble("(", Text(", ").join(names), ")")


def _show_keywords(score: Score, thresholds: Mapping[str, float], taxonomy: Taxonomy) -> Table:
    table = _table("keyword")
    for name in ("probability", "threshold"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("found", "sentiment", "highlight"):
        table.add_column(name, overflow="fold")
    found = {each.keyword: each for each in score.keywords}
    ranked = sorted(score.probabilities, key=lambda name: (name not in found, -score.probabilities[name]))
    for name in ranked:
        cells: list[RenderableType] = [Text(name), f"{score.probabilities[name]:.3f}", f"{thresholds[name]:.3f}"]
        if each := found.get(name):
            colour = _colour(Mark.of(each, taxonomy).value)
            word = each.highlight.word if each.highlight else "no single word"
            sentiment = Text(f"{each.sentiment} {each.sentiment_probability:.3f}", style=colour)
            table.add_row(*cells, "yes", sentiment, Text(_printable(word)))
        else:
            table.add_row(*cells, "no", style="dim")
    return table


def _show_drops(keywords: Sequence[KeywordScore], effects: WordEffects, taxonomy: Taxonomy) -> Table:
    table = _table()
    table.add_column("word", overflow="fold")
    columns = [(each, taxonomy.keywords.index(each.keyword)) for each in keywords]
    for each, _ in columns:
        table.add_column(each.keyword, justify="right", no_wrap=True)
    for word, without in zip(effects.words, effects.without, strict=True):
        cells = []
        for each, column in columns:
            is_highlight = each.highlight is not None and each.highlight.start == word.start
            drop = float(effects.probabilities[column] - without[column])
            cells.append(Text(f"{drop:+.3f}{'*' if is_highlight else ' '}", style="bold" if is_highlight else ""))
        table.add_row(Text(_printable(word.text)), *cells)
    return table


def _table(*columns: str, title: str | None = None, show_header: bool = True) -> Table:
    return Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD, show_header=show_header)


def _bar(positive: float, negative: float) -> Text:
    ends = round(positive * _BAR_CELLS), round((1 - negative) * _BAR_CELLS), _BAR_CELLS
    cells = (ends[0], max(0, ends[1] - ends[0]), ends[2] - max(ends[:2]))
    return Text.assemble(*((glyph * count, style) for (glyph, style), count in zip(_BAR_GLYPHS, cells, strict=True)))


def _colour(value: int) -> str:
    return "red" if value < 0 else "green" if value > 0 else "yellow"


def _figure(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {inner}" for name, inner in value.items())
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:,.1f}" if isinstance(value, float) else str(value)


def _printable(text: str) -> str:
    """NFC, as terminals align it; control characters, which could steer a terminal, and lone surrogates replaced."""
    shown = ("\ufffd" if unicodedata.category(each) in ("Cc", "Cs") and each not in "\n\t" else each for each in text)
    return unicodedata.normalize("NFC", "".join(shown))
