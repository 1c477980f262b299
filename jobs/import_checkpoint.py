"""Turn existing checkpoints into a bundle."""

import sys

from pyspark.sql import SparkSession
from rich.console import Console

from reviewlens.config import ImportCheckpointConfig
from reviewlens.job import run_job
from reviewlens.pipelines import import_checkpoint


def start(_: SparkSession, config: ImportCheckpointConfig, console: Console) -> None:
    """Import, and say where the bundle is."""
    bundle = import_checkpoint.run(config)
    console.print(f"Bundle {bundle.bundle_id} is in {bundle.path}.")


if __name__ == "__main__":
    sys.exit(run_job("import_checkpoint", ImportCheckpointConfig, start))
