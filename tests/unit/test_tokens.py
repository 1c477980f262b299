"""Token ids of texts, and of texts with a word hidden."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from reviewlens.bundle import STARTER, Bundle
from reviewlens.inference.tokens import TextEncoder
from reviewlens.text import hide_words, normalize, split_words

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LEARNED = [
    "옷은 예쁘지만 배송은 늦어요!! 가격이 싸요",
    "fit이 좋아요 ㅋㅋㅋ 😀 size-up 하세요, 100% 만족",
    "배송 배송 예쁘 예쁘다",
]
PLAIN = (
    "배송",
    "늦어요",
    "예쁘",
    "ㅋㅋㅋ",
    "😀",
    "👍🏽",
    "❤\ufe0f",
    "!!",
    "…",
    "abc",
    "XL",
    "100%",
    "(굿)",
    "-",
    "각",
    "中文",
)
ODD = ("\u200b", "\u200f", "\u0301", "\u115f", "\ufffd", "\x1b", "👩\u200d👩", "▁", "ﬁ", "①", "㎏", "ß", "İ", "##")
TOKENS = ("</s>", "<mask>", "[MASK]")
PIECES = st.sampled_from([*PLAIN, *ODD, *TOKENS])
SPACES = st.sampled_from([" ", " ", " ", "  ", "\n", "\t", "\u3000", "\u00a0", "\x1c", "\x85"])
WORDS = st.one_of(st.lists(PIECES, min_size=1, max_size=3).map("".join), st.text(min_size=1, max_size=4))
TEXTS = st.lists(st.tuples(WORDS, SPACES), max_size=6).map(lambda parts: "".join(word + space for word, space in parts))


@pytest.fixture(scope="module", params=["starter", "joining", "wordpiece", "bytes", "metaspace without lstrip"])
def encoder(request: pytest.FixtureRequest, joining_bundle: Bundle) -> TextEncoder:
    paths: dict[str, Path] = {"starter": STARTER, "joining": joining_bundle.path}
    if request.param in paths:
        return TextEncoder(AutoTokenizer.from_pretrained(paths[request.param] / "keyword"), 64)
    return TextEncoder({"wordpiece": _wordpiece, "bytes": _bytes}.get(request.param, _metaspace)(), 64)


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_hiding_words_on_ids_equals_masking_the_text(encoder: TextEncoder, text: str) -> None:
    """Whatever the text and the tokenizer: the ids of each variant are those of the masked text, tokenised anew."""
    [reading] = encoder.read([normalize(text)], 4)
    [hidden] = encoder.hide_words([reading], [np.ones(len(reading.words), dtype=bool)])
    masked = [hide_words(reading.text, [word], encoder.mask) for word in split_words(reading.text)]
    assert [ids.tolist() for ids in hidden] == [ids.tolist() for ids in encoder.encode(masked)]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_ordinary_reviews_are_hidden_on_ids(encoder: TextEncoder, form: str, request: pytest.FixtureRequest) -> None:
    """The short way is taken, but for tokenizers whose pieces may depend on neighbours."""
    texts = [normalize(unicodedata.normalize(form, text)) for text in LEARNED]  # type: ignore[arg-type]
    local = "joining" not in request.node.name and "without" not in request.node.name
    assert [reading.places is not None for reading in encoder.read(texts, 4)] == [local] * len(texts)


def test_ids_are_those_of_the_tokenizer(joining_bundle: Bundle) -> None:
    """Special tokens around, and the end cut off where a text is over the window."""
    for path in (STARTER, joining_bundle.path):
        tokenizer = AutoTokenizer.from_pretrained(path / "keyword")
        texts = ["", "배송 늦어요 😀", "예쁘 " * 100]
        expected = tokenizer(texts, truncation=True, max_length=20)["input_ids"]
        assert [ids.tolist() for ids in TextEncoder(tokenizer, 20).encode(texts)] == expected


def _wordpiece() -> PreTrainedTokenizerBase:
    """As KLUE's models have it."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(LEARNED, trainers.WordPieceTrainer(vocab_size=120, special_tokens=SPECIAL))
    return _finish(tokenizer)


def _bytes() -> PreTrainedTokenizerBase:
    """As the first RoBERTa has it: bytes, and a mask that swallows the space before it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(LEARNED, trainer)
    return _finish(tokenizer, lstrip=True)


def _metaspace() -> PreTrainedTokenizerBase:
    """A space before the mask becomes a piece of its own, so hiding a word takes a new tokenisation."""
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(LEARNED, trainers.BpeTrainer(vocab_size=120, special_tokens=SPECIAL))
    return _finish(tokenizer)


def _finish(tokenizer: Tokenizer, *, lstrip: bool = False) -> PreTrainedTokenizerBase:
    from tokenizers import AddedToken

    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.add_special_tokens([AddedToken("[MASK]", lstrip=lstrip, special=True, normalized=False)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token=AddedToken("[MASK]", lstrip=lstrip, special=True, normalized=False),
    )
