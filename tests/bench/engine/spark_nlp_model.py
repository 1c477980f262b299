"""A bundle's keyword model as Spark NLP imports models of XLM-R's kind."""

import base64
import json
from pathlib import Path
from typing import Any

import torch
from sentencepiece import sentencepiece_model_pb2 as protocol
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from reviewlens.bundle import Bundle
from reviewlens.inference.classifier import window_tokens
from reviewlens.training.export import export_onnx

_FIRST = ["<s>", "<pad>", "</s>", "<unk>"]  # the first pieces of XLM-R's vocabulary
_MAX_TOKENS = 512  # what the annotator takes at most


def export_model(bundle: Bundle, target: Path) -> None:
    """Write `model.onnx`, the tokenizer and the labels, and in `settings.json` the longest input in tokens.

    The model is the plain one in float32, as Spark NLP's guides export it. The annotator keeps the threshold of 0.5
    that it is loaded with, so each keyword's own threshold is taken off its logit here.

    Raises:
        RuntimeError: the tokenizer is none that the annotator can have.
    """
    source, labels = bundle.path / "keyword", bundle.manifest.taxonomy.keywords
    assets = target / "assets"
    assets.mkdir(parents=True, exist_ok=True)
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    (assets / "sentencepiece.bpe.model").write_bytes(write_pieces(tokenizer))
    (assets / "labels.txt").write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    model = AutoModelForSequenceClassification.from_pretrained(source, local_files_only=True, dtype=torch.float32)
    thresholds = torch.tensor([bundle.manifest.thresholds[label] for label in labels])
    with torch.no_grad():
        last = [module for module in model.classifier.modules() if isinstance(module, torch.nn.Linear)][-1]
        last.bias.sub_(torch.logit(thresholds))
    loaded = AutoTokenizer.from_pretrained(source, local_files_only=True)
    window = min(window_tokens(model.config, loaded), _MAX_TOKENS)
    export_onnx(_OwnMask(model), window, target / "model.onnx")
    (target / "settings.json").write_text(json.dumps({"max_tokens": window}), encoding="utf-8")


def write_pieces(tokenizer: dict[str, Any]) -> bytes:
    """A SentencePiece model with which Spark NLP gives the ids of `tokenizer`, the content of a `tokenizer.json`.

    The annotator adds 1 to every id, so the vocabulary moves down by 1. It also drops the piece "▁", a space alone,
    which these models have seen in training: so spaces stay spaces here, and "▁" becomes a piece that no text has.

    Raises:
        RuntimeError: it is no Unigram tokenizer of XLM-R's kind.
    """
    vocabulary, special = tokenizer["model"]["vocab"], {added["content"] for added in tokenizer["added_tokens"]}
    if tokenizer["model"]["type"] != "Unigram" or [piece for piece, _ in vocabulary[: len(_FIRST)]] != _FIRST:
        raise RuntimeError("Spark NLP's annotator takes Unigram tokenizers whose ids begin as XLM-R's do.")
    [charsmap] = [part for part in tokenizer["normalizer"]["normalizers"] if part["type"] == "Precompiled"]
    messages: Any = protocol  # protobuf makes its classes at run time
    written, kinds = messages.ModelProto(), messages.ModelProto.SentencePiece
    for piece, score in vocabulary[1:]:
        kind = kinds.CONTROL if piece in special else kinds.NORMAL
        written.pieces.add(piece=piece.replace("▁", " "), score=score, type=kind)
    written.pieces.add(piece="▁", type=kinds.CONTROL)
    training, normalizing = written.trainer_spec, written.normalizer_spec
    training.model_type, training.vocab_size = messages.TrainerSpec.UNIGRAM, len(written.pieces)
    training.pad_id, training.eos_id, training.unk_id, training.bos_id = 0, 1, 2, -1
    written.pieces[training.unk_id].type = kinds.UNKNOWN
    normalizing.precompiled_charsmap = base64.b64decode(charsmap["precompiled_charsmap"])
    normalizing.add_dummy_prefix = normalizing.remove_extra_whitespaces = True
    normalizing.escape_whitespaces = False
    return bytes(written.SerializeToString())


class _OwnMask(torch.nn.Module):
    """The model with a mask made of the ids: the annotator's hides token 0, where the classifier reads."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.config = model, model.config

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        mask = input_ids.ne(self.config.pad_token_id).to(attention_mask.dtype)
        return self.model(input_ids=input_ids, attention_mask=mask)
