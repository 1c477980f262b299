"""Optimisation: a bundle is written again with ONNX models in it, if they decide as the original does."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyspark.sql import SparkSession
from rich import box
from rich.console import Console
from rich.table import Table

from reviewlens.bundle import Bundle, draft_bundle, read_bundle, resolve_bundle, seal_bundle
from reviewlens.config import OptimizeModelConfig
from reviewlens.display import print_line
from reviewlens.errors import InputContractError, QualityGateError
from reviewlens.inference.backends import Ids
from reviewlens.inference.backends.choice import onnx_file
from reviewlens.inference.backends.first_token import read_first_token
from reviewlens.inference.backends.torch_model import read_model
from reviewlens.inference.classifier import Classifier
from reviewlens.inference.scorer import Scorer
from reviewlens.spark.labelled_parts import read_parts
from reviewlens.taxonomy import read_taxonomy
from reviewlens.text import normalize
from reviewlens.training.card import extend_card
from reviewlens.training.dataset import LabelledReview, sentiment_pairs
from reviewlens.training.export import export_onnx, require_onnx, strip_origins
from reviewlens.training.parity import COLUMNS, Parity, measure_parities
from reviewlens.training.quantization import quantize, smooth


def run(spark: SparkSession, config: OptimizeModelConfig, console: Console) -> Bundle:
    """Copy the bundle, write its ONNX models, compare them with the original, and seal the copy.

    Thresholds, taxonomy, calibration and figures stay; the new files give the copy an id of its own.

    Raises:
        BundleError: the bundle cannot be read, is too large for ONNX, or the new one's directory is taken.
        ConfigError: ONNX is not installed.
        InputContractError: the labels break their contract, or hold no train or validation part.
        QualityGateError: a model decides otherwise too often; nothing is written.
    """
    require_onnx()
    taxonomy = read_taxonomy(config.taxonomy)
    original = read_bundle(resolve_bundle(config.bundle), taxonomy)
    parts, labels = read_parts(
        spark,
        config.labels,
        config.target,
        config.training_set,
        taxonomy,
        config.validation_share,
        config.test_share,
        config.min_validation,
        str(config.seed),
    )
    typical = _draw(parts, "train", config.calibration_rows, config.seed, labels)
    held_out = [review.text for review in _draw(parts, "validation", config.rows, config.seed, labels)]

    reference = Scorer.load(original.path, dtype="float32", backend="torch")
    with draft_bundle(config.optimized) as draft:
        for stage, classifier, inputs in _encode(reference, typical):
            console.print(f"Writing {' and '.join(config.dtypes)} of the {stage} model …", highlight=False)
            shutil.copytree(original.path / stage, draft / stage)
            _write_models(draft, stage, classifier.encoder.window, inputs, config.dtypes, config.alpha)
        _seal(draft, original, {})
        console.print(f"Scoring {len(held_out):,} validation reviews of {labels} …", highlight=False)
        optimized = [Scorer.load(draft, dtype=dtype, backend="onnx") for dtype in config.dtypes]
        parities = measure_parities(reference, optimized, held_out)
        _show(parities, console)
        _hold_gate(parities, config.min_agreement)
        figures: dict[str, Any] = {parity.dtype: parity.to_dict() for parity in parities}
        bundle = _seal(draft, original, {"onnx": {"labels": labels, "alpha": config.alpha} | figures})
        extend_card(original, bundle, parities)
    console.print(f"Bundle {bundle.bundle_id} is in {config.optimized}.", highlight=False)
    line = {"event": "optimize_model", "bundle": str(config.optimized), "bundle_id": bundle.bundle_id}
    print_line(console, line | {"original": original.bundle_id, "alpha": config.alpha} | figures)
    return bundle.model_copy(update={"path": config.optimized})


def _draw(
    parts: Mapping[str, Sequence[LabelledReview]], part: str, rows: int, seed: int, labels: str
) -> list[LabelledReview]:
    """At most `rows` reviews of a part, at random."""
    reviews = parts[part]
    if not reviews:
        raise InputContractError(f"{labels} has no {part} part: give more labels, or another share of them.")
    order = np.random.default_rng(seed).permutation(len(reviews))
    return [reviews[index] for index in order[:rows].tolist()]


def _encode(scorer: Scorer, reviews: Sequence[LabelledReview]) -> Iterator[tuple[str, Classifier, list[Ids]]]:
    """Each stage with what it reads of labelled reviews: their texts, and their keywords' prompts."""
    texts = [normalize(review.text) for review in reviews]
    prompts = [scorer.taxonomy.write_prompt(normalize(text), label.keyword) for text, label in sentiment_pairs(reviews)]
    yield "keyword", scorer.keyword, scorer.keyword.encoder.encode(texts)
    yield "sentiment", scorer.sentiment, scorer.sentiment.encoder.encode(prompts[: len(texts)] or texts)


def _write_models(
    bundle: Path, stage: str, window: int, inputs: Sequence[Ids], dtypes: Sequence[str], alpha: float
) -> None:
    model = read_first_token(read_model(bundle / stage, torch.float32))
    (bundle / "onnx").mkdir(exist_ok=True)
    if "float32" in dtypes:
        export_onnx(model, window, onnx_file(bundle, stage, "float32"))
        strip_origins(onnx_file(bundle, stage, "float32"))
    if "int8" in dtypes:
        layers = smooth(model, inputs, alpha)
        with tempfile.TemporaryDirectory() as scratch:
            export_onnx(model, window, Path(scratch) / "smoothed.onnx")
            quantize(Path(scratch) / "smoothed.onnx", onnx_file(bundle, stage, "int8"), layers)
        strip_origins(onnx_file(bundle, stage, "int8"))


def _seal(draft: Path, original: Bundle, figures: Mapping[str, Any]) -> Bundle:
    """The draft as a bundle, with everything that the original's manifest says and no file can."""
    said = original.manifest
    kept = {name: value for name, value in said.metrics.items() if name != "onnx"}
    return seal_bundle(draft, said.taxonomy, said.thresholds, said.training_set, kept | dict(figures), said.calibration)


def _hold_gate(parities: Sequence[Parity], min_agreement: float) -> None:
    failed = [parity for parity in parities if parity.keyword_agreement < min_agreement]
    if failed:
        said = ", ".join(f"{parity.dtype} {parity.keyword_agreement:.4f}" for parity in failed)
        raise QualityGateError(
            f"Nothing was written: the share of keyword decisions that are the original's is {said}, and min_agreement "
            f"is {min_agreement}. Try another alpha (0.7 to 0.9), or leave the dtype out (--dtypes float32)."
        )


def _show(parities: Sequence[Parity], console: Console) -> None:
    # Narrow enough that 80 columns, which is what a scheduler's log has, leave room for all.
    title = f"ONNX against torch float32, {parities[0].reviews:,} reviews"
    table = Table(*COLUMNS, title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for parity in parities:
        table.add_row(*parity.to_cells())
    console.print(table)
