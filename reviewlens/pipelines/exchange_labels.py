"""A round's picks go to people, and their labels come back."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from pyspark.sql import SparkSession
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reviewlens.config import ExchangeLabelsConfig
from reviewlens.display import print_line
from reviewlens.errors import ConfigError, InputContractError, QuarantineLimitError
from reviewlens.labeling.inspection import inspect_submission
from reviewlens.labeling.labels import Annotation, Pick, Refusal, Submission
from reviewlens.labeling.merging import Changes, Key, find_changes
from reviewlens.labeling.plain_files import read_csv, read_jsonl, write_csv, write_jsonl
from reviewlens.labeling.studio_annotations import read_export
from reviewlens.labeling.studio_config import write_config
from reviewlens.labeling.studio_tasks import build_task, order_picks, select_double
from reviewlens.spark.files import detect_encoding
from reviewlens.spark.labels import read_picks, read_stored, write_labels, write_refusals
from reviewlens.spark.tables import TableRef, create_tables
from reviewlens.taxonomy import Taxonomy, read_taxonomy

_COUNTS = ("found", "imported", "replaced", "unchanged", "outdated", "cancelled", "quarantined")


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written, and where; `double` of the `picks` are in a second file besides."""

    round: str
    format: str
    picks: int
    double: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How a file's annotations ended: found = imported + replaced + unchanged + outdated + cancelled + quarantined.

    Attributes:
        outdated: older than another annotation of the same person and review.
        withdrawn: labels that the table held, and that their annotator has cancelled since.
        unlabelled: tasks or reviews in the file that nobody has labelled.
        quarantined_share: of those found and not cancelled.
        reasons: quarantined annotations by reason.
    """

    round: str
    format: str
    file: str
    found: int
    imported: int
    replaced: int
    unchanged: int
    outdated: int
    cancelled: int
    quarantined: int
    quarantined_share: float
    reasons: dict[str, int]
    withdrawn: int
    unlabelled: int


def run(
    spark: SparkSession, config: ExchangeLabelsConfig, console: Console, now: datetime | None = None
) -> ExportReport | ImportReport:
    """Export a round's picks, or import their labels.

    Raises:
        ConfigError: a file stands in the way of an export.
        InputContractError: the round has no picks, or the file is not what its format says; nothing was imported.
        QuarantineLimitError: more was refused than `max_quarantine_share`; what could be imported is.
    """
    taxonomy, target = read_taxonomy(config.taxonomy), TableRef.parse(config.target)
    picks = read_picks(spark, target, config.round)
    if config.action == "export":
        exported = _export(picks, taxonomy, config)
        _show_export(exported, console)
        return exported

    submissions, unlabelled = _read_file(config.file, config.format, config.annotator)
    now = now or datetime.now().astimezone()
    accepted, refused = _inspect(submissions, picks, taxonomy, config.round, config.annotator, now)
    cancelled = _find_cancelled(submissions, config.round, config.annotator, now)
    tables = create_tables(spark, target, ("labels", "label_quarantine"))
    changes = find_changes(read_stored(spark, tables["labels"], config.round), accepted, cancelled)
    write_labels(spark, tables["labels"], config.round, changes, config.format, now)
    settled = {annotation.key for annotation in accepted} | cancelled.keys()
    write_refusals(spark, tables["label_quarantine"], config.round, refused, settled, now)

    imported = _count(config, submissions, changes, refused, unlabelled)
    _show_import(imported, console)
    _hold_quarantine_limit(imported, config.max_quarantine_share)
    return imported


def _export(picks: Sequence[Pick], taxonomy: Taxonomy, config: ExchangeLabelsConfig) -> ExportReport:
    ordered, double = order_picks(picks), select_double(picks, config.double_share)
    second = config.file.with_suffix(f".second{config.file.suffix}")
    files = {config.file: _write_document(ordered, taxonomy, config.format)}
    if double:
        files[second] = _write_document(double, taxonomy, config.format)
    if config.format == "label-studio":
        files[config.labelling_config or config.file.with_suffix(".xml")] = write_config(taxonomy)
    _write_files(files)
    return ExportReport(config.round, config.format, len(ordered), len(double), tuple(map(str, files)))


def _write_document(picks: Iterable[Pick], taxonomy: Taxonomy, format_name: str) -> str:
    if format_name == "csv":
        return write_csv(picks, taxonomy)
    if format_name == "jsonl":
        return write_jsonl(picks, taxonomy)
    return json.dumps([build_task(pick, taxonomy) for pick in picks], ensure_ascii=False, indent=1) + "\n"


def _write_files(files: dict[Path, str]) -> None:
    """Write all or none: a file that somebody may have filled in since is never overwritten."""
    documents = {file: document.encode() for file, document in files.items()}
    for file, document in documents.items():
        if file.exists() and (not file.is_file() or file.read_bytes() != document):
            raise ConfigError(f"{file} stands already, with other content: give another name, or remove it.")
    for file, document in documents.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.draft")
        draft.write_bytes(document)
        draft.replace(file)


def _read_file(file: Path, format_name: str, annotator: str | None) -> tuple[list[Submission], int]:
    if not file.is_file():
        raise InputContractError(f"No file at {file}.")
    if format_name == "csv":
        return read_csv(file.read_bytes().decode(detect_encoding(file)), str(file), annotator)
    document = _decode(file)
    return read_jsonl(document, str(file)) if format_name == "jsonl" else read_export(document, str(file))


def _decode(file: Path) -> str:
    """JSON is UTF-8; a cut may go through a character."""
    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputContractError(
            f"{file} is not UTF-8 from line {line}, byte {error.start} on: it may have been cut off. Nothing was "
            "imported: export it again."
        ) from None


def _inspect(
    submissions: Iterable[Submission],
    picks: Iterable[Pick],
    taxonomy: Taxonomy,
    round_name: str,
    annotator: str | None,
    now: datetime,
) -> tuple[list[Annotation], list[Refusal]]:
    by_id = {pick.review_id: pick for pick in picks}
    accepted: list[Annotation] = []
    refused: list[Refusal] = []
    for submission in submissions:
        if submission.is_cancelled:
            continue
        outcome = inspect_submission(submission, by_id, taxonomy, round_name, annotator, now)
        if isinstance(outcome, Annotation):
            accepted.append(outcome)
        else:
            refused.append(outcome)
    return accepted, refused


def _find_cancelled(
    submissions: Iterable[Submission], round_name: str, annotator: str | None, now: datetime
) -> dict[Key, datetime]:
    """When each person last skipped each review of the round."""
    times: dict[Key, datetime] = {}
    for submission in submissions:
        review_id, who = submission.review_id, submission.annotator or annotator
        if not submission.is_cancelled or submission.round != round_name:
            continue
        if review_id is not None and who is not None:
            key, time = (review_id, who), submission.labelled_at or now
            times[key] = max(time, times.get(key, time))
    return times


def _count(
    config: ExchangeLabelsConfig,
    submissions: Sequence[Submission],
    changes: Changes,
    refused: Sequence[Refusal],
    unlabelled: int,
) -> ImportReport:
    cancelled = sum(submission.is_cancelled for submission in submissions)
    return ImportReport(
        round=config.round,
        format=config.format,
        file=str(config.file),
        found=len(submissions),
        imported=len(changes.new),
        replaced=len(changes.replaced),
        unchanged=changes.unchanged,
        outdated=changes.outdated,
        cancelled=cancelled,
        quarantined=len(refused),
        quarantined_share=len(refused) / max(len(submissions) - cancelled, 1),
        reasons=dict(sorted(Counter(refusal.fault.value for refusal in refused).items())),
        withdrawn=len(changes.withdrawn),
        unlabelled=unlabelled,
    )


def _show_export(report: ExportReport, console: Console) -> None:
    table = Table("file", title=escape(f"round {report.round}: {report.picks:,} picks"), title_justify="left")
    for file in report.files:
        table.add_row(escape(file))
    console.print(table)
    if report.double:
        console.print(f"{report.double:,} of them are in the second file too: let another person label it.")
    print_line(console, {"event": "export_labels", **asdict(report)})


def _show_import(report: ImportReport, console: Console) -> None:
    table = Table(title=escape(f"round {report.round}: {report.file}"), title_justify="left")
    for name in _COUNTS:
        table.add_column(name, justify="right")
    table.add_row(*(f"{getattr(report, name):,}" for name in _COUNTS))
    console.print(table)
    for reason, count in report.reasons.items():
        console.print(f"quarantined, {reason}: {count:,}")
    if report.reasons:
        console.print(f"{report.quarantined_share:.1%} of the annotations are in label_quarantine.")
    if report.withdrawn:
        console.print(f"{report.withdrawn:,} labels were withdrawn by their annotators.")
    if report.unlabelled:
        told = "" if report.format == "label-studio" else " Give --annotator, or fill in who labelled them."
        console.print(f"{report.unlabelled:,} reviews in the file are not labelled yet.{told}")
    print_line(console, {"event": "import_labels", **asdict(report)})


def _hold_quarantine_limit(report: ImportReport, limit: float) -> None:
    if report.quarantined_share > limit:
        raise QuarantineLimitError(
            f"{report.quarantined:,} of {report.found - report.cancelled:,} annotations were refused, more than "
            f"max_quarantine_share {limit:g}: look at their reasons in label_quarantine. What could be imported is."
        )
