"""Delta's jars: resolved once, quietly, into a folder of the project, and checked against the lock file."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from reviewlens.errors import ConfigError

DELTA = "io.delta:delta-spark_4.2_2.13:4.4.0"
JARS = Path(".cache/jars")
LOCK = Path("conf/spark/jars.lock")


def resolve_jars(folder: Path, lock: Path) -> list[Path]:
    """Fetch Delta and its whole closure with Spark's own resolver into `folder`, unless it is there and unchanged.

    Raises:
        ConfigError: resolution failed, or a jar is not the one in the lock file.
    """
    expected = {name: digest for digest, name in map(str.split, lock.read_text().splitlines())}
    if _hash_jars(folder) != expected:
        with tempfile.TemporaryDirectory() as scratch:
            jars = _run_resolver(Path(scratch))
            folder.mkdir(parents=True, exist_ok=True)
            for jar in jars:
                shutil.copy(jar, folder / jar.name)
    found = _hash_jars(folder)
    if found != expected:
        wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise ConfigError(f"Jars in {folder} differ from {lock}: {', '.join(wrong)}. Empty the folder and try again.")
    return sorted(folder.glob("*.jar"))


def local_jars() -> list[Path]:
    """The jars that `make setup` resolved.

    Raises:
        ConfigError: there are none yet.
    """
    jars = sorted(JARS.absolute().glob("*.jar"))
    if not jars:
        raise ConfigError(f"No Delta jars in {JARS}: run `make setup` in the project's folder.")
    return jars


def _run_resolver(ivy: Path) -> list[Path]:
    program = ivy / "nothing.py"
    program.touch()
    command = ["spark-submit", "--packages", DELTA, "--conf", f"spark.jars.ivy={ivy}", str(program)]
    # Spark's launcher looks for its home with the first python3 on the path.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
    jars = sorted((ivy / "jars").glob("*.jar"))
    if done.returncode != 0 or not jars:
        faults = [line.strip() for line in done.stderr.splitlines() if "unresolved" in line or "not found" in line]
        raise ConfigError(f"Delta's jars could not be resolved ({DELTA}): {'; '.join(faults[:3]) or 'is Java there?'}")
    return jars


def _hash_jars(folder: Path) -> dict[str, str]:
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in sorted(folder.glob("*.jar"))}


if __name__ == "__main__":
    try:
        resolve_jars(JARS, LOCK)
    except ConfigError as error:
        sys.exit(str(error))
