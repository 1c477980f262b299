"""Picks and labels as JSON lines and as CSV, out and back."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from reviewlens.errors import InputContractError
from reviewlens.labeling.inspection import inspect_submission
from reviewlens.labeling.labels import Annotation, Guess, Highlight, KeywordLabel, Pick, Submission
from reviewlens.labeling.plain_files import read_csv, read_jsonl, write_csv, write_jsonl
from reviewlens.taxonomy import Taxonomy

NOW = datetime(2026, 11, 25, tzinfo=UTC)
TEXTS = {"a": "😀 핏이 예뻐요,\n배송은 늦어요", "0012": "=1+1 예뻐요", "b": "음", "c": "예뻐요 예뻐요"}
FIT = Guess("라인(핏)", 0.9, "긍정", 0.8, Highlight("핏이", 2, 4))
PICKS = {
    name: Pick("2026-11", name, "가몰", None, text, (FIT,) if name == "a" else (), 0.9, "bundle-1", is_random=False)
    for name, text in TEXTS.items()
}


def inspect(submissions: list[Submission], taxonomy: Taxonomy, annotator: str | None = None) -> dict[str, object]:
    """Labels, or the reason why there are none, by review and annotator."""
    outcomes: dict[str, object] = {}
    for submission in submissions:
        outcome = inspect_submission(submission, PICKS, taxonomy, "2026-11", annotator, NOW)
        said = outcome.labels if isinstance(outcome, Annotation) else outcome.fault.value
        who = outcome.annotator if isinstance(outcome, Annotation) else submission.annotator
        outcomes[f"{submission.review_id} {who}"] = said
    return outcomes


def test_json_lines_go_out_unlabelled_and_come_back_labelled(taxonomy: Taxonomy) -> None:
    """What the model said is no label until somebody says so; words need no place, and places are checked."""
    document = write_jsonl(PICKS.values(), taxonomy)
    assert read_jsonl(document, "picks.jsonl") == ([], 4)
    rows = [json.loads(line) for line in document.splitlines()]
    assert rows[0]["predictions"] == [
        {"keyword": "라인(핏)", "sentiment": "긍정", "highlights": [{"word": "핏이", "start": 2, "end": 4}]}
    ]
    delivery = {"keyword": "배송", "sentiment": "부정", "evidence": ["늦어요", "배송은"]}
    rows[0] |= {"annotator": "kim", "labels": [*rows[0]["predictions"], delivery]}
    rows[2] |= {"annotator": "kim", "labels": []}
    back = "".join(json.dumps(row) + "\n" for row in rows)
    submissions, unlabelled = read_jsonl(back, "picks.jsonl")
    assert unlabelled == 2
    assert inspect(submissions, taxonomy) == {
        "a kim": (
            KeywordLabel("라인(핏)", "긍정", (Highlight("핏이", 2, 4),)),
            KeywordLabel("배송", "부정", (Highlight("늦어요", 14, 17), Highlight("배송은", 10, 13))),
        ),
        "b kim": (),
    }


def test_faulty_json_lines_are_refused_one_by_one(taxonomy: Taxonomy) -> None:
    """Only the label is needed beside the id."""
    rows = [
        {"review_id": "a", "labels": [{"keyword": "배송", "sentiment": "부정"}]},
        {"review_id": "b", "labels": [{"keyword": "배송"}]},
        {"review_id": "c", "labels": [{"keyword": "배송", "sentiment": "부정", "highlights": ["늦어요"]}]},
        {"review_id": "0012", "labels": "배송"},
        {"review_id": "z", "labels": []},
        {"review_id": "y", "labels": [{"keyword": "배송", "sentiment": "부정", "highlights": [{"start": "0"}]}]},
        ["a"],
        {"review_id": "x"},
    ]
    submissions, _ = read_jsonl("\n".join(map(json.dumps, rows)), "labels.jsonl")
    assert inspect(submissions, taxonomy, "lee") == {
        "a lee": (KeywordLabel("배송", "부정"),),
        "b None": "no_sentiment",
        "c None": "span_mismatch",
        "0012 None": "malformed",
        "z None": "unknown_review",
        "y None": "malformed",
        "None None": "malformed",
        "x None": "malformed",
    }


def test_a_cut_off_line_says_where() -> None:
    """The line, and the byte in the file."""
    document = '{"review_id": "가", "labels": []}\n{"review_id": "나", "lab'
    place = len('{"review_id": "가", "labels": []}\n{"review_id": "나", '.encode())
    with pytest.raises(InputContractError, match=rf"labels\.jsonl is not JSON from line 2, byte {place} on"):
        read_jsonl(document, "labels.jsonl")


def fill(document: str, **cells: str) -> str:
    """The CSV with the annotator and other cells of review `a` filled in, as Excel saves it."""
    rows = list(csv.DictReader(io.StringIO(document.removeprefix("\ufeff"), newline="")))
    for row in rows:
        if row["review_id"] == "a":
            row.update(cells)
    sheet = io.StringIO(newline="")
    writer = csv.DictWriter(sheet, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return sheet.getvalue()


def test_a_csv_comes_back_as_it_was_signed(taxonomy: Taxonomy) -> None:
    """Unsigned reviews are not labelled yet; with an annotator given for the whole file all are."""
    document = write_csv(PICKS.values(), taxonomy)
    assert document.startswith("\ufeffreview_id,text,keyword")
    assert read_csv(document, "picks.csv", None) == ([], 4)
    submissions, unlabelled = read_csv(fill(document, annotator="kim"), "picks.csv", None)
    assert unlabelled == 3
    fit = (KeywordLabel("라인(핏)", "긍정", (Highlight("핏이", 2, 4),)),)
    assert inspect(submissions, taxonomy) == {"a kim": fit}
    submissions, unlabelled = read_csv(document, "picks.csv", "lee")
    assert unlabelled == 0
    assert inspect(submissions, taxonomy, "lee") == {"a lee": fit, "0012 lee": (), "b lee": (), "c lee": ()}


def test_what_excel_would_rewrite_is_kept_from_it(taxonomy: Taxonomy) -> None:
    """Ids with leading zeros, and texts that look like formulas, which could run."""
    rows = list(csv.DictReader(io.StringIO(write_csv(PICKS.values(), taxonomy).removeprefix("\ufeff"), newline="")))
    assert [rows[1][name] for name in ("review_id", "text")] == ["'0012", "'=1+1 예뻐요"]


def test_rows_of_a_csv_are_keywords(taxonomy: Taxonomy) -> None:
    """Two people, several rows each, one without a keyword, words in one cell, cells left out at a row's end."""
    document = """Review_ID,keyword,sentiment,highlight,annotator
a,배송,부정,배송은 늦어요,kim
a,라인(핏),긍정,,kim
a,,,,lee
b,색상,,,kim
c,디자인,긍정,예뻐요,
c,,,,kim
,배송,부정,,kim
0012,,긍정,,kim

"""
    submissions, unlabelled = read_csv(document, "labels.csv", None)
    assert unlabelled == 0
    assert inspect(submissions, taxonomy) == {
        "a kim": (
            KeywordLabel("라인(핏)", "긍정"),
            KeywordLabel("배송", "부정", (Highlight("배송은", 10, 13), Highlight("늦어요", 14, 17))),
        ),
        "a lee": (),
        "b kim": "no_sentiment",
        "c kim": (KeywordLabel("디자인", "긍정", (Highlight("예뻐요", 0, 3),)),),
        "None kim": "malformed",
        "0012 kim": "malformed",
    }
    short, _ = read_csv("review_id,keyword,sentiment,highlight\nb,\n", "labels.csv", "kim")
    assert inspect(short, taxonomy, "kim") == {"b kim": ()}


BROKEN = {
    "cut off in quotes": ('review_id,keyword,sentiment\na,"배', "is no CSV from line 2"),
    "no column": ("review_id,keyword\na,배송\n", "has no column sentiment"),
    "nothing": ("", "has no column review_id, keyword, sentiment"),
    "commas without quotes": ("review_id,keyword,sentiment\na,배송,부정,늦어요\n", "line 2: 4 cells under 3 columns"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_csv_is_refused_whole(case: str) -> None:
    """With the file and the line."""
    document, sentence = BROKEN[case]
    with pytest.raises(InputContractError, match=sentence) as caught:
        read_csv(document, "labels.csv", None)
    assert str(caught.value).startswith("labels.csv")
