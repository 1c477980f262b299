"""A round goes on: from its pool the reviews are chosen that people are asked about."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from rich.console import Console

from reviewlens.bundle import Bundle, read_bundle, read_manifest
from reviewlens.config import ChoosePicksConfig
from reviewlens.display import print_line
from reviewlens.errors import ConfigError
from reviewlens.sampling.criteria import score_criteria
from reviewlens.sampling.figures import draw_round
from reviewlens.sampling.rarity import RarityModel
from reviewlens.sampling.selection import select_picks
from reviewlens.sampling.summary import ChoiceReport, count_picks, show_choice
from reviewlens.sampling.uncertainty import growth_ratios
from reviewlens.spark.bundles import ship_bundle
from reviewlens.spark.clusters import FIT_ROWS, fit_pool, keep_clusters, place_rows, read_clusters
from reviewlens.spark.picks import (
    Origin,
    Pool,
    collect_pool,
    count_sentiments,
    find_pool,
    hold_bundle,
    read_chosen,
    write_picks,
)
from reviewlens.spark.progress import RowProgress
from reviewlens.spark.registry import CHAMPION, locate_bundle
from reviewlens.spark.schemas import (
    POPULATION,
    PROBABILITIES,
    REVIEW_ID,
    STRATUM,
    TEXT,
)
from reviewlens.spark.scoring import Device, Engine, load_scorer
from reviewlens.spark.tables import TableRef, create_tables, latest_version, read_table, table_exists
from reviewlens.spark.training_sets import read_training_set, read_versions
from reviewlens.spark.vectors import place_udf, vector_udf
from reviewlens.taxonomy import Taxonomy, read_taxonomy

_TOKEN_BUDGET = 2_048


def run(spark: SparkSession, config: ChoosePicksConfig, console: Console) -> ChoiceReport:
    """Choose the round's picks; once chosen they stay, and the same request finds nothing to do.

    Raises:
        ConfigError: the round was chosen with other settings, or another bundle scored its pool.
        InputContractError: the round has no whole pool.
        BusyError: another run chose the round's picks at the same time.
    """
    began = time.monotonic()
    target = TableRef.parse(config.target)
    _hold_figure(config.figure)
    pool = find_pool(spark, target, config.round)
    tables = create_tables(spark, target, ("retraining_picks", "cluster_centroids"))
    settings = _write_settings(config)
    picks = read_chosen(spark, tables["retraining_picks"], config.round)
    is_new = picks.empty
    if is_new:
        _choose(spark, config, target, tables, pool, settings, console)
        picks = read_chosen(spark, tables["retraining_picks"], config.round)
    else:
        _hold_settings(config.round, picks["settings"].iloc[0], settings)
        if config.bundle != CHAMPION:  # another may have become champion since
            given = read_manifest(locate_bundle(spark, target, config.bundle)).bundle_id
            hold_bundle(pool, config.round, given, config.bundle)
    if config.figure is not None:
        _draw(pool, picks, config.figure)
    report = _report(pool, picks, config.round, config.rows, time.monotonic() - began, is_new=is_new)
    show_choice(report, picks, console)
    print_line(console, {"event": "choose_picks", **asdict(report)})
    return report


def _choose(
    spark: SparkSession,
    config: ChoosePicksConfig,
    target: TableRef,
    tables: Mapping[str, TableRef],
    pool: Pool,
    settings: str,
    console: Console,
) -> None:
    """Judge the pool by every criterion, select, and write."""
    taxonomy = read_taxonomy(config.taxonomy)
    bundle = read_bundle(locate_bundle(spark, target, config.bundle), taxonomy)
    hold_bundle(pool, config.round, bundle.bundle_id, config.bundle)
    rarity, rarity_source = _train_rarity(spark, target, config.rarity_corpus, taxonomy)
    ratios, labels_version = _weigh_sentiments(spark, target, taxonomy, config.round)
    centroids = tables["cluster_centroids"]
    places = _place(spark, centroids, pool, bundle, config.clusters, config.device, config.dtype, console)
    judged = _judge(pool, places, bundle.manifest.thresholds, ratios, rarity)
    limits = (config.cluster_share, config.max_similarity)
    selection = select_picks(judged, config.rows, config.random_share, config.shares.model_dump(), *limits)
    origin = Origin(settings, pool.version, labels_version, rarity_source, datetime.now().astimezone())
    write_picks(spark, tables["retraining_picks"], pool, selection.picks, config.round, origin)


def _hold_figure(figure: Path | None) -> None:
    """Hold before anything is done that the figure can be written at the end."""
    if figure is not None and (figure.suffix != ".png" or not figure.absolute().parent.is_dir()):
        raise ConfigError(f"figure: {figure} must end in .png, and its folder must be there.")


def _write_settings(config: ChoosePicksConfig) -> str:
    """What makes the choice, comparable with what an earlier run used."""
    shares = config.shares.model_dump()
    total = sum(shares.values())
    settings = {
        "rows": config.rows,
        "random_share": config.random_share,
        "shares": {name: round(share / total, 6) for name, share in shares.items()},
        "clusters": config.clusters,
        "cluster_share": config.cluster_share,
        "max_similarity": config.max_similarity,
    }
    return json.dumps(settings)


def _hold_settings(round_name: str, held: str, asked: str) -> None:
    """Hold that a chosen round is asked for as it is."""
    before, now = json.loads(held), json.loads(asked)
    faults = [f"{key} is {now[key]}, and was {before.get(key)}" for key in now if now[key] != before.get(key)]
    if faults:
        raise ConfigError(
            f"The picks of round {round_name} were chosen before, and never change. {'; '.join(faults)}. Give the "
            "round's own values, or begin another round with sample_reviews."
        )


def _train_rarity(spark: SparkSession, target: TableRef, corpus: Path, taxonomy: Taxonomy) -> tuple[RarityModel, str]:
    """The rarity model of the first training set, or of the corpus before one is frozen; and which it is."""
    versions = read_versions(spark, target)
    first = read_training_set(spark, target, versions[0].version) if versions else None
    texts = [review.text for review in first.part("train")] if first else []
    if first is not None and texts:
        return RarityModel.train(texts), first.name
    from reviewlens.training.dataset import read_labelled

    texts = [review.text for review in read_labelled(corpus, taxonomy)]
    digest = hashlib.sha256(corpus.read_bytes()).hexdigest()
    return RarityModel.train(texts), f"{corpus.name} (sha256 {digest})"


def _weigh_sentiments(
    spark: SparkSession, target: TableRef, taxonomy: Taxonomy, round_name: str
) -> tuple[dict[str, float], int | None]:
    """The growth of each sentiment between the newest two labelled rounds, and the labels' version."""
    labels = target.child("labels")
    if not table_exists(spark, labels):
        return growth_ratios(taxonomy.sentiment_names, None, None), None
    version = latest_version(spark, labels)
    newest, before, *_ = *count_sentiments(read_table(spark, labels, version), round_name), None, None
    return growth_ratios(taxonomy.sentiment_names, newest, before), version


