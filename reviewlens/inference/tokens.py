"""Texts as token ids, and where their words stand among them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress, groupby
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer
from transformers import PreTrainedTokenizerBase

from reviewlens.inference.backends import Ids
from reviewlens.text import Word, hide_words, split_words

_LOCAL_NORMALIZERS = {"Precompiled", "NFC", "NFD", "NFKC", "NFKD", "BertNormalizer", "Lowercase", "StripAccents"}
_LOCAL_SPLITTERS = {"Metaspace", "Whitespace", "WhitespaceSplit", "BertPreTokenizer", "ByteLevel"}
_SPACES = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the model reads it.

    `text` is what of it fits into the window; `ids` its tokens, special ones included; `words` its words; `places`
    the half-open range of each word's tokens in `ids`, or None where hiding a word takes a new tokenisation;
    `truncated` whether the text's end was left out.
    """

    text: str
    ids: Ids
    words: list[Word]
    places: list[tuple[int, int]] | None
    truncated: bool


class TextEncoder:
    """Turns texts into token ids, and texts with one word hidden too, from the ids wherever that is the same.

    A word-local tokenizer normalises character by character and cuts at whitespace before it looks for pieces; then
    the pieces of a word do not depend on its neighbours, and replacing them by the mask token equals masking the text
    and tokenising it again. Texts in which a piece stands in whitespace or reaches over it, or with
    characters that cannot be printed, are tokenised again.

    Args:
        tokenizer: a fast tokenizer with a mask token.
        window: the longest input of the model in tokens, special tokens included.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, window: int) -> None:
        self.window = window
        self.mask: str = str(tokenizer.mask_token)
        self.pad_id: int = int(tokenizer.pad_token_id or 0)
        self.mask_id: int = int(tokenizer.mask_token_id)
        self._rust: Tokenizer = tokenizer.backend_tokenizer
        self._rust.no_padding()
        self._rust.no_truncation()
        description = self._rust.to_str()
        self._is_word_local = is_word_local(json.loads(description), self.mask)
        self._identity = (hash(description), window)

    def reads_like(self, other: Self) -> bool:
        """Whether both make the same ids of every text."""
        return self._identity == other._identity

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """Token ids of each text, special tokens included, cut to the window."""
        return [self._cut(encoding) for encoding in self._rust.encode_batch(list(texts))]

    def read(self, texts: Sequence[str], reserve: int) -> list[Reading]:
        """What of each text fits into the window beside `reserve` more tokens, and its words' tokens.

        The cut falls at the end of a word; where not even the first word fits, inside that word.
        """
        encodings = self._rust.encode_batch(list(texts))
        room = self.window - reserve
        fitted = [_fit(text, encoding, room) for text, encoding in zip(texts, encodings, strict=True)]
        cut = [row for row, (text, seen) in enumerate(zip(texts, fitted, strict=True)) if len(seen) < len(text)]
        for row, encoding in zip(cut, self._rust.encode_batch([fitted[row] for row in cut]), strict=True):
            encodings[row] = encoding
        return [
            self._as_reading(seen, encoding, truncated=len(seen) < len(text))
            for text, seen, encoding in zip(texts, fitted, encodings, strict=True)
        ]

    def hide_words(self, readings: Sequence[Reading], chosen: Sequence[npt.NDArray[np.bool_]]) -> list[list[Ids]]:
        """For each reading, the ids of its text with each chosen word in turn replaced by the mask."""
        texts = [
            hide_words(reading.text, [word], self.mask)
            for reading, words in zip(readings, chosen, strict=True)
            if reading.places is None
            for word in compress(reading.words, words)
        ]
        encoded = iter(self.encode(texts))
        return [
            [next(encoded) for _ in compress(reading.words, words)]
            if reading.places is None
            else [self._hide(reading.ids, place) for place in compress(reading.places, words)]
            for reading, words in zip(readings, chosen, strict=True)
        ]

    def _hide(self, ids: Ids, place: tuple[int, int]) -> Ids:
        return np.concatenate((ids[: place[0]], np.array([self.mask_id]), ids[place[1] :]))

    def _cut(self, encoding: Encoding) -> Ids:
        ids = np.array(encoding.ids, dtype=np.int64)
        if len(ids) <= self.window:
            return ids
        special = np.array(encoding.special_tokens_mask, dtype=bool)
        keep = special.copy()
        keep[np.flatnonzero(~special)[: self.window - int(special.sum())]] = True
        kept: Ids = ids[keep]
        return kept

    def _as_reading(self, text: str, encoding: Encoding, *, truncated: bool) -> Reading:
        words = split_words(text)
        # A normaliser may drop what cannot be printed, and offsets after that are not to be relied on.
        is_plain = self._is_word_local and text.isprintable()
        places = locate_words(text, words, encoding) if is_plain else None
        return Reading(text, self._cut(encoding), words, places, truncated)


def is_word_local(tokenizer: dict[str, Any], mask: str) -> bool:
    """Whether no piece of a word can depend on another word, as the tokenizer's own description says.

    Args:
        tokenizer: the content of `tokenizer.json`.
        mask: the mask token; it must not swallow the whitespace after it, and must leave none before it that a
            splitter could take for a piece of its own.
    """
    normalizers = _flatten(tokenizer["normalizer"], "normalizers")
    splitters = _flatten(tokenizer["pre_tokenizer"], "pretokenizers")
    [token] = [token for token in tokenizer["added_tokens"] if token["content"] == mask]
    keeps_spaces = any(part["type"] in ("Metaspace", "ByteLevel") for part in splitters)
    return (
        all(part["type"] in _LOCAL_NORMALIZERS or part == _SPACES for part in normalizers)
        and any(part["type"] in _LOCAL_SPLITTERS for part in splitters)
        and all(part["type"] in {*_LOCAL_SPLITTERS, "Punctuation", "Digits"} for part in splitters)
        and all(part.get("split", True) and part.get("use_regex", True) for part in splitters)
        and not token["rstrip"]
        and not token["single_word"]
        and (token["lstrip"] or not keeps_spaces)
    )


def locate_words(text: str, words: Sequence[Word], encoding: Encoding) -> list[tuple[int, int]] | None:
    """The range of each word's tokens; None where a piece belongs to no word or to several, or a word has none.

    Pieces are taken together as the tokenizer's splitter left them: it is what finds pieces one by one.
    """
    places: dict[int, list[int]] = {}
    current = 0
    pieces = zip(range(len(encoding)), encoding.word_ids, encoding.offsets, encoding.special_tokens_mask, strict=True)
    for group, members in groupby((piece for piece in pieces if not piece[3]), key=lambda piece: piece[1]):
        tokens = list(members)
        span = text[tokens[0][2][0] : tokens[-1][2][1]]
        start = tokens[0][2][0] + len(span) - len(span.lstrip())
        end = start + len(span.strip())
        while current < len(words) and words[current].end <= start:
            current += 1
        inside = current < len(words) and words[current].start <= start < end <= words[current].end
        if group is None or not inside or span[-1].isspace():
            return None
        place = places.setdefault(current, [tokens[0][0], 0])
        place[1] = tokens[-1][0] + 1
    if len(places) != len(words):
        return None
    return [(start, end) for start, end in places.values()]


def _fit(text: str, encoding: Encoding, room: int) -> str:
    spans = [span for span, special in zip(encoding.offsets, encoding.special_tokens_mask, strict=True) if not special]
    return text if len(spans) <= room else text[: _last_word_end(text, spans[room - 1][1])]


def _last_word_end(text: str, end: int) -> int:
    if text[end : end + 1].isspace():
        return end
    kept = text[:end].rsplit(maxsplit=1)
    head = text[:end]
    return len(head) - len(kept[-1]) if len(kept) > 1 else end


def _flatten(part: dict[str, Any] | None, members: str) -> list[dict[str, Any]]:
    if part is None:
        return []
    return [leaf for child in part[members] for leaf in _flatten(child, members)] if members in part else [part]
