"""Training sets: several people's answers become one, every review its part, and the whole a hash.

Only random picks measure a model: `test` and `validation` hold nothing else. A review's part follows from a hash of its
skeleton, and from the parts that earlier versions gave it.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from reviewlens.labeling.answers import Answer
from reviewlens.labeling.labels import Highlight, KeywordLabel
from reviewlens.taxonomy import Taxonomy
from reviewlens.text import normalize, skeleton

PARTS = TRAIN, VALIDATION, TEST = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class FrozenReview:
    """A review of a training set. `annotators` is 0, and `round` None, where its labels came with a corpus."""

    review_id: str
    mall_id: str | None
    text: str
    labels: tuple[KeywordLabel, ...]
    part: str
    is_random: bool
    round: str | None
    annotators: int


@dataclass(frozen=True, slots=True)
class Composition:
    """The reviews of a training set by id, and how many were left out of its train part.

    Attributes:
        near_duplicates: they have the skeleton of a review that measures, here or in an earlier version.
        relabelled: reviews of the corpus that a labelled review has the id of.
    """

    reviews: tuple[FrozenReview, ...]
    near_duplicates: int
    relabelled: int

    def count(self, part: str) -> int:
        """Reviews of a part."""
        return sum(review.part == part for review in self.reviews)


def resolve_answers(answers: Iterable[Answer], taxonomy: Taxonomy) -> list[FrozenReview]:
    """One review for each id, in the train part; the labels are those that its annotators agree on.

    A keyword stays when at least half of them gave it: something overlooked is likelier than something invented. Its
    sentiment is the median; of two middle ones the nearer to neutral, and of two as near the lower. Its highlights are
    all that were marked for it, those that most people marked first. A person counts once, with the newest answer,
    and only answers to the review's newest text count. A review is a random pick when any round drew it so.
    """
    by_review: dict[str, list[Answer]] = {}
    for answer in sorted(answers, key=lambda each: (each.labelled_at, each.round, each.annotator)):
        by_review.setdefault(answer.review_id, []).append(answer)
    return [_resolve(by_review[review_id], taxonomy) for review_id in sorted(by_review)]


def compose(
    labelled: Sequence[FrozenReview],
    corpus: Sequence[FrozenReview],
    earlier: Mapping[str, str],
    test_share: float,
    validation_share: float,
) -> Composition:
    """Give each review its part, and take out of `train` what is near to a review that measures.

    Args:
        labelled: reviews that people labelled.
        corpus: reviews to train on besides.
        earlier: for the keys of all earlier versions' texts (`part_key`), the part that they were in. It stays theirs:
            what once measured is never learned, and what was once learned never measures.
        test_share: share of the random picks, by hash.
        validation_share: likewise.
    """
    placed = [_place(review, earlier, test_share, validation_share) for review in labelled]
    ids = {review.review_id for review in placed}
    extra = [review for review in corpus if review.review_id not in ids]
    held = {part_key(review.text) for review in placed if review.part != TRAIN}
    held |= {key for key, part in earlier.items() if part == TEST}
    kept = [review for review in (*placed, *extra) if review.part != TRAIN or part_key(review.text) not in held]
    return Composition(
        reviews=tuple(sorted(kept, key=lambda review: review.review_id)),
        near_duplicates=len(placed) + len(extra) - len(kept),
        relabelled=len(corpus) - len(extra),
    )


def part_key(text: str) -> str:
    """What near-duplicates share. A text of emoji alone has no skeleton, and is its own key."""
    return skeleton(text) or normalize(text).strip()


def hash_content(reviews: Iterable[FrozenReview]) -> str:
    """SHA-256 over the canonical JSON of all reviews and their parts, in the order of their ids."""
    lines = hashlib.sha256()
    for review in sorted(reviews, key=lambda each: each.review_id):
        lines.update(json.dumps(asdict(review), sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return lines.hexdigest()


def _resolve(answers: Sequence[Answer], taxonomy: Taxonomy) -> FrozenReview:
    newest = answers[-1]
    last = {each.annotator: each for each in answers if each.text == newest.text}
    given: dict[str, list[KeywordLabel]] = {}
    for label in (label for _, answer in sorted(last.items()) for label in answer.labels):
        given.setdefault(label.keyword, []).append(label)
    labels = tuple(
        KeywordLabel(keyword, _middle(given[keyword], taxonomy), _merge_highlights(given[keyword]))
        for keyword in taxonomy.keywords
        if 2 * len(given.get(keyword, ())) >= len(last)
    )
    is_random = any(each.is_random for each in answers)
    return FrozenReview(
        newest.review_id, newest.mall_id, newest.text, labels, TRAIN, is_random, newest.round, len(last)
    )


def _middle(labels: Sequence[KeywordLabel], taxonomy: Taxonomy) -> str:
    values = {level.name: level.value for level in taxonomy.sentiments}
    ordered = sorted((label.sentiment for label in labels), key=values.__getitem__)
    middles = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return min(middles, key=lambda name: (abs(values[name]), values[name]))


def _merge_highlights(labels: Sequence[KeywordLabel]) -> tuple[Highlight, ...]:
    marked = Counter(highlight for label in labels for highlight in label.highlights)
    return tuple(highlight for highlight, _ in marked.most_common())  # of equal counts the first marked


def _place(
    review: FrozenReview, earlier: Mapping[str, str], test_share: float, validation_share: float
) -> FrozenReview:
    key = part_key(review.text)
    if not review.is_random:
        return review
    if key in earlier:
        return replace(review, part=earlier[key])
    point = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64
    part = TEST if point < test_share else VALIDATION if point < test_share + validation_share else TRAIN
    return replace(review, part=part)
