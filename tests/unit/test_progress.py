"""The progress line."""

import io
import logging
from typing import Any, cast

import pytest
from rich.console import Console

from reviewlens.spark.progress import RowProgress


def test_progress_goes_forward_and_is_logged_at_each_tenth(caplog: pytest.LogCaptureFixture) -> None:
    """A later stage that begins at nothing again moves nothing back."""
    progress = RowProgress(cast("Any", None), 1_000, Console(file=io.StringIO()))
    with caplog.at_level(logging.INFO):
        for done in (0, 50, 120, 150, 990, 0, 1_000):
            progress._show(done)
    assert [record.getMessage().split(" rows,")[0] for record in caplog.records] == [
        "120 of 1,000",
        "990 of 1,000",
        "1,000 of 1,000",
    ]
