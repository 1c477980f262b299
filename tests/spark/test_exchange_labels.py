"""The exchange of labels, from the picks' table to files, and from files to the tables of labels."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import Row, SparkSession
from rich.console import Console

from reviewlens.config import ExchangeLabelsConfig
from reviewlens.errors import ConfigError, InputContractError, QuarantineLimitError
from reviewlens.pipelines import exchange_labels
from reviewlens.spark.schemas import TABLES
from reviewlens.spark.tables import TableRef, create_tables

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FIT = {
    "keyword": "라인(핏)",
    "probability": 0.9,
    "sentiment": "긍정",
    "sentiment_value": 1,
    "sentiment_probability": 0.8,
    "highlight": {"word": "핏이", "start": 2, "end": 4, "probability_without": 0.1},
}
PICKS = [
    ("2026-11", "a", "가몰", "😀 핏이 예뻐요", True, [FIT]),
    ("2026-11", "b", "x'; DROP TABLE", "음", False, []),
    ("2026-11", "c", None, "배송은 늦어요", False, []),
    ("2026-10", "old", "가몰", "지난 번", True, []),
]

Run = Callable[..., Any]


@pytest.fixture
def run(spark: SparkSession, tmp_path: Path) -> Run:
    """Run the job for round 2026-11 of `tmp_path`/lake, which has picks; the screen is in `run.screen`."""
    target = TableRef.parse(str(tmp_path / "lake"))
    picks = create_tables(spark, target, ["retraining_picks"])["retraining_picks"]
    schema = spark.createDataFrame([], TABLES["retraining_picks"]).schema
    names = ("round", "review_id", "mall_id", "text", "is_random", "keywords")
    rows = [
        dict(zip(names, row, strict=True)) | {"bundle_id": "bundle-1", "probabilities": {"배송": 0.2}} for row in PICKS
    ]
    spark.createDataFrame([tuple(row.get(name) for name in schema.names) for row in rows], schema).write.format(
        "delta"
    ).mode("append").saveAsTable(picks.sql)

    def start(action: str, file: Path, now: datetime = NOW, **keys: object) -> Any:
        config = ExchangeLabelsConfig.model_validate(
            {
                "action": action,
                "target": target.location,
                "round": "2026-11",
                "file": file,
                "taxonomy": ROOT / "conf" / "taxonomy.yaml",
                "max_quarantine_share": 1.0,
                **keys,
            }
        )
        start.screen = io.StringIO()  # type: ignore[attr-defined]
        return exchange_labels.run(spark, config, Console(file=start.screen, width=200), now)  # type: ignore[attr-defined]

    return start


def read(spark: SparkSession, tmp_path: Path, table: str) -> list[Row]:
    rows = spark.read.format("delta").load(str(tmp_path / "lake" / table))
    return rows.orderBy("review_id", "annotator").collect()


def versions(tmp_path: Path) -> list[int]:
    return [DeltaTable(tmp_path / "lake" / name).version() for name in ("labels", "label_quarantine")]


def labelled(tasks: list[dict[str, Any]], **results: Any) -> list[dict[str, Any]]:
    """An export of tasks: keyword arguments give a review's annotations as (annotator, hour, result)."""
    return [
        {
            **task,
            "annotations": [
                {
                    "unique_id": f"{task['data']['review_id']}-{who}",
                    "completed_by": who,
                    "result": result,
                    "was_cancelled": result is None,
                    "updated_at": f"2026-11-20T{hour}:00:00Z",
                }
                for who, hour, result in results.get(task["data"]["review_id"], [])
            ],
        }
        for task in tasks
    ]


