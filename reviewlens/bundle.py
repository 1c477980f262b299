"""The bundle: a directory with everything that scoring needs, and nothing that could run code.

Layout: `manifest.json`, `keyword/` and `sentiment/` (Hugging Face, safetensors), optional `onnx/`.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reviewlens.errors import BundleError, TaxonomyError
from reviewlens.taxonomy import Taxonomy

FORMAT = 1
STARTER = Path(__file__).parent / "starter" / "bundle"
_MODEL_DIRS = ("keyword", "sentiment", "onnx")
_PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy"}


class Manifest(BaseModel):
    """What `manifest.json` holds.

    `thresholds` has one probability for each keyword; `files` the SHA-256 of every file but the manifest, by
    relative POSIX path; `training_set` names the labels that the models learned from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    bundle_id: str
    taxonomy: Taxonomy
    thresholds: dict[str, float]
    calibration: dict[str, float] | None = None
    metrics: dict[str, Any] = Field(default_factory=dict)
    training_set: str
    files: dict[str, str]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.format != FORMAT:
            raise ValueError(f"format {self.format} is not {FORMAT}, the one that this release reads")
        if set(self.thresholds) != set(self.taxonomy.keywords):
            raise ValueError("thresholds must name each keyword of the taxonomy")
        return self


class Bundle(BaseModel):
    """A verified bundle on this machine's disk."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    manifest: Manifest

    @property
    def bundle_id(self) -> str:
        """Hash of everything that can change a result: weights, tokenizers, taxonomy, thresholds, calibration."""
        return self.manifest.bundle_id


def resolve_bundle(name: str) -> Path:
    """The directory of `starter`, or `name` itself as a path."""
    return STARTER if name == "starter" else Path(name).absolute()


def read_manifest(path: Path) -> Manifest:
    """What the bundle at `path` says of itself; `read_bundle` holds that it is so.

    Raises:
        BundleError: there is no manifest, or it is malformed.
    """
    file = path / "manifest.json"
    if not file.is_file():
        raise BundleError(f"No bundle at {path}: it holds no manifest.json. Give a bundle's directory, or 'starter'.")
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise BundleError(f"{file} is not a manifest: {faults}.") from error


def read_bundle(path: Path, taxonomy: Taxonomy | None = None) -> Bundle:
    """Read and verify a bundle: every file present, listed, unchanged, inside the directory, and no pickle.

    Args:
        path: the bundle's directory.
        taxonomy: where given, the bundle must have been made for this one.

    Raises:
        BundleError: the bundle is missing, incomplete, changed or unsafe.
        TaxonomyError: it was made for another taxonomy.
    """
    manifest = read_manifest(path)
    if taxonomy is not None and taxonomy != manifest.taxonomy:
        raise TaxonomyError(
            f"Bundle {path} was made for taxonomy version {manifest.taxonomy.version}, and the taxonomy in use is "
            f"version {taxonomy.version} or differs within it: choose the matching file, or train a new bundle."
        )
    found = _hash_files(path)
    for name in sorted(manifest.files.keys() - found.keys()):
        raise BundleError(f"Bundle {path} lacks {name}, which its manifest lists: copy the bundle again.")
    for name in sorted(found.keys() - manifest.files.keys()):
        raise BundleError(f"Bundle {path} holds {name}, which its manifest does not list: remove the file.")
    for name, digest in sorted(found.items()):
        if digest != manifest.files[name]:
            raise BundleError(f"Bundle {path}: {name} was changed after the bundle was made: copy the bundle again.")
    if manifest.bundle_id != _identify(manifest.taxonomy, manifest.thresholds, manifest.calibration, manifest.files):
        raise BundleError(f"Bundle {path}: manifest.json was edited after the bundle was made: make a new bundle.")
    return Bundle(path=path, manifest=manifest)


@contextmanager
def draft_bundle(target: Path) -> Iterator[Path]:
    """A directory beside `target` that takes its place when the block ends well, and is gone when it does not.

    Raises:
        BundleError: something stands at `target` already.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise BundleError(f"{target} stands already: give a directory that does not exist or is empty.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        draft = Path(scratch) / target.name
        draft.mkdir()
        yield draft
        draft.rename(target)


def seal_bundle(
    path: Path,
    taxonomy: Taxonomy,
    thresholds: Mapping[str, float],
    training_set: str,
    metrics: Mapping[str, Any] | None = None,
    calibration: Mapping[str, float] | None = None,
) -> Bundle:
    """Write the manifest over the model directories that stand under `path`, which makes them a bundle.

    Raises:
        BundleError: a model directory is missing, or holds a file that no bundle may hold.
    """
    for name in ("keyword", "sentiment"):
        if not (path / name / "config.json").is_file():
            raise BundleError(f"{path / name} holds no model: write it before the bundle is sealed.")
    files = _hash_files(path)
    for name in files:
        (path / name).chmod(0o644)  # safetensors writes for its owner alone; executors may be another user
    manifest = Manifest(
        bundle_id=_identify(taxonomy, thresholds, calibration, files),
        taxonomy=taxonomy,
        thresholds=dict(thresholds),
        calibration=None if calibration is None else dict(calibration),
        metrics=dict(metrics or {}),
        training_set=training_set,
        files=files,
    )
    document = manifest.model_dump(mode="json")
    (path / "manifest.json").write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return Bundle(path=path, manifest=manifest)


def _hash_files(path: Path) -> dict[str, str]:
    hashes: dict[str, str] = {}
    root = path.resolve()
    for name in _MODEL_DIRS:
        for file in sorted((path / name).rglob("*")):
            if file.is_dir():
                continue
            relative = file.relative_to(path).as_posix()
            if not file.resolve().is_relative_to(root):
                raise BundleError(f"Bundle {path}: {relative} leads out of the bundle: copy the file itself.")
            if file.suffix in _PICKLES:
                raise BundleError(
                    f"Bundle {path}: {relative} may hold a pickle, which can run code when it is loaded. "
                    "Weights must be safetensors: convert them with the job import_checkpoint."
                )
            with file.open("rb") as stream:
                hashes[relative] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes


def _identify(
    taxonomy: Taxonomy,
    thresholds: Mapping[str, float],
    calibration: Mapping[str, float] | None,
    files: Mapping[str, str],
) -> str:
    parts = [taxonomy.model_dump(mode="json"), dict(thresholds), calibration and dict(calibration), dict(files)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]
