"""Does the challenger serve better than the champion? Both on random reviews that it never saw, and on last night's."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import torch
from pyspark.sql import SparkSession
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reviewlens.bundle import Bundle, read_bundle, resolve_bundle
from reviewlens.config import EvaluateModelConfig
from reviewlens.display import print_line
from reviewlens.errors import InputContractError, TaxonomyError
from reviewlens.inference.scorer import Scorer
from reviewlens.labeling.training_set import TEST, part_key
from reviewlens.spark.evaluations import read_findings, read_newest, write_evaluation
from reviewlens.spark.last_night import Night, find_last_night, sample_night
from reviewlens.spark.registry import locate_bundle
from reviewlens.spark.tables import TableRef
from reviewlens.spark.training_sets import TrainingSet, read_training_set, read_versions
from reviewlens.taxonomy import Taxonomy, read_taxonomy
from reviewlens.training.agreement import compare_scores
from reviewlens.training.comparison import Limits
from reviewlens.training.contest import Contestant, compare_bundles
from reviewlens.training.dataset import LabelledReview, parse_labelled
from reviewlens.training.findings import NIGHTLY_AGREEMENT, Contest, Finding, select_findings, verdict_of
from reviewlens.training.report import write_report
from reviewlens.training.wording import (
    FIGURE_COLUMNS,
    NIGHT_COLUMNS,
    figure_cells,
    name_failed,
    night_cells,
    say_verdict,
)

_SETTINGS = {
    "resamples",
    "confidence",
    "min_gain",
    "max_loss",
    "max_keyword_loss",
    "min_keyword_rows",
    "max_sentiment_loss",
    "seed",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A contest, what it found, what a reader should know besides, and whether it was there before this run."""

    contest: Contest
    findings: Sequence[Finding]
    notes: Sequence[str]
    is_stored: bool

    @property
    def passed(self) -> bool:
        """The gate's verdict."""
        return bool(verdict_of(self.findings).passed)


def run(spark: SparkSession, config: EvaluateModelConfig, console: Console, now: datetime | None = None) -> Comparison:
    """Compare both bundles, and write down every figure and the verdict. The same comparison is written once.

    Raises:
        BundleError: a bundle is not what it was when it was made.
        BusyError: another run wrote the evaluations at the same time.
        InputContractError: there is no test part, or it does not measure the challenger.
        TaxonomyError: a bundle or the training set is of another taxonomy.
    """
    taxonomy, target = read_taxonomy(config.taxonomy), TableRef.parse(config.target)
    champion = read_bundle(locate_bundle(spark, target, config.champion), taxonomy)
    challenger = read_bundle(resolve_bundle(config.challenger), taxonomy)
    training_set = read_training_set(spark, target, config.training_set)
    reviews = _select_test(training_set, taxonomy)
    notes = [
        _trace_training(spark, target, challenger, "challenger", training_set, reviews),
        _trace_training(spark, target, champion, "champion", training_set, reviews),
    ]
    night = find_last_night(spark, TableRef.parse(config.source), target) if config.source else None
    contest = _identify(config, challenger, champion, training_set, night)

    stored = read_findings(spark, target, contest.evaluation_id)
    findings = stored or _compare(spark, config, champion, challenger, reviews, night, console)
    if not stored:
        write_evaluation(spark, target, contest, findings, now or datetime.now().astimezone())
    notes += [_say_night(config.source, night, findings), *_say_newer(spark, target, contest)]
    if config.report:
        write_report(config.report, contest, findings, notes)
    comparison = Comparison(contest, findings, notes, is_stored=bool(stored))
    show_comparison(comparison, config.report, console)
    return comparison


def _select_test(training_set: TrainingSet, taxonomy: Taxonomy) -> list[LabelledReview]:
    """The test part as labelled reviews; only a random draw may measure a model."""
    if training_set.taxonomy_version != taxonomy.version:
        raise TaxonomyError(
            f"Training set {training_set.version} was labelled with taxonomy {training_set.taxonomy_version}, and the "
            f"taxonomy in use is {taxonomy.version}: give --training_set a version of this taxonomy, or freeze one."
        )
    test = training_set.part(TEST)
    chosen = sum(not review.is_random for review in test)
    if not test:
        raise InputContractError(
            f"Training set {training_set.version} has no test part, so nothing can be measured on it: label random "
            "picks (random_share of choose_picks), and freeze with a test_share above 0."
        )
    if chosen:
        raise InputContractError(
            f"{chosen:,} of {len(test):,} test reviews of training set {training_set.version} are no random picks: "
            "what a model helped to choose does not measure it. Freeze the set again with freeze_training_set."
        )
    return parse_labelled([asdict(review) for review in test], taxonomy, training_set.name)


