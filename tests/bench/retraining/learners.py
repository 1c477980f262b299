"""The models that the simulation trains again after every round: cheap ones, since it trains hundreds of them."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from reviewlens import Scorer
from reviewlens.bundle import seal_bundle
from reviewlens.inference.backends import Dtype
from reviewlens.taxonomy import Taxonomy
from reviewlens.training.baseline import Baseline
from reviewlens.training.dataset import KeywordDataset, LabelledReview, SentimentDataset, keyword_matrix
from reviewlens.training.evaluation import Cascade
from reviewlens.training.metrics import choose_thresholds
from reviewlens.training.trainer import fine_tune


@dataclass(frozen=True, slots=True)
class Model:
    """A cascade with a threshold for each keyword, of shape (keywords,)."""

    cascade: Cascade
    thresholds: npt.NDArray[np.float64]


class Learner(Protocol):
    """Makes a cascade of labelled reviews."""

    def fit(self, reviews: Sequence[LabelledReview], seed: int) -> Cascade:
        """A cascade that was trained on `reviews`."""


@dataclass(frozen=True, slots=True)
class NgramLearner:
    """Character n-grams and logistic regression: seconds for each fit."""

    taxonomy: Taxonomy

    def fit(self, reviews: Sequence[LabelledReview], seed: int) -> Cascade:  # noqa: ARG002  nothing is random in it
        """Fit the baseline."""
        return Baseline.fit(reviews, self.taxonomy)


@dataclass(frozen=True, slots=True)
class EncoderLearner:
    """The starter's encoder, fine-tuned as the starter was: minutes for each fit."""

    taxonomy: Taxonomy
    encoder: Path

    def fit(self, reviews: Sequence[LabelledReview], seed: int) -> Cascade:
        """Fine-tune both stages."""
        recipe: dict[str, Any] = {
            "learning_rate": 2e-4,
            "batch_rows": 32,
            "encoder_dropout": 0.0,
            "hide": 0.15,
            "hide_share": 0.5,
            "seed": seed,
        }
        with tempfile.TemporaryDirectory() as folder:
            for name, kind, epochs in (("keyword", KeywordDataset, 6), ("sentiment", SentimentDataset, 4)):
                model, tokenizer = fine_tune(kind, reviews, self.taxonomy, self.encoder, epochs=epochs, **recipe)
                model.save_pretrained(Path(folder) / name)
                tokenizer.save_pretrained(Path(folder) / name)
            seal_bundle(Path(folder), self.taxonomy, dict.fromkeys(self.taxonomy.keywords, 0.5), "simulation")
            fast: Dtype = "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"
            return Scorer.load(folder, dtype=fast)


def train(
    learner: Learner, reviews: Sequence[LabelledReview], validation: Sequence[LabelledReview], seed: int
) -> Model:
    """Train on `reviews`, and choose thresholds on `validation`, which are random picks."""
    cascade = learner.fit(reviews, seed)
    probabilities = cascade.keyword_probabilities([review.text for review in validation])
    return Model(cascade, choose_thresholds(keyword_matrix(validation, cascade.taxonomy), probabilities))
