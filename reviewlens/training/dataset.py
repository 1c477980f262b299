"""Labelled reviews: reading them, cutting them into parts, and writing them as model inputs."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from reviewlens.errors import InputContractError
from reviewlens.taxonomy import Taxonomy
from reviewlens.text import hide_words, normalize, split_words

_READERS = {".jsonl": pyarrow.json.read_json, ".json": pyarrow.json.read_json, ".parquet": pq.read_table}
_PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Label:
    """One keyword of a review, its sentiment, and the words that carry it, strongest first (may be empty)."""

    keyword: str
    sentiment: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelledReview:
    """A review that a person labelled; no labels means that it speaks of no keyword."""

    review_id: str
    text: str
    labels: tuple[Label, ...]


def read_labelled(path: Path, taxonomy: Taxonomy) -> list[LabelledReview]:
    """Read labelled reviews from JSON lines or Parquet.

    A row has `id` or `review_id`, `text`, and `labels`: a list of (keyword, sentiment, evidence), or with highlights,
    whose words are evidence, in its place.

    Raises:
        InputContractError: the file cannot be read, or breaks the contract; the message lists the first faults.
    """
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise InputContractError(f"{path}: labelled reviews are .jsonl or .parquet files.")
    try:
        rows = reader(path).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise InputContractError(f"{path} cannot be read as {path.suffix[1:]}: {type(error).__name__}.") from error
    return parse_labelled(rows, taxonomy, origin=str(path))


def parse_labelled(rows: Iterable[dict[str, Any]], taxonomy: Taxonomy, origin: str) -> list[LabelledReview]:
    """Rows of a file or a table as labelled reviews; `origin` names them in errors.

    Raises:
        InputContractError: a row lacks a column or names an unknown keyword or sentiment.
    """
    reviews, faults = [], []
    for number, row in enumerate(rows, start=1):
        review_id, text, labels = row.get("id") or row.get("review_id"), row.get("text"), row.get("labels")
        if review_id is None or not isinstance(text, str) or labels is None:
            faults.append(f"row {number}: needs id or review_id, text and labels")
            continue
        unknown = {label["keyword"] for label in labels} - set(taxonomy.keywords)
        unknown |= {label["sentiment"] for label in labels} - set(taxonomy.sentiment_names)
        if unknown:
            faults.append(f"row {number}: not in taxonomy {taxonomy.version}: {', '.join(sorted(map(str, unknown)))}")
        reviews.append(
            LabelledReview(
                str(review_id),
                text,
                tuple(Label(label["keyword"], label["sentiment"], _read_evidence(label)) for label in labels),
            )
        )
    if faults:
        raise InputContractError(f"{origin}: {len(faults)} faulty rows. " + "; ".join(faults[:5]))
    return reviews


def _read_evidence(label: dict[str, Any]) -> tuple[str, ...]:
    highlights = label.get("highlights") or ()
    return tuple(label.get("evidence") or (highlight["word"] for highlight in highlights))


def split_reviews(
    reviews: Sequence[LabelledReview], validation_share: float, test_share: float, salt: str
) -> dict[str, list[LabelledReview]]:
    """Cut reviews into `train`, `validation` and `test` by a salted hash of the text: equal texts never part."""
    parts: dict[str, list[LabelledReview]] = {name: [] for name in _PARTS}
    for review in reviews:
        digest = hashlib.sha256(f"{salt}\x00{normalize(review.text)}".encode()).digest()
        point = int.from_bytes(digest[:8]) / 2**64
        name = "test" if point < test_share else "validation" if point < test_share + validation_share else "train"
        parts[name].append(review)
    return parts


class _HidingDataset(Dataset[dict[str, Any]]):
    """Inputs of which some have words hidden, anew at each reading.

    In `share` of the readings each word is replaced by the mask token with probability `hide`, so that the model
    knows what a text with a hidden word looks like: highlights are measured on such texts.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, window: int, rng: np.random.Generator, hide: float, share: float
    ) -> None:
        self._tokenizer, self._window, self._rng = tokenizer, window, rng
        self._hide, self._share = hide, share

    def _hide_some(self, text: str) -> str:
        text = normalize(text)
        if self._rng.random() >= self._share:
            return text
        hidden = [word for word in split_words(text) if self._rng.random() < self._hide]
        return hide_words(text, hidden, str(self._tokenizer.mask_token))

    def _encode(self, text: str, labels: Any) -> dict[str, Any]:
        encoded = self._tokenizer(text, truncation=True, max_length=self._window)
        return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"], "labels": labels}


class KeywordDataset(_HidingDataset):
    """Reviews with a multi-hot float label vector over the taxonomy's keywords."""

    problem = "multi_label_classification"  # BCEWithLogits

    @staticmethod
    def classes(taxonomy: Taxonomy) -> tuple[str, ...]:
        """The names of the model's outputs."""
        return taxonomy.keywords

    def __init__(self, reviews: Sequence[LabelledReview], taxonomy: Taxonomy, *args: Any) -> None:
        super().__init__(*args)
        self._texts = [review.text for review in reviews]
        self._labels = keyword_matrix(reviews, taxonomy).astype(np.float32)

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._encode(self._hide_some(self._texts[index]), self._labels[index].tolist())


class SentimentDataset(_HidingDataset):
    """Review-keyword pairs, written as the taxonomy's prompt, with the index of the sentiment level."""

    problem = "single_label_classification"  # cross-entropy

    @staticmethod
    def classes(taxonomy: Taxonomy) -> tuple[str, ...]:
        """The names of the model's outputs."""
        return taxonomy.sentiment_names

    def __init__(self, reviews: Sequence[LabelledReview], taxonomy: Taxonomy, *args: Any) -> None:
        super().__init__(*args)
        self._taxonomy = taxonomy
        self._pairs = sentiment_pairs(reviews)

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        text, label = self._pairs[index]
        prompt = self._taxonomy.write_prompt(self._hide_some(text), label.keyword)
        return self._encode(prompt, self._taxonomy.sentiment_names.index(label.sentiment))


def keyword_matrix(
    reviews: Sequence[LabelledReview], taxonomy: Taxonomy
) -> np.ndarray[tuple[int, int], np.dtype[np.int8]]:
    """True keywords as 0/1, of shape (reviews, keywords)."""
    matrix = np.zeros((len(reviews), len(taxonomy.keywords)), dtype=np.int8)
    for row, review in enumerate(reviews):
        for label in review.labels:
            matrix[row, taxonomy.keywords.index(label.keyword)] = 1
    return matrix


def sentiment_pairs(reviews: Sequence[LabelledReview]) -> list[tuple[str, Label]]:
    """Every labelled keyword of every review beside the review's text."""
    return [(review.text, label) for review in reviews for label in review.labels]