def _trace_training(
    spark: SparkSession,
    target: TableRef,
    bundle: Bundle,
    who: str,
    training_set: TrainingSet,
    reviews: Sequence[LabelledReview],
) -> str:
    """What the bundle was trained on, as far as its manifest tells, and that it has not seen the test reviews."""
    named = bundle.manifest.training_set
    lines = [line for line in read_versions(spark, target) if line.content_hash in named]
    if not lines:
        return f"The {who} was trained on {named!r}, which is no version here: it may have seen the test reviews."
    version = lines[0].version
    learned = training_set if version == training_set.version else read_training_set(spark, target, version)
    seen = {part_key(review.text) for review in learned.reviews if review.part != TEST}
    leaked = sum(part_key(review.text) in seen for review in reviews)
    if leaked and who == "challenger":
        raise InputContractError(
            f"The challenger was trained on training set {version}, which has {leaked:,} of the {len(reviews):,} test "
            f"reviews of version {training_set.version} outside its test part: they cannot measure it. Evaluate on "
            f"--training_set {version}."
        )
    flattered = f", and has seen {leaked:,} of the {len(reviews):,} test reviews" if leaked else ""
    return f"The {who} was trained on training set {version}{flattered}."


def _identify(
    config: EvaluateModelConfig, challenger: Bundle, champion: Bundle, training_set: TrainingSet, night: Night | None
) -> Contest:
    """The evaluation and its id: the hash of everything that its figures follow from."""
    settings = config.model_dump(mode="json", include=_SETTINGS) | {
        "night": night.run_id if night else None,
        "nightly_rows": config.nightly_rows if night else 0,
    }
    document = json.dumps(settings, sort_keys=True)
    parts = (challenger.bundle_id, champion.bundle_id, training_set.content_hash, document)
    return Contest(
        evaluation_id=hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:16],
        challenger=challenger.bundle_id,
        champion=champion.bundle_id,
        training_set=training_set.version,
        content_hash=training_set.content_hash,
        settings=document,
    )


def _compare(
    spark: SparkSession,
    config: EvaluateModelConfig,
    champion: Bundle,
    challenger: Bundle,
    reviews: Sequence[LabelledReview],
    night: Night | None,
    console: Console,
) -> list[Finding]:
    scorers = [_load_scorer(bundle) for bundle in (champion, challenger)]
    contestants = [Contestant(scorer, scorer.bundle.manifest.thresholds) for scorer in scorers]
    limits = Limits(
        config.min_gain, config.max_loss, config.max_keyword_loss, config.min_keyword_rows, config.max_sentiment_loss
    )

    def tell(step: str) -> None:
        console.print(f"{step} …", highlight=False)

    findings = compare_bundles(
        contestants[0], contestants[1], reviews, limits, config.resamples, config.confidence, config.seed, tell
    )
    sample = sample_night(spark, night, config.columns, config.nightly_rows, str(config.seed)) if night else []
    if night and sample:
        tell(f"{len(sample):,} reviews of the last night")
        texts = [review.text for review in sample]
        scored = [review.score for review in sample]
        old, new = (scored if night.bundle_id == each.bundle.bundle_id else each.score(texts) for each in scorers)
        findings += compare_scores(old, new, scorers[0].taxonomy.keywords)
    return findings


def _load_scorer(bundle: Bundle) -> Scorer:
    return Scorer.load(bundle.path, "cuda" if torch.cuda.is_available() else "cpu")


def _say_night(source: str | None, night: Night | None, findings: Sequence[Finding]) -> str:
    if source is None:
        return "The last night's reviews were left out: source is null."
    if night is None:
        return "The last night's reviews were left out: no finished run of score_reviews scored any."
    if not select_findings(findings, NIGHTLY_AGREEMENT):
        return (
            f"The last night's reviews were left out: none of run {night.run_id} is in {source} with the text it had."
        )
    return f"The last night is run {night.run_id}, scored by bundle {night.bundle_id}."


def _say_newer(spark: SparkSession, target: TableRef, contest: Contest) -> list[str]:
    newest = read_newest(spark, target, contest.challenger, contest.champion)
    if newest in (None, contest.evaluation_id):
        return []
    return [f"promote_model goes by evaluation {newest} of the same bundles, which is newer than this one."]


def show_comparison(comparison: Comparison, report: Path | None, console: Console) -> None:
    """Print the verdict and the figures as a table for people and a JSON line for machines."""
    contest = comparison.contest
    if comparison.is_stored:
        console.print("This comparison was made before: its figures are read, and nothing was written.")
    title = f"evaluation {contest.evaluation_id}: challenger {contest.challenger}, champion {contest.champion}"
    console.print(_tabulate(title, FIGURE_COLUMNS, figure_cells(comparison.findings)))
    if night := night_cells(comparison.findings):
        console.print(_tabulate("the last night's reviews", NIGHT_COLUMNS, night))
    for note in comparison.notes:
        console.print(note, highlight=False, markup=False)
    if report:
        console.print(f"The page is {report}.", highlight=False, markup=False)
    console.print(Text(say_verdict(comparison.findings), style="bold green" if comparison.passed else "bold red"))
    line = {"event": "evaluate_model", **asdict(contest), "passed": comparison.passed}
    line |= {"is_stored": comparison.is_stored, "failed": name_failed(comparison.findings)}
    print_line(console, line)


def _tabulate(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    # Narrow enough that 80 columns, which is what a scheduler's log has, leave room for the names.
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column(columns[0])
    for name in columns[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table
