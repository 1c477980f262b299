"""Picks and labels in files that need no tool: JSON lines for programs, CSV for people with Excel.

JSON lines: `{"review_id": …, "labels": [{"keyword": …, "sentiment": …, "highlights": […]}], "annotator": …}`. Labels
are null while nobody labelled, and empty where a review speaks of no keyword. Highlights (or `evidence`) are words, or
objects with word, start and end in code points. CSV: one row for each keyword; a row without one says that there is
none. Rows whose review nobody signed are not labelled yet.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reviewlens.errors import InputContractError
from reviewlens.labeling.labels import Guess, Pick, Region, Submission
from reviewlens.labeling.studio_annotations import as_name, parse_json, read_time, write_raw
from reviewlens.labeling.studio_tasks import known_guesses
from reviewlens.taxonomy import Taxonomy
from reviewlens.text import normalize

CSV_COLUMNS = ("review_id", "text", "keyword", "sentiment", "highlight", "annotator", "round", "taxonomy_version")

# What Excel takes for a formula, or writes back as another number or a date: an apostrophe before it prevents that.
_REWRITTEN = re.compile(r"[=+\-@\t\r']|0\d|\d{12}|\d+[-/.:eE]\d")


def write_jsonl(picks: Iterable[Pick], taxonomy: Taxonomy) -> str:
    """One line for each pick, its labels null, with what the model said as `predictions`."""
    return "".join(json.dumps(_line(pick, taxonomy), ensure_ascii=False) + "\n" for pick in picks)


def read_jsonl(document: str, origin: str) -> tuple[list[Submission], int]:
    """The submissions of JSON lines, and the number of reviews that nobody labelled yet.

    Raises:
        InputContractError: a line is not JSON, as when the file was cut off.
    """
    submissions: list[Submission] = []
    unlabelled = byte = 0
    for number, line in enumerate(document.split("\n"), start=1):
        row = parse_json(line, origin, number, byte) if line.strip() else None
        byte += len(line.encode(errors="surrogatepass")) + 1
        if isinstance(row, dict) and "labels" in row and row["labels"] is None:
            unlabelled += 1
        elif line.strip():
            submissions.append(_read_line(row))
    return submissions, unlabelled


def write_csv(picks: Iterable[Pick], taxonomy: Taxonomy) -> str:
    """CSV for Excel: a row for each keyword that the model found, or one without; to be corrected, and signed.

    It begins with a byte order mark, by which Excel knows UTF-8.
    """
    sheet = io.StringIO(newline="")
    rows = csv.writer(sheet)
    rows.writerow(CSV_COLUMNS)
    for pick in picks:
        found = [(guess.keyword, guess.sentiment, _word(guess)) for guess in known_guesses(pick, taxonomy)]
        for labels in found or [("", "", "")]:
            rows.writerow(map(_guard, (pick.review_id, pick.text, *labels, "", pick.round, taxonomy.version)))
    return "\ufeff" + sheet.getvalue()


def read_csv(document: str, origin: str, default_annotator: str | None) -> tuple[list[Submission], int]:
    """The submissions of a CSV, and the number of reviews that nobody signed.

    A review's rows without an annotator are its only annotator's. Columns other than `review_id`, `keyword` and
    `sentiment` may be missing.

    Raises:
        InputContractError: the file is no CSV, was cut off within quotes, or lacks a column.
    """
    grouped: dict[tuple[str, str], list[dict[str, str]]] = {}
    reviews: dict[str, list[dict[str, str]]] = {}
    submissions = []
    for row in _read_rows(document, origin):
        reviews.setdefault(row["review_id"], []).append(row)
    unlabelled = 0
    for review_id, rows in reviews.items():
        signers = {row["annotator"] for row in rows} - {""}
        rest = default_annotator or (next(iter(signers)) if len(signers) == 1 else "")
        if not signers and not rest:
            unlabelled += 1
            continue
        for row in rows:
            grouped.setdefault((review_id, row["annotator"] or rest), []).append(row)
    for (review_id, annotator), rows in grouped.items():
        submissions.append(_read_group(review_id, annotator, rows))
    return submissions, unlabelled


def _line(pick: Pick, taxonomy: Taxonomy) -> dict[str, Any]:
    predictions = [
        {
            "keyword": guess.keyword,
            "sentiment": guess.sentiment,
            "highlights": [{"word": mark.word, "start": mark.start, "end": mark.end}] if mark else [],
        }
        for guess in known_guesses(pick, taxonomy)
        for mark in [guess.highlight]
    ]
    return {
        "review_id": pick.review_id,
        "text": pick.text,
        "labels": None,
        "annotator": None,
        "predictions": predictions,
        "round": pick.round,
        "taxonomy_version": taxonomy.version,
    }


def _read_line(row: Any) -> Submission:
    submission = Submission(None, None, None, write_raw(row), is_malformed=True)
    if not isinstance(row, dict):
        return submission
    submission = replace(submission, round=as_name(row.get("round")), review_id=as_name(row.get("review_id")))
    labels, text = row.get("labels"), row.get("text")
    if not isinstance(labels, list) or not (text is None or isinstance(text, str)):
        return submission
    sentiments: dict[str, tuple[str, ...]] = {}
    evidence: dict[str, tuple[Region | str, ...]] = {}
    try:
        for label in labels:
            keyword, sentiment = normalize(label["keyword"]), label.get("sentiment")
            marks = tuple(map(_read_mark, label.get("highlights") or label.get("evidence") or ()))
            sentiments[keyword] = sentiments.get(keyword, ()) + ((normalize(sentiment),) if sentiment else ())
            evidence[keyword] = evidence.get(keyword, ()) + marks
        labelled_at = read_time(row.get("labelled_at"))
    except (AttributeError, KeyError, TypeError, ValueError):
        return submission
    return replace(
        submission,
        annotator=as_name(row.get("annotator")),
        labelled_at=labelled_at,
        text=text,
        taxonomy_version=as_name(row.get("taxonomy_version")),
        is_malformed=False,
        keywords=tuple(sentiments),
        sentiments=sentiments,
        evidence=evidence,
    )


def _read_mark(mark: Any) -> Region | str:
    if isinstance(mark, str):
        return mark
    start, end, word = mark["start"], mark["end"], mark.get("word")
    if type(start) is not int or type(end) is not int or not (word is None or isinstance(word, str)):
        raise TypeError("offsets are whole numbers")
    return Region(start, end, word)


def _read_rows(document: str, origin: str) -> list[dict[str, str]]:
    """Rows with all our columns; Excel leaves out empty cells at a row's end."""
    lines = csv.reader(io.StringIO(document.removeprefix("\ufeff"), newline=""), strict=True)
    rows = []
    try:
        header = [name.strip().lower() for name in next(lines, [])]
        if missing := [name for name in ("review_id", "keyword", "sentiment") if name not in header]:
            raise InputContractError(
                f"{origin} has no column {', '.join(missing)}: the first row must name the columns."
            )
        for cells in lines:
            if len(cells) > len(header):
                raise InputContractError(
                    f"{origin}, line {lines.line_num}: {len(cells)} cells under {len(header)} columns. Texts with "
                    "commas need quotes around them. Nothing was imported."
                )
            row = dict(zip(header, cells, strict=False))
            if any(cell.strip() for cell in cells):
                rows.append({name: _unguard(row.get(name, "")) for name in CSV_COLUMNS})
    except csv.Error as error:
        raise InputContractError(
            f"{origin} is no CSV from line {lines.line_num} on ({error}): it may have been cut off. "
            "Nothing was imported."
        ) from None
    return [row | {name: row[name].strip() for name in CSV_COLUMNS if name != "text"} for row in rows]


