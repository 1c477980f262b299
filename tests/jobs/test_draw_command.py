"""A draw as people start it."""

import json
import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from deltalake import DeltaTable, write_deltalake

from reviewlens.bundle import Bundle

ROOT = Path(__file__).parents[2]
ABSENT = [part for name in ("category", "product", "rating", "created_at") for part in (f"--columns.{name}", "null")]


def submit(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "spark-submit.sh", *map(str, arguments), *ABSENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ,
    )


@pytest.mark.slow
def test_a_night_and_its_draw_from_the_shell(tmp_path: Path, tiny_bundle: Bundle) -> None:
    """What score_reviews wrote is drawn from; the screen holds no review, and a bad request is one sentence."""
    rows = {"review_id": ["a", "b", "c"], "mall_id": ["가몰", "가몰", None], "text": ["배송 늦어요", "예쁘 😀", None]}
    write_deltalake(tmp_path / "reviews", pd.DataFrame(rows))
    places = ["--source", tmp_path / "reviews", "--target", tmp_path / "lake", "--bundle", tiny_bundle.path]
    assert submit("score_reviews", *places).returncode == 0
    drawn = submit("sample_reviews", *places, "--round", "one", "--rows", 2)
    assert drawn.returncode == 0, drawn.stdout
    assert json.loads(drawn.stdout.splitlines()[-1])["drawn"] == 2
    assert not any(word in drawn.stdout for word in ("WARN", "Exception", "늦어요"))
    assert DeltaTable(tmp_path / "lake" / "retraining_pool").to_pyarrow_table().num_rows == 2
    refused = submit("sample_reviews", *places, "--round", "one", "--rows", 1)
    assert refused.returncode == 2, refused.stdout
    assert refused.stdout.splitlines()[-1].startswith("Round one was drawn before, and may only grow. rows is 1")
