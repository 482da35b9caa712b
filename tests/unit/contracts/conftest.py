"""Pipelines written into a folder, file by file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ORDERS = """\
table: orders
load: upsert
key: [id]
schema:
  columns:
    - {name: id, type: bigint}
    - {name: note, type: string}
    - {name: at, type: timestamp}
"""
Write = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a pipeline `shop` of the given files and return its folder."""

    def written(files: Mapping[str, str]) -> Path:
        folder = tmp_path / "shop"
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder

    return written
