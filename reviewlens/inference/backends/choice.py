"""Which backend and dtype: what is asked for, what the bundle holds, and what the machine can do."""

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Literal

from reviewlens.errors import ConfigError
from reviewlens.inference.backends import Backend, BackendName, Dtype

_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
_INT8_FLAGS = {"avx512_vnni", "avx_vnni", "amx_int8", "i8mm", "asimddp"}


def choose_backend(
    backend: BackendName | Literal["auto"],
    dtype: Dtype | Literal["auto"],
    device: str,
    onnx_dtypes: Collection[str],
    cpu_flags: Collection[str],
) -> tuple[BackendName, Dtype]:
    """The backend and dtype that `auto` stands for; what is given stays.

    A GPU takes torch in bfloat16. A CPU takes torch in bfloat16 where it multiplies that natively; else ONNX in int8
    where the bundle holds it and the CPU has dot products for it; else ONNX in float32 where the bundle holds that;
    else torch in float32.

    Args:
        backend: as configured.
        dtype: as configured.
        device: `cpu`, `cuda` or `cuda:N`.
        onnx_dtypes: those that the bundle's `onnx/` holds for both stages.
        cpu_flags: what the CPU can do, as Linux names it.

    Raises:
        ConfigError: the two do not go together, or the bundle lacks what is asked for.
    """
    has_bf16, has_int8 = bool(_BF16_FLAGS & set(cpu_flags)), bool(_INT8_FLAGS & set(cpu_flags))
    preferences: list[tuple[BackendName, Dtype]] = []
    if device != "cpu":
        preferences += [("torch", "bfloat16"), ("torch", "float32")]
    else:
        onnx: list[tuple[BackendName, Dtype]] = [
            ("onnx", name) for name in ("int8", "float32") if name in onnx_dtypes and (name != "int8" or has_int8)
        ]
        preferences += [("torch", "bfloat16")] if has_bf16 else []
        preferences += [*onnx, ("torch", "float32"), ("torch", "bfloat16")]
        preferences += [("onnx", "int8")] if "int8" in onnx_dtypes else []
    for name, precision in preferences:
        if backend in ("auto", name) and dtype in ("auto", precision):
            return name, precision
    held = ", ".join(sorted(onnx_dtypes)) or "nothing"
    raise ConfigError(
        f"backend {backend} with dtype {dtype} cannot run on {device}: torch has float32 and bfloat16, and the "
        f"bundle's onnx/ holds {held}, for CPUs alone (make it with the job optimize_model)."
    )


def open_backend(
    bundle: Path,
    stage: str,
    backend: BackendName | Literal["auto"],
    dtype: Dtype | Literal["auto"],
    device: str,
    threads: int | None,
) -> Backend:
    """The backend of a bundle's stage, loaded.

    Raises:
        BundleError: the bundle holds no such model.
        ConfigError: the combination cannot run.
        DeviceError: the device is not there.
    """
    name, precision = choose_backend(backend, dtype, device, list_onnx(bundle), read_cpu_flags())
    if name == "onnx":
        from reviewlens.inference.backends.onnx_session import OnnxSession

        return OnnxSession(onnx_file(bundle, stage, precision), precision, threads)
    from reviewlens.inference.backends.torch_model import TorchModel

    return TorchModel(bundle / stage, device, precision, threads)


def list_onnx(bundle: Path) -> list[str]:
    """The dtypes that a bundle's `onnx/` holds for both stages."""
    names = ("float32", "int8")
    return [
        name for name in names if all(onnx_file(bundle, stage, name).is_file() for stage in ("keyword", "sentiment"))
    ]


def onnx_file(bundle: Path, stage: str, dtype: str) -> Path:
    """Where a bundle keeps a stage's ONNX model."""
    return bundle / "onnx" / f"{stage}.{dtype}.onnx"


@lru_cache(maxsize=1)
def read_cpu_flags() -> frozenset[str]:
    """What the CPU can do, as Linux names it; nothing where the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return frozenset()
    lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    return frozenset(
        word
        for line in lines
        if line.lower().startswith(("flags", "features"))
        for word in line.split(":", 1)[1].split()
    )
