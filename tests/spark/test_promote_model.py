"""The champion: how it moves, what holds it back, and what the night after makes of it."""

import io
import json
import shutil
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession
from rich.console import Console

from reviewlens.bundle import STARTER, Bundle, read_manifest
from reviewlens.config import Columns, PromoteModelConfig, ScoreReviewsConfig
from reviewlens.errors import BundleError, BusyError, ConfigError, QualityGateError
from reviewlens.pipelines import promote_model, score_reviews
from reviewlens.spark import registry
from reviewlens.spark.ledger import write_entry
from reviewlens.spark.registry import CHAMPION, locate_bundle, read_champion
from reviewlens.spark.tables import TableRef, create_tables

ROOT = Path(__file__).parents[2]
STARTER_ID = read_manifest(STARTER).bundle_id
NOW = datetime.fromisoformat("2026-11-25T03:00:00+09:00")

Run = Callable[..., promote_model.PromotionReport]


@pytest.fixture
def target(tmp_path: Path) -> TableRef:
    return TableRef.parse(str(tmp_path / "lake"))


@pytest.fixture
def run(spark: SparkSession, target: TableRef) -> Run:
    """Run the job; the screen is in `run.screen`."""

    def start(**keys: object) -> promote_model.PromotionReport:
        document = {"target": target.location, "taxonomy": ROOT / "conf" / "taxonomy.yaml", **keys}
        start.screen = io.StringIO()  # type: ignore[attr-defined]
        console = Console(file=start.screen, width=200)  # type: ignore[attr-defined]
        return promote_model.run(spark, PromoteModelConfig.model_validate(document), console)

    return start


@pytest.fixture
def evaluate(spark: SparkSession, target: TableRef) -> Callable[..., None]:
    """Write an evaluation: its verdict, and the figures that it stands on."""

    def write(challenger: str, champion: str, number: int = 1, **figures: bool) -> None:
        tables = create_tables(spark, target, ["evaluations"])
        common = {"evaluation_id": f"e{number}", "challenger": challenger, "champion": champion}
        common["evaluated_at"] = NOW.replace(hour=number)  # type: ignore[assignment]
        for position, (measure, passed) in enumerate(figures.items()):
            values = {"subject": "배송", "challenger_value": 0.71234, "champion_value": 0.8}
            entry = common | {"position": position, "measure": measure, "passed": passed}
            entry |= values if measure != "gate" else {}
            write_entry(spark, tables, "evaluations", entry)

    return write


def read_moves(spark: SparkSession, target: TableRef) -> list[Row]:
    table = spark.read.format("delta").load(target.child("model_registry").location)
    return table.orderBy("number").collect()


def test_promotions_are_undone_one_by_one_down_to_the_starter(
    spark: SparkSession,
    target: TableRef,
    run: Run,
    evaluate: Callable[..., None],
    tiny_bundle: Bundle,
    joining_bundle: Bundle,
) -> None:
    """Two rollbacks after two promotions end at the starter, and a third has nothing to go back to."""
    first, second = tiny_bundle.bundle_id, joining_bundle.bundle_id
    evaluate(first, STARTER_ID, 1, gate=True)
    evaluate(second, first, 2, gate=True)
    assert locate_bundle(spark, target, CHAMPION) == STARTER
    run(bundle=str(tiny_bundle.path))
    run(bundle=str(joining_bundle.path))
    assert locate_bundle(spark, target, CHAMPION) == joining_bundle.path
    run(rollback=True)
    assert locate_bundle(spark, target, CHAMPION) == tiny_bundle.path
    run(rollback=True)
    assert locate_bundle(spark, target, CHAMPION) == STARTER
    with pytest.raises(ConfigError, match="no champion came before"):
        run(rollback=True)
    moves = [(row.number, row.event, row.bundle_id, row.previous_number) for row in read_moves(spark, target)]
    assert moves == [
        (1, "promote", first, 0),
        (2, "promote", second, 1),
        (3, "rollback", first, 0),
        (4, "rollback", STARTER_ID, None),
    ]


