"""Fine-tuning of either stage with the Hugging Face Trainer."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Subset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.utils import logging as transformers_logging

from reviewlens.errors import ConfigError
from reviewlens.inference.classifier import window_tokens
from reviewlens.taxonomy import Taxonomy
from reviewlens.training.dataset import KeywordDataset, LabelledReview, SentimentDataset
from reviewlens.training.head import start_head

_HEAD_START_ROWS = 4_000  # enough for a logistic regression; more only takes longer


def fine_tune(
    kind: type[KeywordDataset] | type[SentimentDataset],
    reviews: Sequence[LabelledReview],
    taxonomy: Taxonomy,
    encoder: Path,
    *,
    epochs: float,
    learning_rate: float,
    batch_rows: int,
    encoder_dropout: float,
    hide: float,
    hide_share: float,
    seed: int,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Fine-tune an encoder for one stage, with dropout 0.2 before its classifier.

    Args:
        kind: the stage's dataset; it names the classes and the loss.
        reviews: labelled reviews to train on.
        taxonomy: what the labels are of.
        encoder: directory of a pretrained Hugging Face encoder.
        epochs: passes over the data.
        learning_rate: peak, after a linear warm-up over 6% of the steps and before a linear decay.
        batch_rows: rows of a batch.
        encoder_dropout: dropout inside the encoder; a small one learns faster without.
        hide: probability that a word is hidden, in the texts where words are.
        hide_share: share of the texts in which words are hidden.
        seed: of everything random.

    Raises:
        ConfigError: there is no encoder.
    """
    transformers_logging.set_verbosity_error()  # a new head is no news
    set_seed(seed)
    tokenizer = _load_tokenizer(encoder)
    model = _load_model(encoder, kind.classes(taxonomy), kind.problem, encoder_dropout)
    window = window_tokens(model.config, tokenizer)
    data = kind(reviews, taxonomy, tokenizer, window, np.random.default_rng(seed), hide, hide_share)
    _fit(model, tokenizer, data, epochs, learning_rate, batch_rows, seed)
    return model, tokenizer


def _load_tokenizer(encoder: Path) -> PreTrainedTokenizerBase:
    if not (encoder / "config.json").is_file():
        raise ConfigError(f"No encoder at {encoder}: give the directory of a Hugging Face model (--encoder).")
    return AutoTokenizer.from_pretrained(encoder, local_files_only=True)


def _load_model(encoder: Path, classes: Sequence[str], problem: str, encoder_dropout: float) -> PreTrainedModel:
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
        encoder,
        local_files_only=True,
        use_safetensors=True,
        num_labels=len(classes),
        id2label=dict(enumerate(classes)),
        label2id={name: index for index, name in enumerate(classes)},
        problem_type=problem,
        classifier_dropout=0.2,
        hidden_dropout_prob=encoder_dropout,
        attention_probs_dropout_prob=encoder_dropout,
    )
    return model


def _fit(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    data: Dataset[dict[str, Any]],
    epochs: float,
    learning_rate: float,
    batch_rows: int,
    seed: int,
) -> None:
    collate = DataCollatorWithPadding(tokenizer)
    head_rows = range(min(_HEAD_START_ROWS, len(data)))  # type: ignore[arg-type]
    start_head(model, DataLoader(Subset(data, head_rows), batch_size=64, collate_fn=collate))
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=scratch,
                num_train_epochs=epochs,
                learning_rate=learning_rate,
                per_device_train_batch_size=batch_rows,
                train_sampling_strategy="group_by_length",
                warmup_steps=0.06,
                weight_decay=0.01,
                use_cpu=not torch.cuda.is_available(),
                bf16=_has_fast_bfloat16(),
                logging_steps=50,
                save_strategy="no",
                report_to="none",
                seed=seed,
            ),
            train_dataset=data,
            data_collator=collate,
            processing_class=tokenizer,
        )
        trainer.train()
    model.to("cpu").eval()


def _has_fast_bfloat16() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001  the only way that torch offers
