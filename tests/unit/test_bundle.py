"""Bundles: what is refused, and with which words."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from reviewlens.bundle import Bundle, read_bundle
from reviewlens.errors import BundleError, TaxonomyError
from reviewlens.taxonomy import Taxonomy


def _change_weights(path: Path) -> None:
    weights = path / "keyword" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)


def _lower_a_threshold(path: Path) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["thresholds"]["배송"] = 0.01
    (path / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_change_weights, "keyword/model.safetensors was changed"),
        (_lower_a_threshold, "manifest.json was edited"),
        (lambda path: (path / "manifest.json").unlink(), "holds no manifest.json"),
        (lambda path: (path / "manifest.json").write_text("{}"), "is not a manifest"),
        (lambda path: (path / "sentiment" / "tokenizer.json").unlink(), "lacks sentiment/tokenizer.json"),
        (lambda path: (path / "keyword" / "pytorch_model.bin").touch(), "may hold a pickle"),
        (lambda path: (path / "keyword" / "modeling.py").touch(), "does not list"),
        (lambda path: (path / "keyword" / "extra.json").symlink_to("/etc/hostname"), "leads out of the bundle"),
    ],
)
def test_a_damaged_bundle_is_refused(
    tiny_bundle: Bundle, tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    """Whatever differs from what was sealed stops the load, and the error says which file."""
    path = tmp_path / "bundle"
    shutil.copytree(tiny_bundle.path, path)
    damage(path)
    with pytest.raises(BundleError, match=message):
        read_bundle(path)


def test_a_bundle_of_another_taxonomy_is_refused(tiny_bundle: Bundle, taxonomy: Taxonomy) -> None:
    """Equal labels under another version are not the same labels."""
    with pytest.raises(TaxonomyError, match=r"version 2026\.1.*version 1999"):
        read_bundle(tiny_bundle.path, taxonomy.model_copy(update={"version": "1999"}))


def test_a_sealed_bundle_reads_back_as_it_was(tiny_bundle: Bundle, taxonomy: Taxonomy) -> None:
    """And its id depends on the content alone."""
    assert read_bundle(tiny_bundle.path, taxonomy).manifest == tiny_bundle.manifest
