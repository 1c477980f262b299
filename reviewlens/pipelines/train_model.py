"""Training: labelled reviews become a bundle with thresholds, figures and a model card."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pyspark.sql import SparkSession
from rich.console import Console

from reviewlens.bundle import Bundle, draft_bundle, seal_bundle
from reviewlens.config import Card, TrainModelConfig
from reviewlens.inference.scorer import Scorer
from reviewlens.spark.tables import TableRef, latest_version, read_table
from reviewlens.taxonomy import Taxonomy, read_taxonomy
from reviewlens.training.baseline import Baseline
from reviewlens.training.card import Encoder, Measured, write_card
from reviewlens.training.dataset import (
    KeywordDataset,
    LabelledReview,
    SentimentDataset,
    keyword_matrix,
    parse_labelled,
    read_labelled,
    split_reviews,
)
from reviewlens.training.evaluation import evaluate, measure
from reviewlens.training.metrics import choose_thresholds, print_table
from reviewlens.training.trainer import fine_tune


def run(spark: SparkSession, config: TrainModelConfig, console: Console) -> Bundle:
    """Train both stages, choose thresholds on the validation part, and report figures on the test part.

    Raises:
        ConfigError: the encoder is missing.
        BundleError: the bundle's directory is taken.
        InputContractError: the labels break their contract.
    """
    taxonomy = read_taxonomy(config.taxonomy)
    reviews, training_set = _read_labels(spark, config.labels, taxonomy)
    parts = split_reviews(reviews, config.validation_share, config.test_share, str(config.seed))
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
    _show(results, console)
    console.print(f"Bundle {bundle.bundle_id} is in {config.bundle}.")
    return bundle.model_copy(update={"path": config.bundle})


def _read_labels(spark: SparkSession, labels: str, taxonomy: Taxonomy) -> tuple[list[LabelledReview], str]:
    """Labelled reviews from a file or a table, and what to call them."""
    if labels.endswith((".jsonl", ".json", ".parquet")):
        return read_labelled(Path(labels), taxonomy), Path(labels).name
    ref = TableRef.parse(labels)
    version = latest_version(spark, ref)
    rows = [row.asDict(recursive=True) for row in read_table(spark, ref, version).collect()]
    name = f"{ref.location} version {version}"
    return parse_labelled(rows, taxonomy, name), name


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
    """Figures on the test part, and on the extra file where there is one, with the n-gram baseline's beside them."""
    baseline = Baseline.fit(parts["train"], taxonomy)
    even = dict.fromkeys(taxonomy.keywords, 0.5)
    sets = {"held-out part": parts["test"]}
    if extra is not None and extra.is_file():
        sets[extra.name] = read_labelled(extra, taxonomy)
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
        limits=card.limits,
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
