"""What scoring gives back."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reviewlens.text import Word


@dataclass(frozen=True, slots=True)
class Highlight:
    """The word that carries a keyword: `stored_text[start:end]`, and the keyword's probability without it."""

    word: str
    start: int
    end: int
    probability_without: float


@dataclass(frozen=True, slots=True)
class SentimentScore:
    """The most probable sentiment level of a review-keyword pair, and the probability of every level."""

    sentiment: str
    probability: float
    probabilities: dict[str, float]


@dataclass(frozen=True, slots=True)
class KeywordScore:
    """A keyword that was found, its sentiment, and its highlight if any word's absence lowers its probability."""

    keyword: str
    probability: float
    sentiment: str
    sentiment_probability: float
    highlight: Highlight | None


@dataclass(frozen=True, slots=True)
class Score:
    """A scored review: all keywords' probabilities, the keywords found, and whether its end was out of the window."""

    probabilities: dict[str, float]
    keywords: list[KeywordScore]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A review that the model could not score, and the reason's code."""

    reason: str


@dataclass(frozen=True, slots=True)
class WordEffects:
    """What each word's absence does to every keyword.

    `words` are those in the model's window, with offsets in the stored text; `probabilities` has shape (keywords,);
    `without` has shape (words, keywords): row i is measured with word i replaced by the mask token, and
    NaN where that was not measured.
    """

    words: list[Word]
    probabilities: npt.NDArray[np.float32]
    without: npt.NDArray[np.float32]
