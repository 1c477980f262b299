"""The exchange of labels as people start it."""

import json
import os
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

ROOT = Path(__file__).parents[2]
HIGHLIGHT = pa.struct(
    [("word", pa.string()), ("start", pa.int32()), ("end", pa.int32()), ("probability_without", pa.float32())]
)
KEYWORD = pa.struct(
    [
        ("keyword", pa.string()),
        ("probability", pa.float32()),
        ("sentiment", pa.string()),
        ("sentiment_value", pa.int32()),
        ("sentiment_probability", pa.float32()),
        ("highlight", HIGHLIGHT),
    ]
)


def submit(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "spark-submit.sh", "exchange_labels", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ,
    )


@pytest.mark.slow
def test_export_and_import_are_words_of_the_command_line(tmp_path: Path) -> None:
    """The screen ends with a JSON line, and shows no review."""
    picks = {
        "round": ["r1"],
        "review_id": ["a"],
        "mall_id": ["가몰"],
        "category": pa.array([None], pa.string()),
        "text": ["배송 늦어요"],
        "probabilities": pa.array([[("배송", 0.9)]], pa.map_(pa.string(), pa.float32())),
        "keywords": pa.array([[]], pa.list_(KEYWORD)),
        "bundle_id": ["b1"],
        "is_random": [True],
    }
    write_deltalake(tmp_path / "lake" / "retraining_picks", pa.table(picks))
    file = tmp_path / "picks.jsonl"
    keys = ["--round", "r1", "--target", tmp_path / "lake", "--format", "jsonl", "--file", file]
    exported = submit("export", *keys)
    assert exported.returncode == 0, exported.stdout
    row = json.loads(file.read_text())
    row["labels"] = [{"keyword": "배송", "sentiment": "부정", "highlights": ["늦어요"]}]
    file.write_text(json.dumps(row))
    imported = submit("import", *keys, "--annotator", "kim")
    assert imported.returncode == 0, imported.stdout
    assert json.loads(imported.stdout.splitlines()[-1])["imported"] == 1
    assert "늦어요" not in exported.stdout + imported.stdout
    [label] = DeltaTable(tmp_path / "lake" / "labels").to_pyarrow_table().to_pylist()
    assert (label["annotator"], label["is_random"], label["labels"][0]["highlights"][0]["start"]) == ("kim", True, 3)
