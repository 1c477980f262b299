"""A bundle becomes the champion when its evaluation allows it, or the champion before comes back."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reviewlens.bundle import read_bundle, resolve_bundle
from reviewlens.config import PromoteModelConfig
from reviewlens.display import print_line
from reviewlens.errors import ConfigError
from reviewlens.spark.gate import hold_gate
from reviewlens.spark.mlflow_alias import MlflowAlias, connect_mlflow
from reviewlens.spark.registry import CHAMPION, Move, promote, read_champion, read_previous, relocate, roll_back
from reviewlens.spark.tables import TableRef
from reviewlens.taxonomy import Taxonomy, read_taxonomy


@dataclass(frozen=True, slots=True)
class PromotionReport:
    """The move that held before, the one that holds now, and what version the champion is in MLflow."""

    before: Move
    champion: Move
    mlflow_version: str | None = None

    @property
    def moved(self) -> bool:
        """Whether anything was written."""
        return self.before.number != self.champion.number


def run(spark: SparkSession, config: PromoteModelConfig, console: Console) -> PromotionReport:
    """Move the champion; the next nightly run rescores with it.

    Raises:
        BusyError: another run moved the champion at the same time.
        ConfigError: the keys, the bundle or MLflow are not what the job needs, or there is nothing to roll back to.
        QualityGateError: the bundle's evaluation did not pass, or there is none against the present champion.
    """
    if (config.bundle is None) != config.rollback:
        raise ConfigError("Give one of --bundle DIRECTORY, to promote it, and --rollback.")
    target, taxonomy = TableRef.parse(config.target), read_taxonomy(config.taxonomy)
    # Before anything moves: most of what can go wrong with MLflow goes wrong here.
    mlflow = connect_mlflow(config.mlflow_uri, config.model_name, CHAMPION) if config.mlflow_uri else None
    held, now = read_champion(spark, target), datetime.now().astimezone()
    if config.bundle is None:
        champion = _go_back(spark, target, taxonomy, held, now)
    else:
        champion = _put_forward(spark, target, taxonomy, held, config.bundle, now)
    report = PromotionReport(held, champion, _tell_mlflow(mlflow, champion))
    show_report(report, console)
    return report


def _put_forward(
    spark: SparkSession, target: TableRef, taxonomy: Taxonomy, held: Move, name: str, now: datetime
) -> Move:
    bundle = read_bundle(resolve_bundle(name), taxonomy)
    if bundle.bundle_id == held.bundle_id:
        return relocate(spark, target, held, bundle, now)
    evaluation_id = hold_gate(spark, target, bundle.bundle_id, held.bundle_id)
    return promote(spark, target, held, bundle, evaluation_id, now)


def _go_back(spark: SparkSession, target: TableRef, taxonomy: Taxonomy, held: Move, now: datetime) -> Move:
    previous = read_previous(spark, target, held)
    read_bundle(previous.directory, taxonomy)  # a night that could not load it would be worse than no rollback
    return roll_back(spark, target, held, previous, now)


def _tell_mlflow(mlflow: MlflowAlias | None, champion: Move) -> str | None:
    if mlflow is None:
        return None
    try:
        return mlflow.follow(champion.bundle_id, champion.path)
    except ConfigError as error:
        raise ConfigError(
            f"The champion is bundle {champion.bundle_id} now. {error} To mend that alone: promote_model --bundle "
            f"{champion.path}, with the same mlflow_uri."
        ) from error


def show_report(report: PromotionReport, console: Console) -> None:
    """Print the move as a table for people and a JSON line for machines."""
    champion = report.champion
    if not report.moved:
        console.print(f"Nothing to do: bundle {champion.bundle_id} is the champion already.", highlight=False)
    table = Table(title=f"champion: move {champion.number}", title_justify="left")
    for name in ("", "event", "bundle", "path", "evaluation"):
        table.add_column(name, overflow="fold")
    rows = {"before": report.before, "now": champion} if report.moved else {"now": champion}
    for name, move in rows.items():
        table.add_row(name, *map(Text, (move.event, move.bundle_id, move.path, move.evaluation_id or "-")))
    console.print(table)
    if report.before.bundle_id != champion.bundle_id:
        console.print("The next run of score_reviews rescores what the bundle before had scored.")
    line: dict[str, Any] = {
        "event": "promote_model",
        "moved": report.moved,
        "before": asdict(report.before),
        "champion": asdict(champion),
        "mlflow_version": report.mlflow_version,
    }
    print_line(console, line)
