"""Assembles what is shipped: each Lambda's folder and the jobs' library, from the sources and nothing else.

The same sources give the same bytes, wherever and whenever they are assembled.
"""

from __future__ import annotations

import ast
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

PLAN_FILE = "plan.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644 << 16


def python_files(folder: Path) -> list[Path]:
    """Return the Python files under a folder, sorted; FileNotFoundError when there are none."""
    files = sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)
    if not files:
        raise FileNotFoundError(f"{folder}: no Python file to ship")
    return files


def contract_modules(root: Path, importers: Iterable[Path]) -> list[Path]:
    """Return the files of package `contracts` that the importers need, directly or through each other."""
    found = {root / "contracts" / "__init__.py"}
    queue = [*importers, *found]
    while queue:
        for module in _imported_contracts(queue.pop()):
            path = root.joinpath(*module.split(".")).with_suffix(".py")
            if path.is_file() and path not in found:
                found.add(path)
                queue.append(path)
    return sorted(found)


def _imported_contracts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("contracts."))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "contracts":
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def function_sources(root: Path, name: str) -> list[Path]:
    """Return the files of one Lambda: its own folder, functions/shared, and the contract modules it needs."""
    own = python_files(root / "functions" / name) + python_files(root / "functions" / "shared")
    own.append(root / "functions" / "__init__.py")
    return sorted({*own, *contract_modules(root, own)})


def library_sources(root: Path, scripts: Iterable[Path]) -> list[Path]:
    """Return the files of the jobs' library: spark_jobs/layers and the contract modules that jobs need."""
    layers = python_files(root / "spark_jobs" / "layers")
    package = root / "spark_jobs" / "__init__.py"
    return sorted({package, *layers, *contract_modules(root, [*layers, *scripts])})


def write_folder(root: Path, files: Iterable[Path], plan_json: str, target: Path) -> Path:
    """Copy the files into a folder as they lie under the root, with the plan beside them."""
    for path in files:
        copy = target / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    (target / PLAN_FILE).write_text(plan_json, encoding="utf-8")
    return target


def write_zip(root: Path, files: Iterable[Path], target: Path) -> Path:
    """Zip the files as they lie under the root: stored, sorted, without clocks, users or compressors."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), _EPOCH)
            entry.external_attr = _REGULAR_FILE
            archive.writestr(entry, path.read_bytes())
    return target
