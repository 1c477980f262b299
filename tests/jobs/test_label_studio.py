"""The exchange of labels with the real Label Studio, from PyPI, started here on loopback."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from rich.console import Console

from reviewlens.config import ExchangeLabelsConfig
from reviewlens.pipelines import exchange_labels
from reviewlens.spark.schemas import TABLES
from reviewlens.spark.tables import TableRef, create_tables

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LOCK = Path(__file__).with_name("label_studio.lock")
START_S = 300
TOKEN = "0123456789abcdef" * 2 + "01234567"  # 40 digits; it opens nothing but the server of this test


class Studio:
    """A running Label Studio."""

    def __init__(self, port: int) -> None:
        self._root = f"http://127.0.0.1:{port}"
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One call of its API; an error's answer is in the exception's notes."""
        request = urllib.request.Request(  # noqa: S310  loopback
            self._root + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with self._opener.open(request, timeout=120) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            error.add_note(error.read().decode())
            raise

    def make_project(self, title: str, config: str, tasks: object) -> int:
        """A project with our configuration and tasks, both validated by the server."""
        project = self.call("POST", "/api/projects", {"title": title, "label_config": config})["id"]
        self.call("POST", f"/api/projects/{project}/import", tasks)
        return int(project)

    def read_tasks(self, project: int) -> dict[str, Any]:
        """Tasks with their predictions, by review."""
        tasks = self.call("GET", f"/api/tasks?project={project}&fields=all&page_size=100")["tasks"]
        return {task["data"]["review_id"]: task for task in tasks}

    def export(self, project: int, file: Path) -> Path:
        """The project's JSON export, with the tasks that nobody labelled."""
        tasks = self.call("GET", f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true")
        file.write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
        return file


@pytest.fixture(scope="session")
def environment() -> Path:
    """A virtual environment with the pinned Label Studio: LABEL_STUDIO_ENV, or one that is made once under .cache."""
    if given := os.environ.get("LABEL_STUDIO_ENV"):
        return Path(given)
    path, lock = ROOT / ".cache" / "label-studio", LOCK.read_bytes()
    ready = path / ".ready"
    if not ready.is_file() or ready.read_bytes() != lock:
        uv: list[str | Path] = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, path], check=True)
        uv += ["pip", "install", "--quiet", "--python", path / "bin" / "python"]
        subprocess.run([*uv, "--require-hashes", "-r", LOCK], check=True)
        ready.write_bytes(lock)
    return path


