"""One contestant in a process of its own, so that its memory is its own; `measure` starts it.

    python -m tests.bench.engine.contest CONTESTANT BUNDLE TEXTS LABELS SLOTS

TEXTS is a JSON file with `warm` and `texts`; LABELS is the JSON file that this writes: seconds and labels.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from reviewlens.inference.backends import BackendName, Dtype
from reviewlens.spark.jars import local_jars
from reviewlens.spark.session import start_session
from tests.bench.engine.labels import Contestant, Found, Labels
from tests.bench.engine.ours import open_cascade, open_keyword_stage, open_reference, open_reference_keywords
from tests.bench.engine.pipeline_udf import open_pipeline_udf
from tests.bench.engine.predict_batch import open_predict_batch
from tests.bench.engine.seed_way import open_seed_way
from tests.bench.engine.spark_nlp_environment import run_spark_nlp

ROOT = Path(__file__).parents[3]
_ALONE = {"reference": open_reference, "reference_keywords": open_reference_keywords, "seed": open_seed_way}
_IN_SPARK: dict[str, Callable[[Path, SparkSession], Contestant]] = {
    "pipeline": open_pipeline_udf,
    "predict_batch": open_predict_batch,
}


def main(contestant: str, bundle: str, given: str, written: str, slots: str) -> None:
    """Warm the contestant up, then measure it, and write what it found."""
    document = json.loads(Path(given).read_text(encoding="utf-8"))
    answer = run(contestant, Path(bundle).absolute(), document["warm"], document["texts"], int(slots))
    Path(written).write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")


def run(contestant: str, bundle: Path, warm: list[str], texts: list[str], slots: int) -> dict[str, Any]:
    """Seconds and labels. Starting, loading and the `warm` texts are not part of the seconds."""
    if contestant == "spark_nlp":
        answer = run_spark_nlp(texts, bundle)
        labels: list[Labels] = [dict.fromkeys(names, Found()) for names in answer["keywords"]]
        return {"seconds": len(texts) / answer["reviews_per_s"], "labels": labels}
    score = _ALONE[contestant](bundle) if contestant in _ALONE else _open_in_spark(contestant, bundle, slots)
    score(warm)
    began = time.perf_counter()
    labels = score(texts)
    return {"seconds": time.perf_counter() - began, "labels": labels}


def _open_in_spark(contestant: str, bundle: Path, slots: int) -> Contestant:
    spark = start_spark(slots)
    if contestant in _IN_SPARK:
        return _IN_SPARK[contestant](bundle, spark)
    _, stage, backend, dtype = contestant.split("-")
    engine: tuple[BackendName, Dtype] = (backend, dtype)  # type: ignore[assignment]
    return (open_cascade if stage == "cascade" else open_keyword_stage)(bundle, spark, *engine)


def start_spark(slots: int) -> SparkSession:
    """A session with `slots` tasks at a time, each with one thread: Spark sets OMP_NUM_THREADS to a task's cores."""
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    log = f"-Dlog4j2.configurationFile=file:{ROOT}/conf/spark/log4j2.properties"
    settings = {
        "spark.master": f"local[{slots}]",
        "spark.driver.memory": "2g",
        "spark.driver.host": "localhost",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": log,
        "spark.jars": ",".join(map(str, local_jars())),
        "spark.sql.shuffle.partitions": str(slots),
        "spark.ui.enabled": "false",
    }
    return start_session("bench", settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