def test_tasks_go_out_and_labels_come_in_once(spark: SparkSession, tmp_path: Path, run: Run) -> None:
    """Values, quarantine, edits, withdrawals, and a second import that changes nothing."""
    file, back = tmp_path / "out" / "tasks.json", tmp_path / "back.json"
    exported = run("export", file, double_share=0.3)
    assert (exported.picks, exported.double) == (3, 1)
    tasks = json.loads(file.read_text())
    assert {task["data"]["review_id"] for task in tasks} == {"a", "b", "c"}
    assert json.loads((tmp_path / "out" / "tasks.second.json").read_text()) == tasks[:1]
    assert (tmp_path / "out" / "tasks.xml").read_text().startswith("<View>")

    result = next(task for task in tasks if task["data"]["review_id"] == "a")["predictions"][0]["result"]
    lost = [{"from_name": "keywords", "value": {"choices": ["배송"]}}]
    export = labelled(tasks, a=[(1, 10, result), (2, 10, [])], b=[(1, 10, []), (2, 10, None)], c=[(1, 10, lost)])
    back.write_text(json.dumps(export))
    first = run("import", back)
    line = json.loads(run.screen.getvalue().splitlines()[-1])  # type: ignore[attr-defined]
    assert (line["event"], line["reasons"], line["quarantined_share"]) == ("import_labels", {"no_sentiment": 1}, 0.25)
    assert (first.found, first.imported, first.cancelled, first.quarantined) == (5, 3, 1, 1)
    labels = read(spark, tmp_path, "labels")
    fit = Row(keyword="라인(핏)", sentiment="긍정", highlights=[Row(word="핏이", start=2, end=4)])
    assert [(row.review_id, row.annotator, row.mall_id, row.is_random, row.labels) for row in labels] == [
        ("a", "1", "가몰", True, [fit]),
        ("a", "2", "가몰", True, []),
        ("b", "1", "x'; DROP TABLE", False, []),
    ]
    assert {row.text for row in labels} == {"😀 핏이 예뻐요", "음"}
    assert {(row.round, row.taxonomy_version, row.format) for row in labels} == {("2026-11", "2026.1", "label-studio")}
    [refused] = read(spark, tmp_path, "label_quarantine")
    assert (refused.review_id, refused.annotator, refused.reason, refused.round) == (
        "c",
        "1",
        "no_sentiment",
        "2026-11",
    )

    before = versions(tmp_path)
    again = run("import", back, now=datetime(2026, 11, 26, tzinfo=UTC))
    assert (again.imported, again.replaced, again.unchanged, again.quarantined) == (0, 0, 3, 1)
    assert versions(tmp_path) == before

    mended = [*lost, {"from_name": "sentiment:배송", "value": {"choices": ["부정"]}}]
    export = labelled(tasks, a=[(1, 11, []), (2, 11, None)], b=[(1, 10, [])], c=[(1, 11, mended)])
    back.write_text(json.dumps(export))
    edited = run("import", back)
    assert (edited.imported, edited.replaced, edited.withdrawn, edited.unchanged) == (1, 1, 1, 1)
    labels = read(spark, tmp_path, "labels")
    assert [(row.review_id, row.annotator, len(row.labels)) for row in labels] == [
        ("a", "1", 0),
        ("b", "1", 0),
        ("c", "1", 1),
    ]
    assert read(spark, tmp_path, "label_quarantine") == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp949"])
def test_a_csv_goes_to_excel_and_comes_back(spark: SparkSession, tmp_path: Path, run: Run, encoding: str) -> None:
    """In both encodings in which Korean Excel saves; CP949 loses emoji, and the review is known all the same."""
    run("export", tmp_path / "picks.csv", format="csv")
    document = (tmp_path / "picks.csv").read_text(encoding="utf-8-sig")
    (tmp_path / "back.csv").write_bytes(document.replace("\n", "\r\n").encode(encoding, errors="replace"))
    report = run("import", tmp_path / "back.csv", format="csv", annotator="김")
    assert (report.imported, report.quarantined) == (3, 0)
    first = read(spark, tmp_path, "labels")[0]
    assert (first.text, first.annotator, first.labels[0].highlights[0].start) == ("😀 핏이 예뻐요", "김", 2)
    assert first.labelled_at == NOW.astimezone().replace(tzinfo=None)
    assert run("import", tmp_path / "back.csv", format="csv", annotator="김").unchanged == 3


@pytest.mark.parametrize(("rest", "what"), [(0, "JSON"), (1, "UTF-8")])
def test_nothing_is_imported_from_a_file_that_was_cut_off(tmp_path: Path, run: Run, rest: int, what: str) -> None:
    """Between characters or within one: no table is made, and the error names file, line and byte."""
    run("export", tmp_path / "tasks.json")
    whole = (tmp_path / "tasks.json").read_bytes()
    (tmp_path / "cut.json").write_bytes(whole[: whole.index("핏이".encode()) + rest])
    with pytest.raises(InputContractError, match=rf"cut\.json is not {what} from line \d+, byte \d+ on"):
        run("import", tmp_path / "cut.json")
    assert not (tmp_path / "lake" / "labels").exists()


def test_a_file_in_the_way_is_never_overwritten(tmp_path: Path, run: Run) -> None:
    """It may hold somebody's work; the same export again is no conflict, and a conflict writes nothing at all."""
    file = tmp_path / "picks.csv"
    run("export", file, format="csv", double_share=1)
    run("export", file, format="csv", double_share=1)
    (tmp_path / "picks.second.csv").write_text("my labels")
    file.unlink()
    with pytest.raises(ConfigError, match=r"picks\.second\.csv stands already"):
        run("export", file, format="csv", double_share=1)
    assert not file.exists()


def test_a_round_without_picks_and_a_file_of_another_round_are_told(tmp_path: Path, run: Run) -> None:
    """The first before anything is written; the second by reason, with exit code 5."""
    with pytest.raises(InputContractError, match="Round 2027-01 has no picks"):
        run("export", tmp_path / "tasks.json", round="2027-01")
    run("export", tmp_path / "old.jsonl", format="jsonl", round="2026-10")
    rows = [json.loads(line) | {"labels": [], "annotator": "kim"} for line in (tmp_path / "old.jsonl").open()]
    (tmp_path / "old.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(QuarantineLimitError, match="1 of 1 annotations were refused"):
        run("import", tmp_path / "old.jsonl", format="jsonl", max_quarantine_share=0.5)
    assert '"reasons": {"other_round": 1}' in run.screen.getvalue()  # type: ignore[attr-defined]
