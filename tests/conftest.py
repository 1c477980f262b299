"""What many tests stand on: the taxonomy, a tiny bundle with random weights, and one Spark session."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reviewlens.bundle import Bundle, seal_bundle
from reviewlens.taxonomy import Taxonomy, read_taxonomy

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return read_taxonomy(ROOT / "conf" / "taxonomy.yaml")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, taxonomy: Taxonomy) -> Bundle:
    """A bundle of two one-layer models with random weights: right in form, small, and without any sense."""
    path = tmp_path_factory.mktemp("tiny")
    return _write_bundle(path, taxonomy)


@pytest.fixture(scope="session")
def joining_bundle(tmp_path_factory: pytest.TempPathFactory, taxonomy: Taxonomy) -> Bundle:
    """As `tiny_bundle`, and its tokenizer has a piece that joins the end of a word with the next one's beginning."""
    return _write_bundle(tmp_path_factory.mktemp("joining"), taxonomy, joins_words=True)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator["SparkSession"]:
    """One lazy session with two task slots and private directories."""
    from reviewlens.spark.jars import local_jars
    from reviewlens.spark.session import start_session

    scratch = tmp_path_factory.mktemp("spark")
    session = start_session(
        "tests",
        {
            "spark.master": "local[2]",
            "spark.jars": ",".join(map(str, local_jars())),
            "spark.sql.warehouse.dir": str(scratch / "warehouse"),
            "spark.local.dir": str(scratch / "local"),
            "spark.sql.shuffle.partitions": "2",
            "spark.ui.enabled": "false",
            "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file:{ROOT}/conf/spark/log4j2.properties",
        },
    )
    yield session
    session.stop()


def _write_bundle(path: Path, taxonomy: Taxonomy, *, joins_words: bool = False) -> Bundle:
    _write_model(path / "keyword", taxonomy.keywords, "multi_label_classification", seed=1, joins_words=joins_words)
    _write_model(
        path / "sentiment", taxonomy.sentiment_names, "single_label_classification", seed=2, joins_words=joins_words
    )
    return seal_bundle(path, taxonomy, dict.fromkeys(taxonomy.keywords, 0.5), training_set="random weights")


def _write_model(
    path: Path, classes: tuple[str, ...], problem: str, seed: int, *, window: int = 96, joins_words: bool = False
) -> None:
    """A random BERT over syllables and a few words; with `joins_words` a piece may reach over a space."""
    import torch
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    characters = [chr(code) for code in (*range(0x21, 0x7F), *range(ord("가"), ord("힣") + 1, 7))]
    pieces = [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        "<mask>",
        "▁",
        "###입력",
        "배송",
        "디자인",
        "예쁘",
        "늦어요",
        "배송▁늦어요",
        *characters,
    ]
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": index,
                "content": piece,
                "single_word": False,
                "lstrip": piece == "<mask>",
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for index, piece in enumerate(pieces[:5])
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Metaspace",
            "replacement": "▁",
            "prepend_scheme": "always",
            "split": not joins_words,
        },
        "post_processor": {
            "type": "BertProcessing",
            "sep": ["</s>", 2],
            "cls": ["<s>", 0],
        },
        "decoder": None,
        "model": {
            "type": "Unigram",
            "unk_id": 3,
            "vocab": [[piece, -float(index)] for index, piece in enumerate(pieces)],
        },
    }
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(document)),
        model_max_length=window,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        mask_token="<mask>",
        cls_token="<s>",
        sep_token="</s>",
    )
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=window,
        pad_token_id=1,
        num_labels=len(classes),
        id2label=dict(enumerate(classes)),
        label2id={name: index for index, name in enumerate(classes)},
        problem_type=problem,
        initializer_range=0.3,
    )
    BertForSequenceClassification(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
