"""The rarity criterion: how much of a review the training data rarely or never had."""

import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import sentencepiece

from reviewlens.errors import InputContractError
from reviewlens.text import normalize

PIECES = 8_000
MIN_CHARACTERS = 10
_WORD_LIMIT = 4.0
_MAX_BYTES = 65_536
_SPACE = "\u2581"  # how a piece writes the space before a word
_RUN = re.compile(r"(.{1,4}?)\1{2,}|([^\w\s]|[\u3131-\u3163])\2")
_IDENTIFIER = re.compile(
    r"(?:https?://|www\.)\S+|\S+@\S+\.\S+|(?=[^\s가-힣]*\d)(?=[^\s가-힣]*[A-Za-z])[^\s가-힣]{8,}|\+?\d[\d\-.,]{4,}",
)


class RarityModel:
    """A unigram SentencePiece model of the first training set, with the counts of its pieces there.

    The seed looks for unknown tokens and for late ids. Ids are no measure: their order is that of the model's own
    estimate, not of how often a piece is used; BPE puts single characters last; and all of it ends at the size of the
    vocabulary. How often the training data had a piece is what the model could learn it from, so that is counted.
    """

    def __init__(self, model: bytes, counts: Counter[str]) -> None:
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        self._counts = counts

    @classmethod
    def train(cls, texts: Iterable[str]) -> "RarityModel":
        """Train on texts, in memory; the same texts in the same order give the same model.

        Every character of the texts is a piece, and there is no byte fallback: only a character that they never had
        is unknown. No NFKC, which would make another letter of ㅋ.

        Raises:
            InputContractError: the texts hold no word.
        """
        cleaned = [each for each in map(reduce_text, texts) if each]
        if not cleaned:
            raise InputContractError("The training data that rarity is measured by holds no text: give --rarity_corpus")
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(cleaned),
            model_writer=model,
            model_type="unigram",
            vocab_size=max(PIECES, len(set("".join(cleaned))) + 4),
            hard_vocab_limit=False,
            character_coverage=1.0,
            byte_fallback=False,
            normalization_rule_name="identity",
            max_sentence_length=_MAX_BYTES,
            num_threads=1,
            minloglevel=2,
        )
        processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        return cls(model.getvalue(), Counter(piece for pieces in _encode(processor, cleaned) for piece in pieces))

    def score(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.float64], list[str | None]]:
        """The share of each text's characters that are rare, and the rarest piece.

        A character weighs 1 / (1 + count of its piece in the training data): 1 in a piece that was never there, such
        as an unknown character, and a half in one that was there once. The sum is divided by the characters, at least
        `MIN_CHARACTERS`: one unknown emoji does not make the rarest review. Nor does one word of a mashed keyboard:
        what a word adds ends at `_WORD_LIMIT` unknown characters.

        Returns:
            A value from 0 to 1 for each text, and the piece that adds most to it (None where there is no character).
        """
        values = np.zeros(len(texts))
        details: list[str | None] = [None] * len(texts)
        for row, pieces in enumerate(_encode(self._processor, [reduce_text(text) for text in texts])):
            rare, characters, most = 0.0, 0, 0.0
            for word in _group_words(pieces):
                weights = [len(_surface(piece)) / (1 + self._counts[piece]) for piece in word]
                rare += min(sum(weights), _WORD_LIMIT)
                characters += sum(len(_surface(piece)) for piece in word)
                if max(weights) > most:
                    most = max(weights)
                    details[row] = _surface(word[int(np.argmax(weights))])
            values[row] = rare / max(MIN_CHARACTERS, characters)
        return values, details


def reduce_text(text: str) -> str:
    """A text as rarity counts it: what is merely typed often, or is no language, does not make it rare.

    Addresses, phone numbers and codes are left out; a run of one character (ㅋㅋㅋ, ㅠㅠ, !!!) or of a short group
    (ㅋㅎㅋㅎㅋㅎ) becomes one; a word counts once, however often it is repeated. NFC, never NFKC.
    """
    kept = _IDENTIFIER.sub(" ", normalize(text))
    words = dict.fromkeys(_RUN.sub(_first_of_run, kept).split())
    return " ".join(words)


def _first_of_run(run: re.Match[str]) -> str:
    return run[1] or run[2]


def _encode(processor: sentencepiece.SentencePieceProcessor, texts: Sequence[str]) -> list[list[str]]:
    pieces: list[list[str]] = processor.encode(list(texts), out_type=str)
    return pieces


def _group_words(pieces: Sequence[str]) -> list[list[str]]:
    words: list[list[str]] = []
    for piece in pieces:
        if piece.startswith(_SPACE):
            words.append([])
        words[-1].append(piece)
    return words


def _surface(piece: str) -> str:
    return piece.removeprefix(_SPACE)
