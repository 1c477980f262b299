"""Label Studio's labelling configuration, generated from the taxonomy."""

import colorsys
from xml.etree import ElementTree as ET

from reviewlens.errors import TaxonomyError
from reviewlens.taxonomy import Taxonomy

# Names of the tags, which results refer to.
TEXT, KEYWORDS, HIGHLIGHTS = "text", "keywords", "highlights"
SENTIMENT_PREFIX = "sentiment:"

_HOTKEYS = "1234567890qwertyuiop"
_STYLE = ".htx-text { white-space: pre-wrap; font-size: 1.15em; line-height: 1.9; }"  # without it spaces are trimmed
_ASK_KEYWORDS = (
    "키워드: 리뷰가 말하는 키워드를 모두 고르세요. 미리 골라 둔 것은 모델의 예측이니 틀린 것은 고치세요. "
    "해당하는 키워드가 없으면 모두 지우고 제출하세요. 판단할 수 없는 리뷰는 건너뛰세요(Skip)."
)
_ASK_SENTIMENTS = "감성: 고른 키워드마다 감성을 하나씩 고르세요."
_ASK_HIGHLIGHTS = (
    "단어: 키워드마다, 가리면 그 키워드를 알 수 없게 되는 단어를 1~3개 표시하세요. "
    "키워드를 누르고 단어를 끌어 고르세요."
)


def write_config(taxonomy: Taxonomy) -> str:
    """The labelling configuration: XML for Label Studio's project settings, with instructions in Korean.

    Keywords are choices; each chosen one opens a choice of one sentiment; words are marked with the keywords as labels.

    Raises:
        TaxonomyError: a keyword has a comma, which Label Studio takes for the end of a name.
    """
    if cut := [keyword for keyword in taxonomy.keywords if "," in keyword]:
        raise TaxonomyError(f"Label Studio cannot tell keywords with a comma apart: {'; '.join(cut)}. Rename them.")
    view = ET.Element("View")
    ET.SubElement(view, "Style").text = _STYLE
    _add_header(view, _ASK_HIGHLIGHTS)
    labels = ET.SubElement(view, "Labels", _control(HIGHLIGHTS), showInline="true")
    for number, keyword in enumerate(taxonomy.keywords):
        colour = _colour(number, len(taxonomy.keywords))
        ET.SubElement(labels, "Label", {"value": keyword, "background": colour} | _hotkey(number, "shift+"))
    ET.SubElement(view, "Text", name=TEXT, value=f"${TEXT}", granularity="word")
    _add_header(view, _ASK_KEYWORDS)
    choices = ET.SubElement(view, "Choices", _control(KEYWORDS), choice="multiple", showInline="true")
    for number, keyword in enumerate(taxonomy.keywords):
        ET.SubElement(choices, "Choice", {"value": keyword} | _hotkey(number))
    _add_header(view, _ASK_SENTIMENTS)
    for keyword in taxonomy.keywords:
        _add_sentiments(view, keyword, taxonomy.sentiment_names)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


def _add_header(view: ET.Element, text: str) -> None:
    ET.SubElement(view, "Header", value=text, size="5")


def _add_sentiments(view: ET.Element, keyword: str, sentiments: tuple[str, ...]) -> None:
    shown = {"visibleWhen": "choice-selected", "whenTagName": KEYWORDS, "whenChoiceValue": keyword}
    group = ET.SubElement(view, "View", shown)
    ET.SubElement(group, "Header", value=keyword, size="6")
    # Shown on the same condition as its group: Label Studio leaves out the result of a choice that is not shown.
    message = {"required": "true", "requiredMessage": f"{keyword}: 감성을 하나 고르세요."}
    name = _control(f"{SENTIMENT_PREFIX}{keyword}")
    choices = ET.SubElement(group, "Choices", name | shown | message, choice="single", showInline="true")
    for sentiment in sentiments:
        ET.SubElement(choices, "Choice", value=sentiment)


def _control(name: str) -> dict[str, str]:
    return {"name": name, "toName": TEXT}


def _hotkey(number: int, modifier: str = "") -> dict[str, str]:
    return {"hotkey": modifier + _HOTKEYS[number]} if number < len(_HOTKEYS) else {}


def _colour(number: int, count: int) -> str:
    """Hues evenly apart, light enough for black text on them."""
    parts = colorsys.hls_to_rgb(number / count, 0.72, 0.75)
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)
