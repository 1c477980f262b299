"""The seed's way: one text at a time, one forward pass for each word and each keyword. No Spark, all cores, float32."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from reviewlens.bundle import read_manifest
from reviewlens.text import hide_words, split_words
from tests.bench.engine.labels import Contestant, Found, Labels, is_found

_TIE = 1e-6  # as the library has it: the earlier of two words that are equally strong


def open_seed_way(bundle: Path) -> Contestant:
    """Load both models of the bundle."""
    manifest = read_manifest(bundle)
    taxonomy = manifest.taxonomy
    keyword, sentiment = (_Model(bundle / stage) for stage in ("keyword", "sentiment"))

    def label(text: str) -> Labels:
        probabilities = torch.sigmoid(keyword.logits(text)).tolist()
        found: Labels = {}
        for column, name in enumerate(taxonomy.keywords):
            if not is_found(probabilities[column], manifest.thresholds[name]):
                continue
            level = int(sentiment.logits(taxonomy.write_prompt(text, name)).argmax())
            best: float = probabilities[column]
            place: tuple[int, int] | None = None
            for word in split_words(text):
                hidden = hide_words(text, [word], keyword.tokenizer.mask_token)
                without = float(torch.sigmoid(keyword.logits(hidden))[column])
                if without < best - (_TIE if place else 0):
                    best, place = without, (word.start, word.end)
            found[name] = Found(taxonomy.sentiment_names[level], *(place or (None, None)))
        return found

    return lambda texts: [label(text) for text in texts]


class _Model:
    def __init__(self, path: Path) -> None:
        self.tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)
        model: Any = AutoModelForSequenceClassification.from_pretrained(
            path, local_files_only=True, dtype=torch.float32
        )
        self._model = model.eval()

    @torch.no_grad()
    def logits(self, text: str) -> torch.Tensor:
        inputs = self.tokenizer(text, truncation=True, return_tensors="pt")
        logits: torch.Tensor = self._model(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
        ).logits[0]
        return logits
