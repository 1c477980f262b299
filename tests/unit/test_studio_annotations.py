"""What comes back from Label Studio: annotations, cancelled ones, and every fault with its reason."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from reviewlens.errors import InputContractError
from reviewlens.labeling.inspection import inspect_submission
from reviewlens.labeling.labels import Annotation, Highlight, KeywordLabel, Pick, Refusal
from reviewlens.labeling.studio_annotations import read_export
from reviewlens.taxonomy import Taxonomy

TEXT = "😀 핏이 예뻐요\n배송은 늦어요"
NOW = datetime(2026, 11, 25, tzinfo=UTC)
PICKS = {"a": Pick("2026-11", "a", "가몰", None, TEXT, (), 0.1, "bundle-1", is_random=False)}


def choice(name: str, *values: str) -> dict[str, Any]:
    return {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": list(values)}}


def mark(keyword: str, start: int, end: int, text: str) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": text, "labels": [keyword]}
    return {"from_name": "highlights", "to_name": "text", "type": "labels", "value": value}


def complete() -> list[dict[str, Any]]:
    return [
        choice("keywords", "배송", "라인(핏)"),
        choice("sentiment:배송", "부정"),
        choice("sentiment:라인(핏)", "긍정"),
        mark("라인(핏)", 2, 4, "핏이"),
        mark("배송", 9, 16, "배송은 늦어요"),
    ]


def task(result: Any, **changes: Any) -> dict[str, Any]:
    data = {"review_id": "a", "round": "2026-11", "text": TEXT, "taxonomy_version": "2026.1"}
    annotation = {
        "id": 7,
        "unique_id": "u-7",
        "completed_by": 3,
        "result": result,
        "was_cancelled": False,
        "updated_at": "2026-11-20T10:00:00.000000Z",
    }
    data |= {key: value for key, value in changes.items() if key in data}
    annotation |= {key: value for key, value in changes.items() if key in annotation}
    return {"id": 1, "data": data, "annotations": [annotation], "drafts": [], "predictions": [1]}


def inspect(taxonomy: Taxonomy, *tasks: Any) -> list[Annotation | Refusal]:
    submissions, _ = read_export(json.dumps(list(tasks)), "export.json")
    return [inspect_submission(each, PICKS, taxonomy, "2026-11", None, NOW) for each in submissions]


def test_an_annotation_becomes_labels_in_the_taxonomy_s_order(taxonomy: Taxonomy) -> None:
    """With sentiments, whole words, the annotator and the time of the last change."""
    [annotation] = inspect(taxonomy, task(complete()))
    assert isinstance(annotation, Annotation)
    assert annotation.labels == (
        KeywordLabel("라인(핏)", "긍정", (Highlight("핏이", 2, 4),)),
        KeywordLabel("배송", "부정", (Highlight("배송은", 9, 12), Highlight("늦어요", 13, 16))),
    )
    assert (annotation.annotator, annotation.labelled_at) == ("3", datetime(2026, 11, 20, 10, tzinfo=UTC))
    [by_email] = inspect(taxonomy, task(complete(), completed_by={"id": 3, "email": "kim@example.com"}))
    assert isinstance(by_email, Annotation)
    assert by_email.annotator == "kim@example.com"


def test_utf_16_offsets_of_older_releases_are_converted(taxonomy: Taxonomy) -> None:
    """An emoji before a span shifts it by one."""
    shifted = [*complete()[:3], mark("라인(핏)", 3, 5, "핏이"), mark("배송", 10, 17, "배송은 늦어요")]
    [here], [there] = inspect(taxonomy, task(shifted)), inspect(taxonomy, task(complete()))
    assert isinstance(here, Annotation)
    assert isinstance(there, Annotation)
    assert here.labels == there.labels


def test_an_empty_result_says_that_there_is_no_keyword(taxonomy: Taxonomy) -> None:
    """It is a label like any other."""
    [annotation] = inspect(taxonomy, task([]))
    assert isinstance(annotation, Annotation)
    assert annotation.labels == ()


def test_a_sentiment_left_over_from_a_keyword_that_was_unchosen_is_ignored(taxonomy: Taxonomy) -> None:
    """The annotator cannot see it any more."""
    [annotation] = inspect(taxonomy, task([choice("sentiment:배송", "부정")]))
    assert isinstance(annotation, Annotation)
    assert annotation.labels == ()


Change = Callable[[list[dict[str, Any]]], Any]
FAULTS: dict[str, tuple[Change, dict[str, Any], str]] = {
    "result is no list": (lambda _: {"keywords": []}, {}, "malformed"),
    "no result": (lambda _: None, {}, "malformed"),
    "control of another project": (lambda result: [*result, choice("topic", "배송")], {}, "malformed"),
    "offset that is no number": (lambda result: [*result, mark("배송", "/div[1]", 3, "x")], {}, "malformed"),  # type: ignore[arg-type]
    "time that is none": (lambda result: result, {"updated_at": "yesterday"}, "malformed"),
    "no id": (lambda result: result, {"review_id": None}, "malformed"),
    "id not picked": (lambda result: result, {"review_id": "zzz"}, "unknown_review"),
    "another round": (lambda result: result, {"round": "2026-10"}, "other_round"),
    "nobody": (lambda result: result, {"completed_by": None}, "no_annotator"),
    "another text": (lambda result: result, {"text": TEXT + "!"}, "changed_text"),
    "older taxonomy": (lambda result: result, {"taxonomy_version": "2025.2"}, "other_taxonomy"),
    "no taxonomy": (lambda result: result, {"taxonomy_version": None}, "other_taxonomy"),
    "keyword": (lambda result: [*result[:1], choice("keywords", "향기")], {}, "unknown_keyword"),
    "label": (lambda result: [*result, mark("향기", 2, 4, "핏이")], {}, "unknown_keyword"),
    "sentiment": (lambda result: [*result, choice("sentiment:배송", "최악")], {}, "unknown_sentiment"),
    "sentiment missing": (lambda result: [result[0], *result[2:]], {}, "no_sentiment"),
    "sentiment twice": (lambda result: [*result, choice("sentiment:배송", "긍정")], {}, "two_sentiments"),
    "word without keyword": (lambda result: [*result, mark("색상", 2, 4, "핏이")], {}, "stray_highlight"),
    "other words there": (lambda result: [*result, mark("배송", 2, 4, "배송은")], {}, "span_mismatch"),
    "offsets outside": (lambda result: [*result, mark("배송", 90, 94, "배송은")], {}, "span_mismatch"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_has_its_reason_and_stops_no_other(case: str, taxonomy: Taxonomy) -> None:
    """The annotation after it comes through, and the quarantine keeps all of what came."""
    change, changes, reason = FAULTS[case]
    refusal, annotation = inspect(taxonomy, task(change(complete()), **changes), task(complete()))
    assert isinstance(refusal, Refusal)
    assert refusal.fault == reason
    assert "annotation" in json.loads(refusal.submission.raw)
    assert isinstance(annotation, Annotation)


@pytest.mark.parametrize("odd", [None, "task", {"data": {}}, {"data": 3, "annotations": {}}])
def test_a_task_without_form_is_malformed(odd: Any, taxonomy: Taxonomy) -> None:
    """Whatever it is."""
    refusal, annotation = inspect(taxonomy, odd, task(complete()))
    assert isinstance(refusal, Refusal)
    assert refusal.fault == "malformed"
    assert isinstance(annotation, Annotation)


def test_tasks_without_annotations_are_counted_and_cancelled_ones_marked() -> None:
    """Neither is a label."""
    submissions, unlabelled = read_export(
        json.dumps([{**task([]), "annotations": []}, task([], was_cancelled=True)]), "export.json"
    )
    assert unlabelled == 1
    assert [submission.is_cancelled for submission in submissions] == [True]


def test_half_an_emoji_in_a_file_can_still_be_stored(taxonomy: Taxonomy) -> None:
    """A lone surrogate is no text; the annotation is refused, and what is kept of it can be written."""
    [refusal] = inspect(taxonomy, task([*complete(), mark("배송", 0, 1, "\ud83d")]))
    assert isinstance(refusal, Refusal)
    assert refusal.fault == "span_mismatch"
    assert refusal.submission.raw.encode()


def test_an_export_cut_off_in_the_middle_says_where() -> None:
    """File, line and byte, and not a word of what stands there."""
    document = json.dumps([task(complete())], ensure_ascii=False, indent=1)
    cut = document[: document.index("늦어요") + 1]
    with pytest.raises(InputContractError) as caught:
        read_export(cut, "out/export.json")
    line = cut.count("\n") + 1
    start = cut.rindex('"')
    assert f"out/export.json is not JSON from line {line}, byte {len(cut[:start].encode())} on" in str(caught.value)
    assert "늦" not in str(caught.value)


@pytest.mark.parametrize("document", ["{}", '[{"id": 1, "text": "x", "annotator": 1}]', "", "[" * 100_000])
def test_a_file_that_is_no_export_is_refused_whole(document: str) -> None:
    """An object, the small JSON export, nothing, and brackets without end."""
    with pytest.raises(InputContractError, match=r"export\.json"):
        read_export(document, "export.json")
