"""What is shipped: the files that run, the modules they need, and nothing that depends on the day."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from orchestration.assets import contract_modules, function_sources, library_sources, write_folder, write_zip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "contracts/__init__.py": "",
        "contracts/model.py": "from contracts import words\n",
        "contracts/words.py": "",
        "contracts/loader.py": "import yaml\n",
        "functions/__init__.py": "",
        "functions/shared/__init__.py": "",
        "functions/shared/ledger.py": "def read():\n    from contracts.model import Plan\n    return Plan\n",
        "functions/open_batch/__init__.py": "",
        "functions/open_batch/handler.py": "from functions.shared import ledger\n",
        "functions/close_batch/handler.py": "",
        "spark_jobs/__init__.py": "",
        "spark_jobs/layers/__init__.py": "",
        "spark_jobs/layers/marts/__init__.py": "import contracts.model\n",
        "spark_jobs/layers/marts/__pycache__/x.py": "",
        "spark_jobs/staging.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "root"


def names(root: Path, files: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in files]


def test_a_function_ships_itself_what_is_shared_and_the_contract_modules_that_it_needs(root: Path) -> None:
    assert names(root, function_sources(root, "open_batch")) == [
        "contracts/__init__.py",
        "contracts/model.py",
        "contracts/words.py",
        "functions/__init__.py",
        "functions/open_batch/__init__.py",
        "functions/open_batch/handler.py",
        "functions/shared/__init__.py",
        "functions/shared/ledger.py",
    ]


def test_the_library_ships_all_layers_and_no_cache(root: Path) -> None:
    assert names(root, library_sources(root, [root / "spark_jobs" / "staging.py"])) == [
        "contracts/__init__.py",
        "contracts/model.py",
        "contracts/words.py",
        "spark_jobs/__init__.py",
        "spark_jobs/layers/__init__.py",
        "spark_jobs/layers/marts/__init__.py",
    ]


def test_a_module_that_nobody_imports_stays_at_home(root: Path) -> None:
    assert names(root, contract_modules(root, [])) == ["contracts/__init__.py"]


def test_a_function_without_code_is_named(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"functions/notify_failure: no Python file to ship"):
        function_sources(root, "notify_failure")


def test_a_folder_holds_the_files_and_the_plan(root: Path, tmp_path: Path) -> None:
    folder = write_folder(root, [root / "functions" / "__init__.py"], '{"pipeline": "x"}', tmp_path / "out")
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == [
        "functions/__init__.py",
        "plan.json",
    ]
    assert (folder / "plan.json").read_text() == '{"pipeline": "x"}'


def test_a_zip_is_the_same_bytes_when_only_clocks_and_rights_differ(root: Path, tmp_path: Path) -> None:
    files = library_sources(root, [])
    first = write_zip(root, files, tmp_path / "first.zip").read_bytes()
    for path in files:
        os.utime(path, (1, 1))
        path.chmod(0o700)
    second = write_zip(root, list(reversed(files)), tmp_path / "deeper" / "second.zip")
    assert second.read_bytes() == first
    assert zipfile.ZipFile(second).namelist() == names(root, files)


def test_what_runs_in_the_cloud_parses_no_yaml() -> None:
    root = Path(__file__).parents[2]
    shipped = set(library_sources(root, []))
    for name in ("receive_files", "open_batch", "close_batch", "notify_failure"):
        shipped |= set(function_sources(root, name))
    importers = [p for p in shipped if "import yaml" in p.read_text() or "import jsonschema" in p.read_text()]
    assert names(root, importers) == []
