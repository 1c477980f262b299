"""What a figure was measured on."""

import os
import platform
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("torch", "transformers", "onnxruntime", "pyspark")
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


def describe_machine() -> dict[str, str]:
    """Date, CPU, what it can do, cores, memory, and versions."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    said = {line.split(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
    flags = set(said.get("flags", "").split())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": datetime.now().astimezone().date().isoformat(),
        "CPU": said.get("model name", platform.machine()),
        "flags": " ".join(flag for flag in _FLAGS if flag in flags),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / 2**30:.0f} GiB",
        "versions": ", ".join(_list_versions()),
    }


def name_machine(machine: Mapping[str, str]) -> str:
    """What `describe_machine` gives, in one line."""
    return ", ".join(value if name in ("date", "versions") else f"{name} {value}" for name, value in machine.items())


def _list_versions() -> Iterator[str]:
    for name in _PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:  # the GPU's machine has no Spark
            continue
