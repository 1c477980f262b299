"""Hugging Face pipelines as the guides have them, and the whole cascade with them on any device, without Spark."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from reviewlens.bundle import read_manifest
from reviewlens.text import hide_words, split_words
from tests.bench.engine.labels import Contestant, Found, Labels, find_keywords

BATCH_ROWS = 32


@lru_cache(maxsize=2)
def load_pipeline(path: str, activation: str, device: str = "cpu", dtype: str = "float32") -> Any:
    """A pipeline that gives every class's probability, best first; kept by the process."""
    from transformers import pipeline
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    return pipeline(
        "text-classification",
        model=path,
        dtype=dtype,
        device=device,
        top_k=None,
        function_to_apply=activation,
        batch_size=BATCH_ROWS,
        truncation=True,
    )


def open_pipeline(bundle: Path, device: str, dtype: str) -> Contestant:
    """Both models of the bundle as pipelines, batches of 32 in the order of the texts."""
    manifest = read_manifest(bundle)
    taxonomy, thresholds = manifest.taxonomy, manifest.thresholds
    keyword = load_pipeline(str(bundle / "keyword"), "sigmoid", device, dtype)
    sentiment = load_pipeline(str(bundle / "sentiment"), "softmax", device, dtype)

    def score(texts: Sequence[str]) -> list[Labels]:
        probabilities = [_by_label(row) for row in keyword(list(texts))]
        pairs = [(row, name) for row, found in enumerate(probabilities) for name in find_keywords(found, thresholds)]
        prompts = [taxonomy.write_prompt(texts[row], name) for row, name in pairs]
        levels = [row[0]["label"] for row in sentiment(prompts)]
        words = [(row, word) for row in dict.fromkeys(row for row, _ in pairs) for word in split_words(texts[row])]
        variants = [hide_words(texts[row], [word], keyword.tokenizer.mask_token) for row, word in words]
        without: dict[int, list[tuple[dict[str, float], int, int]]] = {}
        for (row, word), scores in zip(words, keyword(variants), strict=True):
            without.setdefault(row, []).append((_by_label(scores), word.start, word.end))
        labels: list[Labels] = [{} for _ in texts]
        for (row, name), level in zip(pairs, levels, strict=True):
            left, start, end = min((scores[name], start, end) for scores, start, end in without[row])
            place = (start, end) if left < probabilities[row][name] else (None, None)
            labels[row][name] = Found(level, *place)
        return labels

    return score


def _by_label(row: Sequence[Any]) -> dict[str, float]:
    return {each["label"]: each["score"] for each in row}
