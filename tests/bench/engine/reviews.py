"""The reviews that everybody scores: real ones where the folder is, the corpus otherwise; texts only."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from transformers import AutoTokenizer

from reviewlens.bundle import STARTER
from reviewlens.text import normalize

REAL = Path("../shared/reviews")
_CORPUS = STARTER.parent / "corpus" / "reviews.jsonl"
_RESERVE = 24  # tokens that the prompt of a pair adds


def name_source(folder: Path) -> str:
    """What the reviews of `folder` are called in a table."""
    return "real reviews" if _is_there(folder) else "reviews of the corpus"


def read_texts(folder: Path) -> list[str]:
    """All texts, in their NFC form."""
    if _is_there(folder):
        texts = pd.read_parquet(folder / "real_reviews.parquet", columns=["text"])["text"].tolist()
    else:
        texts = [json.loads(line)["text"] for line in _CORPUS.read_text(encoding="utf-8").splitlines()]
    return [normalize(text) for text in texts if text and text.strip()]


def sample_reviews(folder: Path, count: int, seed: int) -> list[str]:
    """A sample without replacement.

    Texts that do not fit into the starter's window, one in a thousand, are left out: contestants cut them at different
    places.
    """
    texts = read_texts(folder)
    order = np.random.default_rng(seed).permutation(len(texts))[: 2 * count]
    drawn = [texts[index] for index in order.tolist()]
    tokenizer = AutoTokenizer.from_pretrained(STARTER / "keyword", local_files_only=True)
    room = int(tokenizer.model_max_length) - _RESERVE
    lengths = [len(ids) for ids in tokenizer(drawn, verbose=False)["input_ids"]]
    return [text for text, length in zip(drawn, lengths, strict=True) if length <= room][:count]


def read_many(folder: Path, count: int, seed: int) -> list[str]:
    """`count` texts; where there are fewer, those of later rounds have their words in another order.

    So no text is there twice because of that, and the lengths stay what they are.
    """
    texts, rng = read_texts(folder), np.random.default_rng(seed)
    order = rng.permutation(len(texts))
    first = [texts[index] for index in order[:count].tolist()]
    again = (texts[order[index % len(texts)]].split() for index in range(len(texts), count))
    return first + [" ".join(rng.permutation(words).tolist()) for words in again]


def _is_there(folder: Path) -> bool:
    return (folder / "real_reviews.parquet").is_file()
