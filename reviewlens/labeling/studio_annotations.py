"""Label Studio's export, read as submissions.

The format: Label Studio's `JSON` export, a list of tasks with their `data` and `annotations`. Tasks are known by
`data.review_id` and `data.round`, never by their own id: a doubly labelled review is two tasks in two projects.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from reviewlens.errors import InputContractError
from reviewlens.labeling.labels import Region, Submission
from reviewlens.labeling.studio_config import HIGHLIGHTS, KEYWORDS, SENTIMENT_PREFIX


def read_export(document: str, origin: str) -> tuple[list[Submission], int]:
    """The annotations of an export, and the number of tasks without any. Drafts are not annotations.

    Args:
        document: the file's content.
        origin: names the file in errors.

    Raises:
        InputContractError: the document is not JSON, as when it was cut off, or no export of this kind.
    """
    tasks = parse_json(document, origin)
    if not isinstance(tasks, list):
        raise InputContractError(f"{origin} is no Label Studio export: it must be a list of tasks. Export as JSON.")
    if tasks and not any(isinstance(task, dict) and "annotations" in task for task in tasks):
        raise InputContractError(f"{origin} holds no task with annotations: export as JSON, not as JSON-MIN or CSV.")
    submissions: list[Submission] = []
    unlabelled = 0
    for task in tasks:
        read = list(_read_task(task))
        submissions += read
        unlabelled += not read
    return submissions, unlabelled


def parse_json(document: str, origin: str, first_line: int = 1, first_byte: int = 0) -> Any:
    """JSON, or an error that says where it ends or breaks, without a word of its content.

    Raises:
        InputContractError: the document is not JSON.
    """
    try:
        return json.loads(document)
    except json.JSONDecodeError as error:
        byte = first_byte + len(document[: error.pos].encode(errors="surrogatepass"))
        raise InputContractError(
            f"{origin} is not JSON from line {first_line + error.lineno - 1}, byte {byte} on: it may have been cut "
            "off. Nothing was imported: export it again."
        ) from None
    except RecursionError:
        raise InputContractError(f"{origin} is nested too deep for an export. Nothing was imported.") from None


def _read_task(task: Any) -> Iterator[Submission]:
    raw = write_raw(task)
    if not isinstance(task, dict) or not isinstance(task.get("annotations"), list):
        yield Submission(None, None, None, raw, is_malformed=True)
        return
    data = task.get("data")
    for annotation in task["annotations"]:
        yield _read_annotation(data if isinstance(data, dict) else {}, annotation)


def _read_annotation(data: Mapping[str, Any], annotation: Any) -> Submission:
    text = data.get("text")
    written: Mapping[str, Any] = annotation if isinstance(annotation, dict) else {}
    is_cancelled = written.get("was_cancelled") is True
    submission = Submission(
        round=as_name(data.get("round")) or "",
        review_id=as_name(data.get("review_id")),
        annotator=_read_annotator(written.get("completed_by")),
        raw=write_raw({"data": data, "annotation": annotation}),
        origin=as_name(written.get("unique_id")) or as_name(written.get("id")) or "",
        text=text if isinstance(text, str) else "",
        taxonomy_version=as_name(data.get("taxonomy_version")) or "",
        is_cancelled=is_cancelled,
        is_malformed=True,
    )
    try:
        labelled_at = read_time(written.get("updated_at") or written.get("created_at"))
        keywords, sentiments, evidence = _read_result([] if is_cancelled else written["result"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return submission
    return replace(
        submission,
        labelled_at=labelled_at,
        is_malformed=False,
        keywords=keywords,
        sentiments=sentiments,
        evidence=evidence,
    )


def as_name(value: Any) -> str | None:
    """An id or a name as text that can be stored: tools turn those that look like numbers into numbers."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip().encode(errors="replace").decode() or None


def read_time(value: Any) -> datetime | None:
    """ISO 8601, in UTC where it does not say.

    Raises:
        ValueError: it is no time.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError("a time is text")
    time = datetime.fromisoformat(value)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _read_annotator(completed_by: Any) -> str | None:
    """The e-mail address where the export has it, else the user's number."""
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return as_name(completed_by)


def _read_result(
    result: Any,
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]], dict[str, tuple[Region | str, ...]]]:
    """Keywords, sentiments and regions by keyword.

    Raises:
        KeyError, TypeError, ValueError: it has not the form that our configuration gives.
    """
    if not isinstance(result, list):
        raise TypeError("a result is a list")
    keywords: dict[str, None] = {}
    sentiments: dict[str, dict[str, None]] = defaultdict(dict)
    evidence: dict[str, list[Region | str]] = defaultdict(list)
    for part in result:
        name, value = part["from_name"], part["value"]
        if name == HIGHLIGHTS:
            for keyword in _names(value["labels"]):
                evidence[keyword].append(_read_region(value))
        elif name == KEYWORDS:
            keywords |= dict.fromkeys(_names(value["choices"]))
        elif name.startswith(SENTIMENT_PREFIX):
            sentiments[name.removeprefix(SENTIMENT_PREFIX)] |= dict.fromkeys(_names(value["choices"]))
        else:
            raise ValueError("no control of our configuration has this name")
    given = {keyword: tuple(names) for keyword, names in sentiments.items()}
    return tuple(keywords), given, {keyword: tuple(regions) for keyword, regions in evidence.items()}


def _read_region(value: Mapping[str, Any]) -> Region:
    start, end, text = value["start"], value["end"], value.get("text")
    if type(start) is not int or type(end) is not int or not (text is None or isinstance(text, str)):
        raise TypeError("offsets are whole numbers")
    return Region(start, end, text)


def _names(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("names are a list of texts")
    return values


def write_raw(value: Any) -> str:
    """What came, for the quarantine; what no table can store of it becomes a question mark."""
    return json.dumps(value, ensure_ascii=False).encode(errors="replace").decode()
