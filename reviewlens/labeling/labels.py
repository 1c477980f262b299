"""What goes to labellers, and what comes back: picks, submissions as a file has them, annotations, refusals."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

_ID_DIGITS = 20


class Fault(StrEnum):
    """Why an annotation cannot be imported."""

    MALFORMED = "malformed"
    """It has not the form of an annotation."""
    OTHER_ROUND = "other_round"
    """It was made in another round than the one that is imported."""
    UNKNOWN_REVIEW = "unknown_review"
    """The round has no pick with its review's id."""
    NO_ANNOTATOR = "no_annotator"
    """Nothing says who made it."""
    CHANGED_TEXT = "changed_text"
    """The text that was labelled is not the pick's."""
    OTHER_TAXONOMY = "other_taxonomy"
    """Another version of the taxonomy was in use: a keyword that was not there then was not denied."""
    UNKNOWN_KEYWORD = "unknown_keyword"
    """The taxonomy has no such keyword."""
    UNKNOWN_SENTIMENT = "unknown_sentiment"
    """The taxonomy has no such sentiment."""
    NO_SENTIMENT = "no_sentiment"
    """A keyword has no sentiment."""
    TWO_SENTIMENTS = "two_sentiments"
    """A keyword has more than one sentiment."""
    STRAY_HIGHLIGHT = "stray_highlight"
    """A word is marked for a keyword that was not chosen."""
    SPAN_MISMATCH = "span_mismatch"
    """What is marked does not stand in the text where the file says."""


@dataclass(frozen=True, slots=True)
class Highlight:
    """A word of a review: `text[start:end]` in code points."""

    word: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Guess:
    """What the model said of one keyword of a pick."""

    keyword: str
    probability: float
    sentiment: str
    sentiment_probability: float
    highlight: Highlight | None = None


@dataclass(frozen=True, slots=True)
class Pick:
    """A review to label. `surest` is the highest probability of any keyword."""

    round: str
    review_id: str
    mall_id: str | None
    category: str | None
    text: str
    guesses: tuple[Guess, ...]
    surest: float
    bundle_id: str
    is_random: bool


@dataclass(frozen=True, slots=True)
class Region:
    """A marked part of a text as a tool wrote it: offsets in the tool's unit, and the words that it saw there."""

    start: int
    end: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Submission:
    """What one person said of one review, as a file has it; nothing of it is verified.

    Attributes:
        origin: tells annotations of one person for one review apart: the tool's own id, or nothing.
        text: what was labelled, where the file has it.
        is_cancelled: the person skipped the review.
        is_malformed: it could be read in parts only.
        keywords: those that were chosen.
        sentiments: the sentiments given to each keyword.
        evidence: what was marked for each keyword: regions, or words without a place.
        raw: all of it, for the quarantine.
    """

    round: str | None
    review_id: str | None
    annotator: str | None
    raw: str
    origin: str = ""
    labelled_at: datetime | None = None
    text: str | None = None
    taxonomy_version: str | None = None
    is_cancelled: bool = False
    is_malformed: bool = False
    keywords: tuple[str, ...] = ()
    sentiments: Mapping[str, tuple[str, ...]] | None = None
    evidence: Mapping[str, tuple[Region | str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class KeywordLabel:
    """A keyword that a person found in a review, its sentiment, and the words that show it."""

    keyword: str
    sentiment: str
    highlights: tuple[Highlight, ...] = ()


@dataclass(frozen=True, slots=True)
class Annotation:
    """What one person says of one pick. No labels means that it speaks of no keyword."""

    pick: Pick
    annotator: str
    labels: tuple[KeywordLabel, ...]
    taxonomy_version: str
    labelled_at: datetime
    origin: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Review and annotator: a person has one opinion of a review in a round."""
        return self.pick.review_id, self.annotator

    @property
    def annotation_id(self) -> str:
        """Hash of who said what of which review in which round: the same again has the same."""
        labels = [asdict(label) for label in self.labels]
        return _hash(self.pick.round, self.pick.review_id, self.annotator, self.origin, self.taxonomy_version, labels)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A submission that cannot be imported, and why."""

    submission: Submission
    fault: Fault

    @property
    def annotation_id(self) -> str:
        """Hash of what came."""
        submission = self.submission
        return _hash(submission.round, submission.review_id, submission.annotator, submission.origin, submission.raw)


def _hash(*parts: object) -> str:
    document = json.dumps(parts, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()[:_ID_DIGITS]
