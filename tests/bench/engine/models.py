"""The two bundles that are measured: the starter, and one of base size whose weights are random."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoTokenizer, RobertaConfig, RobertaForSequenceClassification
from transformers.utils import logging

from reviewlens.bundle import STARTER, draft_bundle, read_manifest, seal_bundle
from reviewlens.inference.backends.choice import list_onnx

ROOT = Path(__file__).parents[3]
HOME = ROOT / ".cache/bench/engine"
KEYWORDS_PER_REVIEW = 2.4
MODELS = ("base", "starter")
_SPREAD, _DIRECTIONS = 2.0, 6  # standard deviation of the logits; principal components that they mix


def prepare_bundle(name: str, texts: Sequence[str]) -> Path:
    """The bundle `name` with ONNX models where they can be had; made at the first call and kept under `HOME`.

    Args:
        name: one of `MODELS`.
        texts: some hundred reviews, which the base-size model's thresholds are chosen on.
    """
    plain = STARTER
    if name == "base":
        plain = HOME / "base"
        if not (plain / "manifest.json").is_file():
            make_base(plain, texts)
    if list_onnx(plain):
        return plain
    optimized = HOME / f"{name}-onnx"
    return optimized if (optimized / "manifest.json").is_file() or _optimize(plain, optimized) else plain


def make_base(target: Path, texts: Sequence[str], layers: int = 12, hidden: int = 768) -> None:
    """Write a bundle of two RoBERTa models, of base size or another, with random weights and the starter's tokenizer.

    So that its labels mean work: each keyword's threshold is the quantile of its probability over `texts` with which a
    review has `KEYWORDS_PER_REVIEW` on average.
    """
    taxonomy = read_manifest(STARTER).taxonomy
    prompts = [
        taxonomy.write_prompt(text, taxonomy.keywords[row % len(taxonomy.keywords)]) for row, text in enumerate(texts)
    ]
    with draft_bundle(target) as draft:
        shape = {"layers": layers, "hidden": hidden}
        logits = _write_model(
            draft / "keyword", taxonomy.keywords, "multi_label_classification", texts, seed=1, **shape
        )
        _write_model(
            draft / "sentiment", taxonomy.sentiment_names, "single_label_classification", prompts, seed=2, **shape
        )
        share = KEYWORDS_PER_REVIEW / len(taxonomy.keywords)
        limits = np.quantile(1 / (1 + np.exp(-logits)), 1 - share, axis=0).tolist()
        seal_bundle(draft, taxonomy, dict(zip(taxonomy.keywords, limits, strict=True)), training_set="random weights")


def build_model(
    classes: Sequence[str], vocabulary: int, problem: str, seed: int, layers: int = 12, hidden: int = 768
) -> RobertaForSequenceClassification:
    """A random model in which some words matter more than others, as in a trained one.

    Embeddings have a direction in common and differ by factors with a long tail, positions weigh little, and weights
    are large enough for attention to choose.
    """
    torch.manual_seed(seed)
    model = RobertaForSequenceClassification(
        RobertaConfig(
            vocab_size=vocabulary,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=hidden // 64,
            intermediate_size=4 * hidden,
            max_position_embeddings=514,
            type_vocab_size=1,
            num_labels=len(classes),
            id2label=dict(enumerate(classes)),
            label2id={name: index for index, name in enumerate(classes)},
            problem_type=problem,
            initializer_range=0.05,
        )
    ).eval()
    embeddings = model.roberta.embeddings
    with torch.no_grad():
        words = embeddings.word_embeddings.weight
        words.mul_(torch.exp(1.5 * torch.randn(vocabulary, 1))).add_(0.05 * torch.randn(1, words.shape[1]))
        embeddings.position_embeddings.weight.mul_(0.05)
    return model


def _write_model(
    path: Path, classes: Sequence[str], problem: str, texts: Sequence[str], seed: int, layers: int, hidden: int
) -> npt.NDArray[np.float64]:
    tokenizer = AutoTokenizer.from_pretrained(STARTER / "keyword", local_files_only=True)
    logging.disable_progress_bar()
    model = build_model(classes, len(tokenizer), problem, seed, layers, hidden)
    logits = _turn_head(model, tokenizer, texts)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return logits


@torch.inference_mode()
def _turn_head(model: Any, tokenizer: Any, texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Let the classes read mixtures of the directions in which `texts` differ most; gives their logits.

    Principal components, because a random direction holds little but what rounding changes too.
    """
    states = []
    for start in range(0, len(texts), 32):
        inputs = tokenizer(list(texts[start : start + 32]), padding=True, truncation=True, return_tensors="pt")
        hidden = model.roberta(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        states.append(torch.tanh(model.classifier.dense(hidden.last_hidden_state[:, 0])))
    features = torch.cat(states).double()
    mean = features.mean(dim=0)
    _, _, directions = torch.linalg.svd(features - mean, full_matrices=False)
    weight = torch.randn(model.config.num_labels, _DIRECTIONS).double() @ directions[:_DIRECTIONS]
    weight *= _SPREAD / ((features - mean) @ weight.T).std(dim=0)[:, None]
    model.classifier.out_proj.weight.copy_(weight)
    model.classifier.out_proj.bias.copy_(-weight @ mean)
    return np.asarray(((features - mean) @ weight.T).numpy(), dtype=np.float64)


def _optimize(plain: Path, optimized: Path) -> bool:
    """Write a copy with ONNX models; False where that fails: then the table has no rows for them.

    The gate is lower than the job's own, because weights are random here and the table says how labels agree.
    """
    job = ["./spark-submit.sh", "optimize_model", "--bundle", str(plain), "--optimized", str(optimized)]
    job += ["--rows", "16", "--min_agreement", "0.9"]
    with (HOME / "optimize.log").open("w", encoding="utf-8") as log:
        return subprocess.run(job, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, check=False).returncode == 0
