"""The library as a zip that executors can import: the code, without the starter's weights and corpus."""

import zipfile
from pathlib import Path


def write_package(archive: Path) -> None:
    """Write the library's Python files to `archive`."""
    root = Path(__file__).parent
    with zipfile.ZipFile(archive, "w") as package:
        for file in sorted(root.rglob("*.py")):
            package.write(file, file.relative_to(root.parent))
