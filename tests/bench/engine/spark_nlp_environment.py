"""Spark NLP in an environment of its own: its packages, its jars, and a run.

Three of its dependencies are not on Maven Central, among them TensorFlow. Its ONNX engine works without them, but its
classes name TensorFlow's in their signatures: the jars of TensorFlow's Java API, without the native library, stand in.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reviewlens.bundle import read_bundle
from tests.bench.engine.spark_nlp_model import export_model

HERE = Path(__file__).parent
HOME = HERE.parents[2] / ".cache/bench/spark-nlp"
PACKAGES = ("com.johnsnowlabs.nlp:spark-nlp_2.12:5.5.3", "org.tensorflow:tensorflow-core-api:0.4.2")
MISSING = tuple(f"com.johnsnowlabs.nlp:{name}-cpu_2.12" for name in ("tensorflow", "jsl-llamacpp", "jsl-openvino"))


def run_spark_nlp(texts: Sequence[str], folder: Path) -> dict[str, Any]:
    """Find the keywords of `texts` with Spark NLP and the keyword model of the bundle at `folder`.

    Returns:
        `reviews_per_s`, warm, with the better `batch_rows`; `keywords`, a list for each text; `versions`.

    Raises:
        RuntimeError: it cannot run here; the message says what failed.
    """
    python, jars = prepare_environment(HOME)
    bundle = read_bundle(folder)
    model = HOME / "models" / bundle.bundle_id
    if not (model / "settings.json").is_file():
        export_model(bundle, model)
    with tempfile.TemporaryDirectory() as scratch:
        given, found = Path(scratch) / "texts.json", Path(scratch) / "found.json"
        lines = (json.dumps({"row": row, "text": text}) for row, text in enumerate(texts))
        given.write_text("\n".join(lines), encoding="utf-8")
        paths = [path.absolute() for path in (jars, model, given, found)]
        _run("Spark NLP could not score the texts", python, "-P", HERE / "spark_nlp.py", *paths)
        answer = json.loads(found.read_text(encoding="utf-8"))
    batch_rows, seconds = min(answer["seconds"].items(), key=lambda pair: pair[1])
    return {
        "reviews_per_s": len(texts) / seconds,
        "batch_rows": int(batch_rows),
        "keywords": answer["keywords"],
        "versions": answer["versions"],
    }


def prepare_environment(home: Path) -> tuple[Path, Path]:
    """Install the packages and fetch the jars under `home`, unless they are there; the Python, and the jars' folder.

    Raises:
        RuntimeError: something could not be fetched, or is not what the lock files name.
    """
    uv, environment, jars = Path(sys.executable).parent / "uv", home / "env", home / "ivy/jars"
    python, lock = environment / "bin/python", HERE / "spark_nlp.lock"
    ready = environment / lock.name
    if not ready.is_file() or ready.read_bytes() != lock.read_bytes():
        failure = "Spark NLP's packages could not be installed"
        _run(failure, uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment)
        _run(failure, uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", lock)
        ready.write_bytes(lock.read_bytes())
    expected = {
        name: digest for digest, name in map(str.split, (HERE / "spark_nlp_jars.lock").read_text().splitlines())
    }
    if _hash_jars(jars) != expected:
        fetch_jars(python, jars.parent)
    found = _hash_jars(jars)
    wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    if wrong:
        raise RuntimeError(f"Spark NLP's jars are not those of its lock file: {', '.join(wrong)}.")
    return python, jars


def fetch_jars(python: Path, ivy: Path) -> None:
    """Fetch Spark NLP's closure into `ivy`/jars with Spark's own resolver, less what is not on Maven Central.

    Raises:
        RuntimeError: resolution failed.
    """
    ivy.mkdir(parents=True, exist_ok=True)
    program = ivy / "nothing.py"
    program.touch()
    packages = ["--packages", ",".join(PACKAGES), "--exclude-packages", ",".join(MISSING)]
    settings = ["--conf", f"spark.jars.ivy={ivy}"]
    _run("Spark NLP's jars could not be fetched", python.parent / "spark-submit", *packages, *settings, program)


def _run(failure: str, *command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=_environment())
    if done.returncode != 0:
        said = [line.strip() for line in done.stderr.splitlines()]
        faults = [line for line in said if "rror" in line or "unresolved" in line or line.startswith(": ")]
        raise RuntimeError(f"{failure}: {' '.join(faults[-2:])[:500] or done.returncode}")


def _environment() -> dict[str, str]:
    """This process's variables, less those that would lead Spark NLP's own Spark to ours."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_", "PYTHONPATH"))
    }
    return kept | {"PATH": f"{HOME / 'env/bin'}{os.pathsep}{os.environ['PATH']}"}


def _hash_jars(folder: Path) -> dict[str, str]:
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in sorted(folder.glob("*.jar"))}