def _read_group(review_id: str, annotator: str, rows: Sequence[Mapping[str, str]]) -> Submission:
    """One person's rows for one review. A row without a keyword beside others says nothing."""
    sentiments: dict[str, tuple[str, ...]] = {}
    evidence: dict[str, tuple[Region | str, ...]] = {}
    is_malformed = False
    for row in rows:
        keyword, sentiment, marked = (normalize(row[name]) for name in ("keyword", "sentiment", "highlight"))
        if keyword:
            sentiments[keyword] = sentiments.get(keyword, ()) + ((sentiment,) if sentiment else ())
            evidence[keyword] = evidence.get(keyword, ()) + tuple(marked.split())
        is_malformed |= not keyword and bool(sentiment or marked)
    return Submission(
        round=rows[0]["round"] or None,
        review_id=as_name(review_id),
        annotator=as_name(annotator),
        raw=write_raw(list(rows)),
        text=rows[0]["text"] or None,
        taxonomy_version=rows[0]["taxonomy_version"] or None,
        is_malformed=is_malformed,
        keywords=tuple(sentiments),
        sentiments=sentiments,
        evidence=evidence,
    )


def _word(guess: Guess) -> str:
    return guess.highlight.word if guess.highlight else ""


def _guard(cell: str) -> str:
    return f"'{cell}" if _REWRITTEN.match(cell) else cell


def _unguard(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _REWRITTEN.match(cell[1:]) else cell
