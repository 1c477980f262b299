"""What an import changes: a person has one opinion of a review in a round, and the newest stands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reviewlens.labeling.labels import Annotation

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Stored:
    """What the table holds of one person and review."""

    annotation_id: str
    labelled_at: datetime


@dataclass(slots=True)
class Changes:
    """What the table needs, and how the rest of the annotations ended.

    Attributes:
        new: of a person and a review that the table lacks.
        replaced: newer than what the table holds, and different.
        withdrawn: person and review whose annotation was cancelled after it was imported, and when.
        unchanged: annotations that the table holds already.
        outdated: annotations older than another of the same person and review.
    """

    new: list[Annotation] = field(default_factory=list)
    replaced: list[Annotation] = field(default_factory=list)
    withdrawn: dict[Key, datetime] = field(default_factory=dict)
    unchanged: int = 0
    outdated: int = 0


def find_changes(
    stored: Mapping[Key, Stored], annotations: Iterable[Annotation], cancelled: Mapping[Key, datetime]
) -> Changes:
    """Hold a file's annotations against what the table has.

    Args:
        stored: the round's labels in the table, by review and annotator.
        annotations: those of the file.
        cancelled: review and annotator of cancelled ones, and when the newest of each was cancelled.
    """
    changes = Changes()
    newest: dict[Key, Annotation] = {}
    for annotation in sorted(annotations, key=lambda each: each.labelled_at):  # of equal times the file's last
        changes.outdated += annotation.key in newest
        newest[annotation.key] = annotation
    for key, time in cancelled.items():
        if key in newest and newest[key].labelled_at < time:
            changes.outdated += 1
            del newest[key]
        if key not in newest and key in stored and stored[key].labelled_at < time:
            changes.withdrawn[key] = time
    for key, annotation in newest.items():
        held = stored.get(key)
        if held is None:
            changes.new.append(annotation)
        elif held.annotation_id == annotation.annotation_id:
            changes.unchanged += 1
        elif held.labelled_at > annotation.labelled_at:
            changes.outdated += 1
        else:
            changes.replaced.append(annotation)
    return changes
