"""The floating-point operations that the labels of some reviews need, whoever computes them and however."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoConfig, AutoTokenizer, PretrainedConfig

from reviewlens.bundle import read_manifest
from reviewlens.text import hide_words, split_words
from tests.bench.engine.labels import Labels, Stage


@dataclass(frozen=True, slots=True)
class Work:
    """Forward passes over distinct inputs, their real tokens, and their floating-point operations."""

    passes: int
    tokens: int
    flops: int


def forward_flops(config: PretrainedConfig, tokens: int) -> int:
    """Operations of one input of `tokens` real tokens through a BERT or RoBERTa classifier: 2 for each multiply-add.

    With h the hidden and i the inner size, a layer has 4 products h × h for each token (query, key, value, output), 2
    products h × i, and for each pair of tokens 2 products of length h (scores, weighted values):
    2 (4 n h² + 2 n h i + 2 n² h), as Megatron-LM counts them (Narayanan et al. 2021, appendix, for one pass forward).
    Of the last layer the classifier reads the first token alone, so there only keys and values are counted for all
    tokens. The head is h × h and h × classes. Embeddings, normalisation and activations are left out.
    """
    hidden, inner, layers = (int(config.hidden_size), int(config.intermediate_size), int(config.num_hidden_layers))
    whole = 4 * tokens * hidden**2 + 2 * tokens * hidden * inner + 2 * tokens**2 * hidden
    last = (2 * tokens + 2) * hidden**2 + 2 * hidden * inner + 2 * tokens * hidden
    head = hidden**2 + hidden * int(config.num_labels)
    return 2 * ((layers - 1) * whole + last + head)


def count_work(bundle: Path, texts: Sequence[str], labels: Sequence[Labels], stage: Stage) -> Work:
    """What scoring `texts` needs when their labels are `labels`.

    A text, a pair and a text with a hidden word count once each, however often they occur.
    """
    keyword = _Model(bundle / "keyword")
    work = [keyword.count(texts)]
    if stage == "cascade":
        taxonomy = read_manifest(bundle).taxonomy
        rows = list(zip(texts, labels, strict=True))
        prompts = (taxonomy.write_prompt(text, name) for text, found in rows for name in found)
        hidden = (
            hide_words(text, [word], keyword.tokenizer.mask_token)
            for text, found in rows
            if found
            for word in split_words(text)
        )
        work += [_Model(bundle / "sentiment").count(prompts), keyword.count(hidden)]
    return Work(*(sum(each) for each in zip(*((part.passes, part.tokens, part.flops) for part in work), strict=True)))


class _Model:
    def __init__(self, path: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        self._config = AutoConfig.from_pretrained(path, local_files_only=True)

    def count(self, texts: Iterable[str]) -> Work:
        distinct = list(dict.fromkeys(texts))
        encoded = self.tokenizer(distinct, truncation=True)["input_ids"] if distinct else []
        lengths = [len(ids) for ids in encoded]
        return Work(len(lengths), sum(lengths), sum(forward_flops(self._config, length) for length in lengths))
