"""Vectors of an encoder that was never trained on labels, so that none leaks into the simulation."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModel, AutoTokenizer


@torch.inference_mode()
def read_vectors(texts: Sequence[str], encoder: Path, cache: Path) -> npt.NDArray[np.float32]:
    """Mean-pooled vectors of shape (texts, hidden): from `cache` where it has as many, else computed and kept there."""
    if cache.is_file() and len(kept := np.load(cache)) == len(texts):
        return np.asarray(kept, dtype=np.float32)
    if not (encoder / "config.json").is_file():
        message = f"No encoder at {encoder}: run make encoder first."
        raise SystemExit(message)
    tokenizer = AutoTokenizer.from_pretrained(encoder, local_files_only=True)
    model = AutoModel.from_pretrained(encoder, local_files_only=True).eval()
    vectors = []
    for start in range(0, len(texts), 64):
        batch = tokenizer(list(texts[start : start + 64]), padding=True, truncation=True, return_tensors="pt")
        mask = batch["attention_mask"].unsqueeze(-1)
        states = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        vectors.append(((states * mask).sum(dim=1) / mask.sum(dim=1)).numpy())
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.save(cache, np.concatenate(vectors))
    return np.concatenate(vectors)
