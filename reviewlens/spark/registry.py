"""The model registry: which bundle the alias `champion` stands for, and every move that it made."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from reviewlens.bundle import STARTER, Bundle, read_manifest, resolve_bundle
from reviewlens.errors import BundleError, BusyError, ConfigError
from reviewlens.spark.conflicts import busy_on_conflict
from reviewlens.spark.schemas import TABLES
from reviewlens.spark.tables import TableRef, create_tables, read_table, table_exists

CHAMPION = "champion"
_REGISTRY = "model_registry"
_STARTER = "starter"


@dataclass(frozen=True, slots=True)
class Move:
    """A row of `model_registry`. Number 0 is no row: the starter, before anything was promoted.

    `path` is the bundle's directory, or `starter` for the one that this release ships, whichever it is.
    `previous_number` is the move that a rollback goes back to.
    """

    number: int
    path: str
    bundle_id: str
    event: str = "shipped"
    evaluation_id: str | None = None
    previous_number: int | None = None
    moved_at: datetime | None = None
    alias: str = CHAMPION

    @property
    def directory(self) -> Path:
        """Where the bundle is."""
        return resolve_bundle(self.path)


def locate_bundle(spark: SparkSession, target: TableRef, bundle: str) -> Path:
    """The directory of a bundle: `champion` as the target's registry has it, `starter`, or a path.

    While no bundle was promoted the starter is the champion.

    Raises:
        BundleError: the champion's directory no longer holds the bundle that was promoted.
    """
    if bundle != CHAMPION:
        return resolve_bundle(bundle)
    champion = read_champion(spark, target)
    hold_bundle(
        champion, "say with promote_model --bundle DIRECTORY where it is, or leave it with promote_model --rollback"
    )
    return champion.directory


def read_champion(spark: SparkSession, target: TableRef) -> Move:
    """The move of `champion` that holds."""
    registry = target.child(_REGISTRY)
    if not table_exists(spark, registry):
        return _starter()
    newest = _read_moves(spark, registry).orderBy("number", ascending=False).first()
    return _starter() if newest is None else _as_move(newest.asDict())


def read_previous(spark: SparkSession, target: TableRef, held: Move) -> Move:
    """The move that a rollback from `held` goes back to.

    Raises:
        BundleError: the bundle of that time is gone.
        ConfigError: no champion came before.
    """
    if held.previous_number is None:
        raise ConfigError(f"Nothing to roll back to: no champion came before bundle {held.bundle_id} ({held.path}).")
    previous = _starter()
    if held.previous_number:
        [row] = _read_moves(spark, target.child(_REGISTRY)).where(F.col("number") == held.previous_number).collect()
        previous = _as_move(row.asDict())
    hold_bundle(previous, "promote another bundle")
    return previous


def hold_bundle(move: Move, advice: str) -> None:
    """Hold that the move's directory still says that it is the bundle that was promoted.

    Args:
        move: a move that holds, or is to hold again.
        advice: what else than copying the bundle back can be done.

    Raises:
        BundleError: it holds another bundle, or none.
    """
    try:
        found = f"bundle {read_manifest(move.directory).bundle_id}"
    except BundleError:
        found = "no bundle"
    if found != f"bundle {move.bundle_id}":
        raise BundleError(
            f"The registry's move {move.number} made bundle {move.bundle_id} in {move.path} the champion, and there is "
            f"{found} now. Copy it back there, or {advice}."
        )


def promote(
    spark: SparkSession, target: TableRef, held: Move, bundle: Bundle, evaluation_id: str, moved_at: datetime
) -> Move:
    """Make `bundle` the champion after `held`, the move that its evaluation was made against.

    Raises:
        BusyError: the champion has moved since `held` was read.
    """
    move = Move(
        number=held.number + 1,
        path=_path_of(bundle),
        bundle_id=bundle.bundle_id,
        event="promote",
        evaluation_id=evaluation_id,
        previous_number=held.number,
        moved_at=moved_at,
    )
    return _write_move(spark, target, move)


def relocate(spark: SparkSession, target: TableRef, held: Move, bundle: Bundle, moved_at: datetime) -> Move:
    """Take note of where the champion's bundle is now; `held` itself where it is there already.

    Raises:
        BusyError: the champion has moved since `held` was read.
    """
    if held.path == _path_of(bundle):
        return held
    move = replace(held, number=held.number + 1, path=_path_of(bundle), event="relocate", moved_at=moved_at)
    return _write_move(spark, target, move)


def roll_back(spark: SparkSession, target: TableRef, held: Move, previous: Move, moved_at: datetime) -> Move:
    """Make `previous` the champion again; the next rollback goes on from there, one promotion further back.

    Raises:
        BusyError: the champion has moved since `held` was read.
    """
    return _write_move(spark, target, replace(previous, number=held.number + 1, event="rollback", moved_at=moved_at))


def _starter() -> Move:
    return Move(0, _STARTER, read_manifest(STARTER).bundle_id)


def _as_move(row: dict[str, object]) -> Move:
    """A row of the table; the starter is this release's, which may be another than at the time of the move."""
    move = Move(**row)  # type: ignore[arg-type]
    return replace(move, bundle_id=_starter().bundle_id) if move.path == _STARTER else move


def _path_of(bundle: Bundle) -> str:
    return _STARTER if bundle.path == STARTER else str(bundle.path)


def _read_moves(spark: SparkSession, registry: TableRef) -> DataFrame:
    return read_table(spark, registry).where(F.col("alias") == CHAMPION)


def _write_move(spark: SparkSession, target: TableRef, move: Move) -> Move:
    """Write the move unless its number is taken. A merge reads what it adds to, so of two at once one fails."""
    registry = create_tables(spark, target, [_REGISTRY])[_REGISTRY]
    schema = spark.createDataFrame([], TABLES[_REGISTRY]).schema
    entry = spark.createDataFrame([tuple(asdict(move)[name] for name in schema.names)], schema).coalesce(1)
    merge = (
        DeltaTable.forName(spark, registry.sql)
        .alias("held")
        .merge(entry.alias("move"), "held.alias = move.alias AND held.number = move.number")
        .whenNotMatchedInsertAll()
    )
    overtaken = (
        f"Another run moved the champion before this one could make it bundle {move.bundle_id}: nothing was done. "
        f"See in {registry.location} which one holds now, and start again."
    )
    with busy_on_conflict(overtaken):
        written = merge.execute().first()
    assert written is not None
    if not written["num_inserted_rows"]:
        raise BusyError(overtaken)
    return move
