"""Training: labelled reviews become a bundle with thresholds, figures and a model card."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pyspark.sql import SparkSession
from rich.console import Console

from reviewlens.bundle import Bundle, draft_bundle, seal_bundle
from reviewlens.config import Card, TrainModelConfig
from reviewlens.inference.scorer import Scorer
from reviewlens.spark.labelled_parts import read_parts
from reviewlens.taxonomy import Taxonomy, read_taxonomy
from reviewlens.training.baseline import Baseline
from reviewlens.training.card import Encoder, Measured, write_card
from reviewlens.training.dataset import (
    KeywordDataset,
    LabelledReview,
    SentimentDataset,
    keyword_matrix,
    read_labelled,
    sentiment_pairs,
)
from reviewlens.training.evaluation import evaluate, measure
from reviewlens.training.metrics import choose_thresholds, print_table
from reviewlens.training.trainer import fine_tune

_UNMEASURED = "The training set has no labelled test part, so that nothing held out has measured this model."


def run(spark: SparkSession, config: TrainModelConfig, console: Console) -> Bundle:
    """Train both stages, choose thresholds on the validation part, and report figures on the test part.

    Raises:
        ConfigError: the encoder is missing.
        BundleError: the bundle's directory is taken.
        InputContractError: the labels break their contract, or there is no such training set.
    """
    taxonomy = read_taxonomy(config.taxonomy)
    parts, training_set = read_parts(
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
    console.print(f"{training_set}: {', '.join(f'{len(part):,} {name}' for name, part in parts.items())} reviews")

    with draft_bundle(config.bundle) as draft:
        _train(parts["train"], taxonomy, config, draft)
        seal_bundle(draft, taxonomy, dict.fromkeys(taxonomy.keywords, 0.5), training_set)
        thresholds = _choose_thresholds(Scorer.load(draft), parts["validation"])
        seal_bundle(draft, taxonomy, thresholds, training_set)
        results = _measure(Scorer.load(draft), parts, config.extra_test, taxonomy)
        figures = {result.reviews: result.model.to_dict() for result in results}
        bundle = seal_bundle(draft, taxonomy, thresholds, training_set, figures)
        _write_card(bundle, config.card, parts, results)
    if not sentiment_pairs(parts["test"]):
        console.print(f"[bold red]No held-out figures: {_UNMEASURED}[/]")
    _show(results, console)
    console.print(f"Bundle {bundle.bundle_id} is in {config.bundle}.")
    return bundle.model_copy(update={"path": config.bundle})


def _train(reviews: Sequence[LabelledReview], taxonomy: Taxonomy, config: TrainModelConfig, draft: Path) -> None:
    for name, data, epochs in (
        ("keyword", KeywordDataset, config.keyword_epochs),
        ("sentiment", SentimentDataset, config.sentiment_epochs),
    ):
        model, tokenizer = fine_tune(
            data,
            reviews,
            taxonomy,
            config.encoder,
            epochs=epochs,
            learning_rate=config.learning_rate,
            batch_rows=config.batch_rows,
            encoder_dropout=config.encoder_dropout,
            hide=config.hide,
            hide_share=config.hide_share,
            seed=config.seed,
        )
        (model.to(torch.float16) if config.half_precision else model).save_pretrained(draft / name)
        tokenizer.save_pretrained(draft / name)


def _choose_thresholds(scorer: Scorer, reviews: Sequence[LabelledReview]) -> dict[str, float]:
    probabilities = scorer.keyword_probabilities([review.text for review in reviews])
    chosen = choose_thresholds(keyword_matrix(reviews, scorer.taxonomy), probabilities)
    return dict(zip(scorer.taxonomy.keywords, chosen.round(4).tolist(), strict=True))


def _measure(
    scorer: Scorer, parts: Mapping[str, list[LabelledReview]], extra: Path | None, taxonomy: Taxonomy
) -> list[Measured]:
    """Figures on the test part, and on the extra file where there is one, with the n-gram baseline's beside them.

    A training set's test part may be empty, or name no keyword: there are no figures on it then.
    """
    sets = {"held-out part": parts["test"]} if sentiment_pairs(parts["test"]) else {}
    if extra is not None and extra.is_file():
        sets[extra.name] = read_labelled(extra, taxonomy)
    if not sets:
        return []
    baseline = Baseline.fit(parts["train"], taxonomy)
    even = dict.fromkeys(taxonomy.keywords, 0.5)
    return [
        Measured(name, evaluate(scorer, reviews), measure(baseline, even, reviews)) for name, reviews in sets.items()
    ]


def _write_card(bundle: Bundle, card: Card, parts: Mapping[str, list[LabelledReview]], results: list[Measured]) -> None:
    write_card(
        bundle,
        encoder=Encoder(card.encoder, card.encoder_source, card.encoder_licence),
        licence=card.licence,
        parts={name: len(reviews) for name, reviews in parts.items()},
        results=results,
        limits=card.limits if sentiment_pairs(parts["test"]) else (*card.limits, _UNMEASURED),
        command=card.command,
    )


def _show(results: Sequence[Measured], console: Console) -> None:
    for result in results:
        print_table(f"Keywords: {result.reviews}", result.model.keywords, console)
        print_table(f"Sentiments, given the keyword: {result.reviews}", result.model.sentiments, console)
        rate = result.model.highlight_hit_rate
        console.print(
            f"{result.reviews}: 5-level accuracy {result.model.sentiment_accuracy:.3f}, 3-level "
            f"{result.model.sign_accuracy:.3f}, highlight hit@1 {'–' if rate is None else f'{rate:.3f}'}"
        )
