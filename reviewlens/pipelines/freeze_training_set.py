"""The labels so far become a new version of the training set, which never changes again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table

from reviewlens.config import FreezeTrainingSetConfig
from reviewlens.display import print_line
from reviewlens.errors import InputContractError, QualityGateError
from reviewlens.labeling.answers import Answer, hash_answers, hold_taxonomy
from reviewlens.labeling.labels import KeywordLabel
from reviewlens.labeling.spans import locate_word, mark_words
from reviewlens.labeling.training_set import (
    PARTS,
    TEST,
    TRAIN,
    Composition,
    FrozenReview,
    compose,
    hash_content,
    resolve_answers,
)
from reviewlens.spark.label_quality import Verdict, read_answers, read_verdicts
from reviewlens.spark.tables import TableRef, table_exists
from reviewlens.spark.training_sets import (
    VersionLine,
    read_earlier_parts,
    read_training_set,
    read_versions,
    remove_leftovers,
    write_version,
)
from reviewlens.taxonomy import Taxonomy, read_taxonomy


@dataclass(frozen=True, slots=True)
class FreezeReport:
    """The version that now holds the labels, and what was left out of its train part."""

    status: Literal["frozen", "unchanged"]
    line: VersionLine
    near_duplicates: int
    relabelled: int
    leftovers: int


def run(
    spark: SparkSession, config: FreezeTrainingSetConfig, console: Console, now: datetime | None = None
) -> FreezeReport:
    """Freeze the labels of checked rounds, and a corpus where one is given; the same content again is nothing to do.

    Raises:
        InputContractError: there are no labels, they are of another taxonomy, the corpus is faulty, or the newest
            version has changed.
        QualityGateError: a round's labels have not passed their check.
        BusyError: another run is freezing.
    """
    taxonomy, target = read_taxonomy(config.taxonomy), TableRef.parse(config.target)
    answers, labels_version = read_answers(spark, target, config.rounds)
    hold_taxonomy(answers, taxonomy)
    unchecked = _hold_checks(spark, target, answers, allow=config.allow_unchecked)
    corpus = _read_corpus(config.corpus, taxonomy) if config.corpus else []
    labelled, earlier = resolve_answers(answers, taxonomy), read_earlier_parts(spark, target)
    composition = compose(labelled, corpus, earlier, config.test_share, config.validation_share)

    lines = read_versions(spark, target)
    line = VersionLine(
        version=lines[-1].version + 1 if lines else 1,
        content_hash=hash_content(composition.reviews),
        **{part: composition.count(part) for part in PARTS},
        labels_version=labels_version,
        rounds=tuple(sorted({answer.round for answer in answers})),
        corpus=str(config.corpus) if config.corpus else None,
        taxonomy_version=taxonomy.version,
        frozen_at=now or datetime.now().astimezone(),
    )
    is_known = bool(lines) and lines[-1].content_hash == line.content_hash
    if is_known:
        line = lines[-1]
        read_training_set(spark, target, line.version)  # which holds that it is still whole
    else:
        write_version(spark, target, line, composition.reviews)
    report = FreezeReport(
        status="unchanged" if is_known else "frozen",
        line=line,
        near_duplicates=composition.near_duplicates,
        relabelled=composition.relabelled,
        leftovers=remove_leftovers(spark, target),
    )
    _show(report, composition, unchecked, console)
    return report


def _hold_checks(spark: SparkSession, target: TableRef, answers: Sequence[Answer], *, allow: bool) -> list[str]:
    """What stands against the rounds, where that is allowed."""
    checks = target.child("label_quality")
    verdicts = read_verdicts(spark, checks) if table_exists(spark, checks) else {}
    unchecked = _find_unchecked(answers, verdicts)
    if unchecked and not allow:
        raise QualityGateError(
            f"Not frozen: {'; '.join(unchecked)}. Check them with check_labels, give --rounds without them, or take "
            "them as they are with --allow_unchecked."
        )
    return unchecked


def _find_unchecked(answers: Sequence[Answer], verdicts: Mapping[str, Verdict]) -> list[str]:
    """What stands against each round: never checked, changed since, or refused."""
    by_round: dict[str, list[Answer]] = {}
    for answer in answers:
        by_round.setdefault(answer.round, []).append(answer)
    faults = []
    for name, given in sorted(by_round.items()):
        verdict = verdicts.get(name)
        if verdict is None:
            faults.append(f"round {name} was never checked")
        elif verdict.labels_hash != hash_answers(given):
            faults.append(f"the labels of round {name} have changed since they were checked")
        elif not verdict.passed:
            faults.append(f"round {name} was refused by check {verdict.check_id}")
    return faults


def _read_corpus(file: Path, taxonomy: Taxonomy) -> list[FrozenReview]:
    """Labelled reviews of a file, for the train part; evidence becomes highlights where the text has the word."""
    from reviewlens.training.dataset import read_labelled  # brings torch, which only a corpus needs

    reviews = read_labelled(file, taxonomy)
    repeated = len(reviews) - len({review.review_id for review in reviews})
    if repeated:
        raise InputContractError(f"{file}: {repeated:,} reviews have the id of another. Each needs its own.")
    frozen = []
    for review in reviews:
        labels = []
        for label in review.labels:
            spans = (locate_word(review.text, word) for word in label.evidence)
            marked = mark_words(review.text, [span for span in spans if span is not None])
            labels.append(KeywordLabel(label.keyword, label.sentiment, marked))
        frozen.append(FrozenReview(review.review_id, None, review.text, tuple(labels), TRAIN, False, None, 0))
    return frozen


def _show(report: FreezeReport, composition: Composition, unchecked: Sequence[str], console: Console) -> None:
    """Print the version as a table for people and a JSON line for machines."""
    line = report.line
    if report.status == "unchanged":
        console.print(f"Nothing to do: version {line.version} holds the same reviews.")
    table = Table("part", title=f"training set {line.version}: {report.status}", title_justify="left")
    for name in ("reviews", "random picks", "labels", "by two or more"):
        table.add_column(name, justify="right")
    for part in PARTS:
        reviews = [review for review in composition.reviews if review.part == part]
        random, labels = sum(each.is_random for each in reviews), sum(len(each.labels) for each in reviews)
        double = sum(each.annotators > 1 for each in reviews)
        table.add_row(part, f"{len(reviews):,}", f"{random:,}", f"{labels:,}", f"{double:,}")
    console.print(table)
    console.print(f"Rounds {', '.join(line.rounds)}; corpus {line.corpus or 'none'}.", markup=False)
    if report.near_duplicates:
        console.print(f"{report.near_duplicates:,} near-duplicates of reviews that measure were left out of train.")
    if report.relabelled:
        console.print(f"{report.relabelled:,} reviews of the corpus were left out: people have labelled them since.")
    if report.leftovers:
        console.print(f"{report.leftovers:,} rows of a run that was cut off were removed.")
    for fault in unchecked:
        console.print(f"Taken as it is: {fault}.", markup=False)
    for warning in _find_lacks(composition):
        console.print(f"[bold red]{warning}[/]")
    counts = {name: count for name, count in asdict(report).items() if name != "line"}
    figures = {"event": "freeze_training_set", **counts, **asdict(line), "unchecked": unchecked}
    print_line(console, figures)


def _find_lacks(composition: Composition) -> list[str]:
    """What this version cannot be used for."""
    lacks = []
    if not composition.count(TEST):
        lacks.append(
            "The test part is empty: this version cannot measure a model. It needs random picks, and a test_share "
            "above 0."
        )
    if not composition.count(TRAIN):
        lacks.append("The train part is empty: no model can learn from this version.")
    return lacks
