import io
import json
import unicodedata

import numpy as np
from rich.cells import cell_len
from rich.console import Console, RenderableType

from reviewlens.display import MallKeyword, Mark, mark_review, print_figures, show_explanation, show_malls
from reviewlens.inference.results import Highlight, KeywordScore, Score, WordEffects
from reviewlens.taxonomy import Taxonomy
from reviewlens.text import split_words


def test_marked_words_stand_in_brackets_with_keyword_and_sentiment() -> None:
    """Offsets count code points, so an emoji before a word does not shift its mark."""
    marks = [Mark("배송", "부정", -1, (12, 15)), Mark("디자인", "긍정", 1, (4, 8))]
    assert (
        mark_review("👍🏻옷 예쁘지만 배송 늦어요", marks).plain
        == "👍🏻옷 [예쁘지만](디자인/긍정) 배송 [늦어요](배송/부정)"
    )


def test_two_keywords_on_one_word_share_its_brackets() -> None:
    """The word is written once; where the sentiments disagree it has the colour of neither."""
    marks = [Mark("가격", "긍정", 1, (0, 3)), Mark("품질", "부정", -1, (0, 3)), Mark("소재", "중립", 0, None)]
    marked = mark_review("싸구려 같아요", marks)
    assert marked.plain == "[싸구려](가격/긍정, 품질/부정) 같아요\nno single word: (소재/중립)"
    styles = {marked.plain[span.start : span.end]: str(span.style) for span in marked.spans}
    assert styles["[싸구려]"] == "bold reverse magenta"
    assert (styles["가격/긍정"], styles["품질/부정"], styles["소재/중립"]) == ("green", "red", "yellow")


def test_what_could_steer_the_terminal_is_not_printed() -> None:
    """Escape codes and console markup in a review stay text, and marks after them stay in place."""
    text = "\x1b[31m [bold]빨강[/] \a예뻐요"
    plain = _render(mark_review(text, [Mark("색상", "긍정", 1, (18, 22))]))
    assert plain.rstrip() == "\ufffd[31m [bold]빨강[/] [\ufffd예뻐요](색상/긍정)"


def test_decomposed_hangul_is_shown_composed() -> None:
    """A review typed on a Mac lines up with its neighbours; its offsets are those of the stored text."""
    text = unicodedata.normalize("NFD", "정말 예뻐요")
    word = split_words(text)[1]
    assert mark_review(text, [Mark("디자인", "긍정", 1, (word.start, word.end))]).plain == "정말 [예뻐요](디자인/긍정)"


def test_an_explanation_shows_every_keyword_and_every_drop(taxonomy: Taxonomy) -> None:
    """Found keywords come first, with sentiment and highlight; each word's drop is signed, the highlight's starred."""
    text = "옷은 예쁘지만 늦어요ㅋㅋ"
    highlight = Highlight("예쁘지만", 3, 7, 0.25)
    probabilities = dict.fromkeys(taxonomy.keywords, 0.125) | {"디자인": 0.75, "배송": 0.875}
    score = Score(probabilities, [KeywordScore("디자인", 0.75, "긍정", 0.875, highlight)], truncated=True)
    without = np.full((3, len(taxonomy.keywords)), 0.125, np.float32)
    without[:, taxonomy.keywords.index("디자인")] = [0.875, 0.25, 0.75]
    effects = WordEffects(split_words(text), np.array(list(probabilities.values()), np.float32), without)
    thresholds = dict.fromkeys(taxonomy.keywords, 0.5) | {"배송": 0.9}

    lines = _render(show_explanation(text, score, effects, thresholds, taxonomy)).splitlines()

    assert lines[0] == "옷은 [예쁘지만](디자인/긍정) 늦어요ㅋㅋ"
    assert "was not scored" in lines[2]
    rows = [line.split() for line in lines if line.strip()]
    assert rows.index(["디자인", "0.750", "0.500", "yes", "긍정", "0.875", "예쁘지만"]) < rows.index(
        ["배송", "0.875", "0.900", "no"]
    )
    assert sum(row[-1:] == ["no"] for row in rows) == len(taxonomy.keywords) - 1
    assert rows[-3:] == [["옷은", "-0.125"], ["예쁘지만", "+0.500*"], ["늦어요ㅋㅋ", "+0.000"]]


def test_malls_line_up_in_80_columns() -> None:
    """Rows are equally wide in cells, whatever mixes of Hangul and Latin they hold; bars are whole."""
    rows = [
        MallKeyword("가람몰", 12_764, "라인(핏)", 6_382, 0.5, 0.25),
        MallKeyword("가람몰", 12_764, "배송", 128, 0.0, 1.0),
        MallKeyword("이름 긴 쇼핑몰 mall-7", 10, "소재", 10, 1.0, 0.0),
    ]
    lines = [line for line in _render(show_malls(rows), width=80).splitlines() if any(map(str.isdigit, line))]
    assert [line.split() for line in lines] == [
        ["가람몰", "12,764"],
        ["라인(핏)", "6,382", "50%", "50%", "25%", "█" * 8 + "·" * 4 + "▒" * 4],
        ["배송", "128", "1%", "0%", "100%", "▒" * 16],
        ["이름", "긴", "쇼핑몰", "mall-7", "10"],
        ["소재", "10", "100%", "100%", "0%", "█" * 16],
    ]
    assert len({cell_len(line) for line in lines}) == 1


def test_figures_end_with_one_line_of_json() -> None:
    """The last line is whole however narrow the console is."""
    figures = {"input": 160195, "rows_per_second": 12.345, "source": "/lakehouse/" + "리뷰" * 40}
    stream = io.StringIO()
    print_figures(Console(file=stream, width=40), "Run", figures)
    *table, line = stream.getvalue().splitlines()
    assert json.loads(line) == figures
    assert any(row.split() == ["input", "160,195"] for row in table)


def _render(shown: RenderableType, width: int = 100) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(shown)
    return stream.getvalue()
