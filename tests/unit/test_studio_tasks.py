"""What goes to Label Studio: its configuration from the taxonomy, and tasks with what the model said."""

from xml.etree import ElementTree as ET

import pytest

from reviewlens.errors import TaxonomyError
from reviewlens.labeling.labels import Guess, Highlight, Pick
from reviewlens.labeling.studio_config import write_config
from reviewlens.labeling.studio_tasks import build_task, order_picks, select_double
from reviewlens.taxonomy import Taxonomy

TEXT = "😀 핏이 예뻐요"
GUESSES = (
    Guess("라인(핏)", 0.9, "긍정", 0.8, Highlight("핏이", 2, 4)),
    Guess("디자인", 0.6, "매우긍정", 0.7),
    Guess("향기", 0.9, "긍정", 0.9),
)


def pick(review_id: str = "a", guesses: tuple[Guess, ...] = GUESSES, surest: float = 0.9) -> Pick:
    return Pick("2026-11", review_id, "가몰", None, TEXT, guesses, surest, "bundle-1", is_random=True)


def test_the_configuration_has_every_keyword_as_choice_label_and_sentiments(taxonomy: Taxonomy) -> None:
    """A sentiment is asked for where its keyword is chosen, and only there; no hotkey and no colour is given twice."""
    view = ET.fromstring(write_config(taxonomy))  # noqa: S314  our own
    choices = view.findall("Choices[@name='keywords']/Choice")
    labels = view.findall("Labels[@name='highlights']/Label")
    assert [each.get("value") for each in choices] == list(taxonomy.keywords)
    assert [each.get("value") for each in labels] == list(taxonomy.keywords)
    for keyword in taxonomy.keywords:
        [group] = view.findall(f"View[@whenChoiceValue='{keyword}']")
        [sentiments] = group.findall("Choices")
        assert sentiments.get("name") == f"sentiment:{keyword}"
        assert (sentiments.get("choice"), sentiments.get("required")) == ("single", "true")
        assert tuple(each.get("value") for each in sentiments) == taxonomy.sentiment_names
        for part in (group, sentiments):
            assert (part.get("visibleWhen"), part.get("whenTagName")) == ("choice-selected", "keywords")
            assert part.get("whenChoiceValue") == keyword
    hotkeys = [each.get("hotkey") for each in (*choices, *labels)]
    assert len(set(hotkeys)) == len(hotkeys)
    assert len({each.get("background") for each in labels}) == len(labels)


def test_names_with_signs_are_escaped_and_commas_refused(taxonomy: Taxonomy) -> None:
    """Label Studio splits the names of choices at commas."""
    odd = taxonomy.model_copy(update={"keywords": ('<핏> & "라인"', "색상")})
    view = ET.fromstring(write_config(odd))  # noqa: S314
    assert view.find("Choices/Choice").get("value") == '<핏> & "라인"'  # type: ignore[union-attr]
    with pytest.raises(TaxonomyError, match="라인,핏"):
        write_config(taxonomy.model_copy(update={"keywords": ("라인,핏",)}))


def test_a_task_carries_the_pick_and_what_the_model_said_of_it(taxonomy: Taxonomy) -> None:
    """Keywords, a sentiment for each, highlights in code points; what the taxonomy lacks is left out."""
    assert build_task(pick(), taxonomy) == {
        "data": {
            "review_id": "a",
            "round": "2026-11",
            "text": TEXT,
            "mall_id": "가몰",
            "category": None,
            "taxonomy_version": taxonomy.version,
        },
        "predictions": [
            {
                "model_version": "bundle-1",
                "score": 0.6,
                "result": [
                    {
                        "id": "keywords",
                        "from_name": "keywords",
                        "to_name": "text",
                        "type": "choices",
                        "value": {"choices": ["라인(핏)", "디자인"]},
                    },
                    {
                        "id": "sentiment-0",
                        "from_name": "sentiment:라인(핏)",
                        "to_name": "text",
                        "type": "choices",
                        "value": {"choices": ["긍정"]},
                        "score": 0.8,
                    },
                    {
                        "id": "highlight-0",
                        "from_name": "highlights",
                        "to_name": "text",
                        "type": "labels",
                        "value": {"labels": ["라인(핏)"], "start": 2, "end": 4, "text": "핏이"},
                    },
                    {
                        "id": "sentiment-1",
                        "from_name": "sentiment:디자인",
                        "to_name": "text",
                        "type": "choices",
                        "value": {"choices": ["매우긍정"]},
                        "score": 0.7,
                    },
                ],
            }
        ],
    }


def test_a_review_without_keywords_is_predicted_to_have_none(taxonomy: Taxonomy) -> None:
    """The score is what the surest keyword leaves of 1."""
    [prediction] = build_task(pick(guesses=(), surest=0.25), taxonomy)["predictions"]
    assert prediction == {"model_version": "bundle-1", "score": 0.75, "result": []}


def test_the_doubly_labelled_share_is_the_same_at_each_export() -> None:
    """Whatever the picks' order; the number is rounded up, and a larger share holds the smaller."""
    picks = [pick(str(number)) for number in range(25)]
    assert order_picks(picks[::-1]) == order_picks(picks) != picks
    few, many = select_double(picks, 0.1), select_double(picks[::-1], 0.4)
    assert (len(few), len(many), many[:3]) == (3, 10, few)
    assert select_double(picks, 0.0) == []
    assert select_double(picks, 1.0) == order_picks(picks)