def test_only_the_newest_evaluation_against_the_present_champion_counts(
    spark: SparkSession, target: TableRef, run: Run, evaluate: Callable[..., None], tiny_bundle: Bundle
) -> None:
    """None, one against another champion, and one that failed: each refusal says what to do or which figures failed."""
    challenger = tiny_bundle.bundle_id
    with pytest.raises(QualityGateError, match=r"evaluate_model --challenger"):
        run(bundle=str(tiny_bundle.path))
    evaluate(challenger, "another champion", 1, gate=True)
    with pytest.raises(QualityGateError, match=f"not compared with the present champion {STARTER_ID}"):
        run(bundle=str(tiny_bundle.path))
    evaluate(challenger, STARTER_ID, 2, gate=True)
    evaluate(challenger, STARTER_ID, 3, gate=False, keyword_f1=False, macro_f1=True)
    with pytest.raises(QualityGateError, match=r"evaluation e3 .*: keyword_f1 of 배송 0\.712 against 0\.800\. The"):
        run(bundle=str(tiny_bundle.path))
    assert read_champion(spark, target).number == 0
    evaluate(challenger, STARTER_ID, 4, gate=True)
    assert run(bundle=str(tiny_bundle.path)).champion.evaluation_id == "e4"


def test_promoting_the_champion_again_does_nothing_unless_it_was_moved(
    spark: SparkSession,
    target: TableRef,
    run: Run,
    evaluate: Callable[..., None],
    tiny_bundle: Bundle,
    joining_bundle: Bundle,
    tmp_path: Path,
) -> None:
    """A second run says so; a directory that holds another bundle is refused until the registry knows the new place."""
    evaluate(tiny_bundle.bundle_id, STARTER_ID, gate=True)
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(tiny_bundle.path, here)
    assert run(bundle=str(here)).moved
    assert not run(bundle=str(here)).moved
    assert f"bundle {tiny_bundle.bundle_id} is the champion already" in run.screen.getvalue()  # type: ignore[attr-defined]
    assert len(read_moves(spark, target)) == 1

    here.rename(there)
    with pytest.raises(BundleError, match="there is no bundle now"):
        locate_bundle(spark, target, CHAMPION)
    shutil.copytree(joining_bundle.path, here)
    with pytest.raises(BundleError, match=f"there is bundle {joining_bundle.bundle_id} now"):
        locate_bundle(spark, target, CHAMPION)
    run(bundle=str(there))
    assert locate_bundle(spark, target, CHAMPION) == there
    run(rollback=True)
    assert locate_bundle(spark, target, CHAMPION) == STARTER


def test_of_promotions_at_the_same_time_one_holds_and_the_others_know(
    spark: SparkSession, target: TableRef, tiny_bundle: Bundle, joining_bundle: Bundle
) -> None:
    """Whether they overlap or the later one still believes in an older champion."""
    create_tables(spark, target, ["model_registry"])
    held = read_champion(spark, target)
    outcomes: list[str | BusyError] = []
    gate = threading.Barrier(3)

    def move(bundle: Bundle) -> None:
        gate.wait()
        try:
            outcomes.append(registry.promote(spark, target, held, bundle, "e1", NOW).bundle_id)
        except BusyError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=move, args=(bundle,)) for bundle in (tiny_bundle, joining_bundle, tiny_bundle)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert len(outcomes) == 3
    assert [row.bundle_id for row in read_moves(spark, target)] == [winner]
    with pytest.raises(BusyError, match="Another run moved the champion"):
        registry.promote(spark, target, held, joining_bundle, "e2", NOW)


@pytest.mark.parametrize("keys", [{}, {"bundle": "starter", "rollback": True}])
def test_one_move_at_a_time(run: Run, keys: dict[str, object]) -> None:
    """Neither none nor both."""
    with pytest.raises(ConfigError, match=r"--bundle DIRECTORY.*--rollback"):
        run(**keys)


