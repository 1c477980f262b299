"""The package as a whole."""

import subprocess
import sys
import zipfile
from pathlib import Path

from reviewlens.package import write_package


def test_importing_reviewlens_imports_neither_torch_nor_pyspark() -> None:
    """`import reviewlens` stays light."""
    program = "import sys, reviewlens; print({'torch', 'pyspark', 'transformers', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_executors_get_the_code_without_the_weights(tmp_path: Path) -> None:
    """All modules, nothing else."""
    write_package(tmp_path / "reviewlens.zip")
    names = zipfile.ZipFile(tmp_path / "reviewlens.zip").namelist()
    assert "reviewlens/spark/scoring.py" in names
    assert all(name.endswith(".py") for name in names)
