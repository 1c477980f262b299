"""What an import changes: the newest opinion of each person and review stands, and none is there twice."""

from dataclasses import replace
from datetime import UTC, datetime

from reviewlens.labeling.labels import Annotation, KeywordLabel, Pick
from reviewlens.labeling.merging import Stored, find_changes


def at(hour: int) -> datetime:
    return datetime(2026, 11, 25, hour, tzinfo=UTC)


PICK = Pick("2026-11", "a", None, None, "음", (), 0.1, "bundle-1", is_random=False)
FIRST = Annotation(PICK, "kim", (), "2026.1", at(10))
EDITED = replace(FIRST, labels=(KeywordLabel("배송", "부정"),), labelled_at=at(11))
KEY = FIRST.key


def test_new_ones_are_added_and_known_ones_left() -> None:
    """Two people are two opinions; the same again is unchanged, whenever it was labelled."""
    other = replace(FIRST, annotator="lee")
    changes = find_changes({}, [FIRST, other], {})
    assert changes.new == [FIRST, other]
    held = {each.key: Stored(each.annotation_id, each.labelled_at) for each in (FIRST, other)}
    again = find_changes(held, [replace(FIRST, labelled_at=at(12)), other], {})
    assert (again.new, again.replaced, again.unchanged) == ([], [], 2)


def test_an_edited_one_replaces_and_an_older_one_does_not() -> None:
    """In the table as within a file."""
    assert find_changes({KEY: Stored(FIRST.annotation_id, at(10))}, [EDITED], {}).replaced == [EDITED]
    late = find_changes({KEY: Stored(EDITED.annotation_id, at(11))}, [FIRST], {})
    assert (late.new, late.replaced, late.outdated) == ([], [], 1)
    both = find_changes({}, [EDITED, FIRST], {})
    assert (both.new, both.outdated) == ([EDITED], 1)


def test_one_that_was_cancelled_later_is_withdrawn() -> None:
    """And one that was cancelled earlier stands."""
    held = {KEY: Stored(FIRST.annotation_id, at(10))}
    assert find_changes(held, [], {KEY: at(11)}).withdrawn == {KEY: at(11)}
    assert find_changes(held, [], {KEY: at(9)}).withdrawn == {}
    both = find_changes(held, [FIRST], {KEY: at(11)})
    assert (both.withdrawn, both.outdated, both.unchanged) == ({KEY: at(11)}, 1, 0)
    assert find_changes({}, [], {KEY: at(11)}).withdrawn == {}
    assert find_changes({}, [EDITED], {KEY: at(10)}).new == [EDITED]