@pytest.mark.slow
def test_the_next_night_rescores_with_the_champion_and_after_a_rollback_again(
    spark: SparkSession,
    target: TableRef,
    run: Run,
    evaluate: Callable[..., None],
    tiny_bundle: Bundle,
    joining_bundle: Bundle,
    tmp_path: Path,
) -> None:
    """Every review is scored by the bundle in service and no other, the ledger adds up, and a quiet night is quiet."""
    evaluate(tiny_bundle.bundle_id, STARTER_ID, 1, gate=True)
    evaluate(joining_bundle.bundle_id, tiny_bundle.bundle_id, 2, gate=True)
    rows = [("a", "가몰", "배송 늦어요"), ("b", None, "예쁘 디자인"), ("c", "나몰", None)]
    reviews = spark.createDataFrame(rows, "review_id STRING, mall_id STRING, text STRING")
    reviews.write.format("delta").save(str(tmp_path / "reviews"))

    def night(**keys: bool) -> tuple[int, int, int]:
        config = ScoreReviewsConfig(
            source=str(tmp_path / "reviews"),
            target=target.location,
            columns=Columns(),
            taxonomy=ROOT / "conf" / "taxonomy.yaml",
            sql_dir=ROOT / "conf" / "sql",
            **keys,
        )
        report = score_reviews.run(spark, config, Console(file=io.StringIO()))
        assert report.input == report.scored + report.quarantined + report.unchanged
        return report.scored, report.quarantined, report.unchanged

    def scored_by() -> dict[str, str]:
        scores = spark.read.format("delta").load(target.child("review_scores").location)
        return {row.review_id: row.bundle_id for row in scores.collect()}

    run(bundle=str(tiny_bundle.path))
    assert (night(), night(dry_run=True)) == ((2, 1, 0), (0, 0, 3))
    run(bundle=str(joining_bundle.path))
    assert "rescores what the bundle before had scored" in run.screen.getvalue()  # type: ignore[attr-defined]
    assert (night(), scored_by()) == ((2, 1, 0), dict.fromkeys("ab", joining_bundle.bundle_id))
    run(rollback=True)
    assert (night(), scored_by()) == ((2, 1, 0), dict.fromkeys("ab", tiny_bundle.bundle_id))
    assert night(dry_run=True) == (0, 0, 3)


def test_mlflow_follows_the_champion(
    run: Run,
    evaluate: Callable[..., None],
    tiny_bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each bundle is one version, which tells its path, and the alias stands for the champion after every move."""
    mlflow = pytest.importorskip("mlflow", reason="MLflow is an extra: pip install 'reviewlens[mlflow]'")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a server would do; a folder needs none
    uri = (tmp_path / "mlflow").as_uri()
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)

    def alias() -> tuple[str, str, str]:
        version = client.get_model_version_by_alias("reviews", CHAMPION)
        return str(version.version), version.tags["bundle_id"], version.tags["path"]

    evaluate(tiny_bundle.bundle_id, STARTER_ID, gate=True)
    keys = {"mlflow_uri": uri, "model_name": "reviews"}
    run(bundle=str(tiny_bundle.path), **keys)
    assert alias() == ("1", tiny_bundle.bundle_id, str(tiny_bundle.path))
    run(rollback=True, **keys)
    assert alias() == ("2", STARTER_ID, "starter")
    run(bundle=str(tiny_bundle.path))  # without MLflow: the alias stays behind, until the same again with it
    assert alias()[0] == "2"
    report = run(bundle=str(tiny_bundle.path), **keys)
    assert (report.moved, report.mlflow_version, alias()[0]) == (False, "1", "1")
    line = json.loads(run.screen.getvalue().splitlines()[-1])  # type: ignore[attr-defined]
    assert line["champion"]["bundle_id"] == tiny_bundle.bundle_id


def test_without_mlflow_the_error_says_how_to_install_it(
    run: Run, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing moves."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ConfigError, match=r"pip install 'reviewlens\[mlflow\]'"):
        run(bundle=str(tiny_bundle.path), mlflow_uri="http://127.0.0.1:9")