def _place(
    spark: SparkSession,
    centroids: TableRef,
    pool: Pool,
    bundle: Bundle,
    clusters: int,
    device: Device,
    dtype: Literal["float32", "bfloat16"],
    console: Console,
) -> pd.DataFrame:
    """Each review's cluster and distance; the bundle's clusters are fitted the first time they are needed."""
    threads = int(spark.sparkContext.getConf().get("spark.task.cpus", "1") or 1)
    path = ship_bundle(spark, bundle)
    load = partial(load_scorer, Engine(path, bundle.bundle_id, device, "torch", dtype, _TOKEN_BUDGET, threads))
    fitted = read_clusters(spark, centroids, bundle.bundle_id)
    sample = 0 if fitted else min(pool.count, FIT_ROWS)
    with RowProgress(spark.sparkContext, sample + pool.count, console, "embedding") as progress:
        if fitted is None:
            with progress.part(sample):
                fitted = fit_pool(pool.rows, pool.count, vector_udf(load), clusters)
            keep_clusters(spark, centroids, bundle.bundle_id, fitted, datetime.now().astimezone())
            fitted = read_clusters(spark, centroids, bundle.bundle_id) or fitted  # another run may have been first
        with progress.part(pool.count):
            return place_rows(pool.rows, pool.count, place_udf(load, fitted))


def _judge(
    pool: Pool,
    places: pd.DataFrame,
    thresholds: Mapping[str, float],
    ratios: Mapping[str, float],
    rarity: RarityModel,
) -> pd.DataFrame:
    """The pool with every criterion."""
    rows = collect_pool(pool, list(thresholds))
    placed = places.loc[rows[REVIEW_ID]]
    criteria = score_criteria(
        rows[TEXT].tolist(),
        np.stack(rows[PROBABILITIES].tolist()),
        thresholds,
        rows["found"].tolist(),
        ratios,
        rarity,
        placed["cluster"].to_numpy(),
        placed["distance"].to_numpy(),
    )
    return pd.concat([rows, criteria], axis=1)


def _draw(pool: Pool, picks: pd.DataFrame, figure: Path) -> None:
    drawn = pool.rows.select(STRATUM, POPULATION, TEXT).toPandas()
    draw_round(drawn, picks).savefig(figure, dpi=130)


def _report(
    pool: Pool, picks: pd.DataFrame, round_name: str, requested: int, seconds: float, *, is_new: bool
) -> ChoiceReport:
    counts = count_picks(picks, pool.population)
    origin = {name: _first(picks[name]) for name in ("pool_version", "labels_version", "rarity_source")}
    return ChoiceReport(
        status="chosen" if is_new else "unchanged",
        round=round_name,
        requested=requested,
        shortfall=requested - counts.picks,
        pool_rows=pool.count,
        bundle_id=pool.bundle_id,
        source_version=pool.source_version,
        scores_version=pool.scores_version,
        seconds=seconds,
        **origin,
        **asdict(counts),
    )


def _first(column: pd.Series) -> Any:
    """What all picks have, as JSON can write it; None where it is NULL or there are no picks."""
    values = column.dropna().head(1).tolist()
    return None if not values else values[0] if isinstance(values[0], str) else int(values[0])
