"""Submissions held against the round's picks and the taxonomy: an annotation, or why not."""

from collections.abc import Mapping
from datetime import datetime

from reviewlens.labeling.labels import Annotation, Fault, KeywordLabel, Pick, Refusal, Region, Submission
from reviewlens.labeling.spans import is_same_text, locate_regions, locate_word, mark_words
from reviewlens.taxonomy import Taxonomy


def inspect_submission(
    submission: Submission,
    picks: Mapping[str, Pick],
    taxonomy: Taxonomy,
    round_name: str,
    default_annotator: str | None,
    now: datetime,
) -> Annotation | Refusal:
    """The annotation that a submission is, or its refusal with the first fault found.

    Args:
        submission: as a file had it.
        picks: the round's, by review id.
        taxonomy: the one in use; a submission that names no version is taken to be made with it.
        round_name: the round that is imported.
        default_annotator: who labelled where the file does not say.
        now: when it was labelled where the file does not say.
    """
    pick = picks.get(submission.review_id or "")
    annotator = submission.annotator or default_annotator
    fault = _find_origin_fault(submission, pick, annotator, taxonomy, round_name)
    if fault is not None or pick is None or annotator is None:
        return Refusal(submission, fault or Fault.MALFORMED)
    labels = _read_labels(submission, pick.text, taxonomy)
    if isinstance(labels, Fault):
        return Refusal(submission, labels)
    labelled_at = submission.labelled_at or now
    return Annotation(pick, annotator, labels, taxonomy.version, labelled_at, submission.origin)


def _find_origin_fault(
    submission: Submission, pick: Pick | None, annotator: str | None, taxonomy: Taxonomy, round_name: str
) -> Fault | None:
    """Whether it is of this round, this text, this taxonomy, and somebody's."""
    text, version = submission.text, submission.taxonomy_version
    checks = {
        Fault.MALFORMED: submission.is_malformed or submission.review_id is None,
        Fault.OTHER_ROUND: submission.round not in {None, round_name},
        Fault.UNKNOWN_REVIEW: pick is None,
        Fault.NO_ANNOTATOR: annotator is None,
        Fault.CHANGED_TEXT: text is not None and pick is not None and not is_same_text(text, pick.text),
        Fault.OTHER_TAXONOMY: version not in {None, taxonomy.version},
    }
    return next((fault for fault, is_found in checks.items() if is_found), None)


def _read_labels(submission: Submission, text: str, taxonomy: Taxonomy) -> tuple[KeywordLabel, ...] | Fault:
    """The labels in the taxonomy's order. A sentiment of a keyword that was unchosen again is ignored."""
    evidence = submission.evidence or {}
    named = set(submission.keywords)
    if (named | evidence.keys()) - set(taxonomy.keywords):
        return Fault.UNKNOWN_KEYWORD
    if any(evidence[keyword] for keyword in evidence.keys() - named):
        return Fault.STRAY_HIGHLIGHT
    spans = _locate(text, evidence)
    labels = []
    for keyword in (keyword for keyword in taxonomy.keywords if keyword in named):
        given = set((submission.sentiments or {}).get(keyword, ()))
        if given - set(taxonomy.sentiment_names):
            return Fault.UNKNOWN_SENTIMENT
        if len(given) != 1:
            return Fault.TWO_SENTIMENTS if given else Fault.NO_SENTIMENT
        if spans is None:
            return Fault.SPAN_MISMATCH
        labels.append(KeywordLabel(keyword, given.pop(), mark_words(text, spans.get(keyword, ()))))
    return tuple(labels)


def _locate(text: str, evidence: Mapping[str, tuple[Region | str, ...]]) -> dict[str, list[tuple[int, int]]] | None:
    """Each keyword's spans, or None where one cannot be found. All regions of an annotation count in the same unit."""
    regions = [(keyword, part) for keyword, parts in evidence.items() for part in parts if isinstance(part, Region)]
    located = locate_regions(text, [region for _, region in regions])
    if located is None:
        return None
    spans: dict[str, list[tuple[int, int]]] = {keyword: [] for keyword in evidence}
    for (keyword, _), span in zip(regions, located, strict=True):
        spans[keyword].append(span)
    for keyword, word in ((keyword, part) for keyword, parts in evidence.items() for part in parts):
        if isinstance(word, str):
            found = locate_word(text, word)
            if found is None:
                return None
            spans[keyword].append(found)
    return spans
