"""A command with the memory of everything that it starts."""

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_POLL_S = 0.25
_ROLES = {"pyspark.daemon": "worker", "CoarseGrainedExecutorBackend": "executor"}


@dataclass(slots=True)
class Finished:
    """A command that ended: its exit code and seconds, and the highest resident memory of its processes in MB.

    `peaks` has each process's kind and MB: `java` and `python`, or `executor` and `worker` where Spark started it to
    run tasks. `worker_mb` is of the largest worker; `python_mb` adds up workers and the Python that started them, and
    counts what they share twice; `java_mb` is of all JVMs.
    """

    code: int = -1
    seconds: float = 0.0
    peaks: dict[int, tuple[str, float]] = field(default_factory=dict)

    def largest(self, kind: str) -> float:
        """The largest process's of a kind."""
        return max((mb for each, mb in self.peaks.values() if each == kind), default=0.0)

    @property
    def worker_mb(self) -> float:
        """The largest worker's."""
        return self.largest("worker")

    @property
    def python_mb(self) -> float:
        """All Python processes'."""
        return sum(mb for kind, mb in self.peaks.values() if kind in ("worker", "python"))

    @property
    def java_mb(self) -> float:
        """All JVMs'."""
        return sum(mb for kind, mb in self.peaks.values() if kind in ("java", "executor"))


def run_watched(
    command: Sequence[str], log: Path, folder: Path, environment: Mapping[str, str] | None = None
) -> Finished:
    """Run `command` in `folder`, its output into `log`, and watch its memory.

    A process that lives less than a quarter of a second may be missed.
    """
    finished = Finished()
    began = time.monotonic()
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(command, cwd=folder, stdout=stream, stderr=subprocess.STDOUT, env=environment)
        try:
            while process.poll() is None:
                finished.peaks |= read_peaks(process.pid)
                time.sleep(_POLL_S)
        finally:
            process.kill()
    finished.code, finished.seconds = process.wait(), time.monotonic() - began
    return finished


def read_peaks(parent: int) -> dict[int, tuple[str, float]]:
    """Kind and highest resident memory so far, in MB, of `parent` and all that came of it, by process id."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            children.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
        except OSError:  # it ended meanwhile
            continue
    family, peaks = [parent], dict[int, tuple[str, float]]()
    for process in family:
        family += children.get(process, [])
        try:
            status, command = (Path(f"/proc/{process}/{name}").read_text() for name in ("status", "cmdline"))
        except OSError:
            continue
        kind = Path(command.partition("\0")[0]).name.rstrip("0123456789.")
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        if kind in ("java", "python") and peak:
            role = next((role for sign, role in _ROLES.items() if sign in command), kind)
            peaks[process] = (role, int(peak[1]) / 1_024)
    return peaks
