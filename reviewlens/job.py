"""What every job does first and last: arguments, logging, one session, and an exit code."""

import logging
import re
import sys
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from rich.console import Console

from reviewlens import errors
from reviewlens.config import Config, read_config
from reviewlens.errors import ReviewLensError
from reviewlens.package import write_package
from reviewlens.spark.session import start_session

_RAISED_IN_A_TASK = re.compile(r"reviewlens\.errors\.(\w+): (.+)")


def run_job(
    name: str,
    kind: type[Config],
    story: Callable[[SparkSession, Config, Console], object],
    arguments: Sequence[str] | None = None,
) -> int:
    """Read the configuration of job `name`, start Spark, call `story`, and say how it ended.

    `--config FILE` replaces `conf/<name>.yaml`; `--debug` adds stack traces and Spark's own messages.

    Returns:
        The exit code: 0 done, or that of the error, which is told in one sentence.
    """
    parser = ArgumentParser(prog=name, add_help=False, allow_abbrev=False)
    parser.add_argument("--config", type=Path, default=Path("conf") / f"{name}.yaml")
    parser.add_argument("--debug", action="store_true")
    options, keys = parser.parse_known_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("reviewlens").setLevel(logging.DEBUG if options.debug else logging.INFO)
    logging.getLogger("py4j").setLevel(logging.ERROR)
    try:
        config = read_config(kind, options.config, keys)
        with TemporaryDirectory() as scratch:
            spark = start_session(name)
            try:
                _ship_package(spark, Path(scratch) / "reviewlens.zip")
                story(spark, config, Console())
            finally:
                spark.stop()
    except Exception as error:  # noqa: BLE001  the last door: whatever it is becomes one sentence and a code
        return _tell(error, debug=options.debug)
    return 0


def _ship_package(spark: SparkSession, archive: Path) -> None:
    """Give executors the library; the driver keeps its own, which has the starter beside it."""
    write_package(archive)
    spark.sparkContext.addPyFile(str(archive))


def _tell(error: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    known = error if isinstance(error, ReviewLensError) else _find_raised_in_task(error)
    if known is not None:
        sys.stderr.write(f"{known}\n")
        return known.exit_code
    # The message of a foreign error may hold a review's text.
    sys.stderr.write(f"Unexpected {type(error).__name__}. Run again with --debug to see where.\n")
    return ReviewLensError.exit_code


def _find_raised_in_task(error: Exception) -> ReviewLensError | None:
    """One of our errors that a Python worker raised, which Spark hands on as text."""
    raised = _RAISED_IN_A_TASK.search(str(error)) if isinstance(error, PySparkException) else None
    if raised is None:
        return None
    kind: type[ReviewLensError] = getattr(errors, raised[1], ReviewLensError)
    return kind(raised[2])