@pytest.fixture(scope="session")
def studio(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Label Studio with a database of its own, one user, and no telemetry; gone when the tests are."""
    home = tmp_path_factory.mktemp("label-studio")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "LABEL_STUDIO_BASE_DATA_DIR": str(home),
        "LABEL_STUDIO_USERNAME": "one@example.com",
        "LABEL_STUDIO_PASSWORD": "not-a-secret",
        "LABEL_STUDIO_USER_TOKEN": TOKEN,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "DEBUG": "false",
        # Refuse predictions that do not fit the configuration; as it is, 1.23.2 takes them and logs an error.
        "fflag_feat_utc_210_prediction_validation_15082025": "true",
    }
    command: list[str | Path] = [
        environment / "bin" / "label-studio",
        "start",
        "--no-browser",
        "--internal-host",
        "127.0.0.1",
    ]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--port", str(port)], env=variables, stdout=log, stderr=log, cwd=home, start_new_session=True
        )
    try:
        found = Studio(port)
        _wait_for(found, server, home / "log")
        yield found
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_for(studio: Studio, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            studio.call("GET", "/health")
        except OSError:
            time.sleep(0.5)
        else:
            return
    pytest.fail(f"Label Studio did not start:\n{log.read_text(errors='replace')[-2000:]}")


def guess(keyword: str, sentiment: str, word: str, start: int) -> dict[str, Any]:
    return {
        "keyword": keyword,
        "probability": 0.9,
        "sentiment": sentiment,
        "sentiment_value": 1,
        "sentiment_probability": 0.8,
        "highlight": {"word": word, "start": start, "end": start + len(word), "probability_without": 0.1},
    }


PICKS = {
    "emoji": ("😀👍🏽 핏이 예뻐요\n배송은 늦어요", [guess("라인(핏)", "긍정", "핏이", 4)]),
    "edited": ("색이 화면과 달라요", [guess("색상", "긍정", "색이", 0), guess("디자인", "긍정", "화면과", 3)]),
    "none": ('음 <b>그냥</b> 그래요 & "뭐"', []),
    "skipped": ("???", []),
    "waiting": ("좋아요", []),
}


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Path:
    """A target whose round 2026-11 has the picks."""
    picks = create_tables(spark, TableRef.parse(str(tmp_path / "lake")), ["retraining_picks"])["retraining_picks"]
    schema = spark.createDataFrame([], TABLES["retraining_picks"]).schema
    shared = {"round": "2026-11", "mall_id": "가몰", "bundle_id": "bundle-1", "probabilities": {"배송": 0.2}}
    rows = [
        shared | {"review_id": name, "text": text, "keywords": found, "is_random": name == "emoji"}
        for name, (text, found) in PICKS.items()
    ]
    spark.createDataFrame([tuple(row.get(name) for name in schema.names) for row in rows], schema).write.format(
        "delta"
    ).mode("append").saveAsTable(picks.sql)
    return tmp_path / "lake"


def exchange(spark: SparkSession, lake: Path, action: str, file: Path, **keys: object) -> Any:
    config = {"action": action, "target": str(lake), "round": "2026-11", "file": file}
    config |= {"taxonomy": ROOT / "conf" / "taxonomy.yaml", **keys}
    return exchange_labels.run(spark, ExchangeLabelsConfig.model_validate(config), Console(file=io.StringIO()))


def choice(name: str, *values: str) -> dict[str, Any]:
    return {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": list(values)}}


def mark(keyword: str, start: int, end: int, text: str) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": text, "labels": [keyword]}
    return {"from_name": "highlights", "to_name": "text", "type": "labels", "value": value}


def test_a_round_goes_through_the_real_label_studio(
    spark: SparkSession, studio: Studio, lake: Path, tmp_path: Path
) -> None:
    """Configuration, tasks and pre-annotations are taken; what two people say comes back, once, and edits replace."""
    out = exchange(spark, lake, "export", tmp_path / "tasks.json", double_share=1.0)
    assert out.double == len(PICKS)
    config = (tmp_path / "tasks.xml").read_text(encoding="utf-8")
    tasks, second = (json.loads((tmp_path / name).read_text()) for name in ("tasks.json", "tasks.second.json"))
    first_project = studio.make_project("round 2026-11", config, tasks)
    second_project = studio.make_project("round 2026-11, second", config, second)

    held = studio.read_tasks(first_project)
    assert {name: task["data"]["text"] for name, task in held.items()} == {name: PICKS[name][0] for name in PICKS}
    for task in tasks:
        [stored], [ours] = held[task["data"]["review_id"]]["predictions"], task["predictions"]
        assert (stored["result"], stored["model_version"]) == (ours["result"], "bundle-1")
        assert stored["score"] == pytest.approx(ours["score"])
    broken = [{**tasks[0], "predictions": [{"result": [choice("no such control", "배송")]}]}]
    with pytest.raises(urllib.error.HTTPError, match="400"):  # so the server does look at predictions
        studio.call("POST", f"/api/projects/{first_project}/import", broken)

    predicted = held["emoji"]["predictions"][0]["result"]
    delivery = [choice("sentiment:배송", "부정"), mark("배송", 11, 18, r"배송은 늦어요")]
    both = [choice("keywords", "라인(핏)", "배송"), *predicted[1:], *delivery]
    colour = [choice("keywords", "색상"), choice("sentiment:색상", "부정"), mark("색상", 0, 2, "색이")]

    def annotate(task: Any, result: Any, who: int, **more: object) -> int:
        answer = {"result": result, "completed_by": who, **more}
        return int(studio.call("POST", f"/api/tasks/{task['id']}/annotations", answer)["id"])

    one = studio.call("GET", "/api/current-user/whoami")["id"]
    two = studio.call("POST", "/api/users/", {"email": "two@example.com", "username": "two"})["id"]
    annotate(held["emoji"], both, one)
    edited = annotate(held["edited"], colour, one)
    annotate(held["none"], [], one)
    annotate(held["skipped"], [], one, was_cancelled=True)
    others = studio.read_tasks(second_project)
    # As releases before 2021 and other tools count: the emoji are three code points in six UTF-16 units.
    in_units = [choice("keywords", "배송"), choice("sentiment:배송", "매우부정"), mark("배송", 14, 17, "배송은")]
    annotate(others["emoji"], in_units, two)
    annotate(others["none"], [choice("keywords", "품질")], two)

    report = exchange(spark, lake, "import", studio.export(first_project, tmp_path / "first.json"))
    assert (report.found, report.imported, report.cancelled, report.quarantined) == (4, 3, 1, 0)
    assert report.unlabelled == 1
    report = exchange(spark, lake, "import", studio.export(second_project, tmp_path / "second.json"))
    assert (report.found, report.imported, report.reasons) == (2, 1, {"no_sentiment": 1})

    assert read(spark, lake) == {
        ("emoji", str(one)): {
            "라인(핏)": ("긍정", [Row(word="핏이", start=4, end=6)]),
            "배송": ("부정", [Row(word="배송은", start=11, end=14), Row(word="늦어요", start=15, end=18)]),
        },
        ("emoji", str(two)): {"배송": ("매우부정", [Row(word="배송은", start=11, end=14)])},
        ("edited", str(one)): {"색상": ("부정", [Row(word="색이", start=0, end=2)])},
        ("none", str(one)): {},
    }

    again = exchange(spark, lake, "import", tmp_path / "first.json")
    assert (again.imported, again.replaced, again.unchanged) == (0, 0, 3)
    assert len(read(spark, lake)) == 4

    studio.call("PATCH", f"/api/annotations/{edited}/", {"result": []})
    changed = exchange(spark, lake, "import", studio.export(first_project, tmp_path / "changed.json"))
    assert (changed.imported, changed.replaced, changed.unchanged) == (0, 1, 2)
    assert read(spark, lake)["edited", str(one)] == {}


def read(spark: SparkSession, lake: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The table's labels by review and annotator, which must not be there twice."""
    rows = spark.read.format("delta").load(str(lake / "labels")).collect()
    labels = {
        (row.review_id, row.annotator): {label.keyword: (label.sentiment, label.highlights) for label in row.labels}
        for row in rows
    }
    assert len(labels) == len(rows)
    return labels
