"""A progress line for Spark work: rows, rows/s and time left."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from pyspark import SparkContext
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

_POLL_S = 0.5
log = logging.getLogger(__name__)


class _RowsPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} rows/s", style="cyan")


class RowProgress:
    """Counts rows done of `total`: a live line on a terminal, elsewhere a log line at each tenth."""

    def __init__(self, context: SparkContext, total: int, console: Console, work: str = "scoring") -> None:
        self._context, self._total = context, total
        self._done = self._shown = self._tenth = 0
        self._is_live = console.is_terminal
        self._began = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RowsPerSecond(),
            TimeRemainingColumn(),
            console=console,
            disable=not self._is_live,
            speed_estimate_period=120,
        )
        self._task = self._bar.add_task(work, total=total)

    @contextmanager
    def part(self, rows: int) -> Iterator[None]:
        """Follow Spark's tasks while a part of `rows` rows is worked on, and count it as done at the end."""
        stop = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(rows, stop), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()
        self._done += rows
        self._show(self._done)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _watch(self, rows: int, stop: threading.Event) -> None:
        tracker = self._context.statusTracker()
        while not stop.wait(_POLL_S):
            stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
            shares = [stage.numCompletedTasks / stage.numTasks for stage in stages if stage and stage.numTasks > 1]
            if shares:
                self._show(self._done + int(rows * max(shares)))

    def _show(self, done: int) -> None:
        """Move forward only: the stages that commit a part begin at nothing again."""
        self._shown = done = max(done, self._shown)
        self._bar.update(self._task, completed=done)
        tenth = 10 * done // self._total
        if self._is_live or tenth == self._tenth:
            return
        self._tenth = tenth
        seconds = time.monotonic() - self._began
        left = seconds / done * (self._total - done)
        log.info("%s of %s rows, %.1f rows/s, %.0f s left", f"{done:,}", f"{self._total:,}", done / seconds, left)
