"""The journal of all objects: a line for each version, marker, removal and event, written as it happens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

Line = Mapping[str, Any]


class Journal:
    """A file of JSON lines; a last line that a killed command left unfinished is passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()

    def lines(self) -> Iterator[Line]:
        """Yield the lines in the order in which they were written."""
        if not self._path.exists():
            return
        with self._path.open(encoding="utf-8") as file:
            for text in file:
                if text.endswith("\n"):
                    yield json.loads(text)

    def mend(self) -> None:
        """Cut an unfinished last line off, so that the next one begins a line of its own."""
        if not self._path.exists():
            return
        with self._path.open("rb+") as file:
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)

    def append(self, line: Line) -> None:
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n")

    def rewrite(self, lines: Iterable[Line]) -> None:
        """Replace the whole journal, atomically."""
        scratch = self._path.with_suffix(".new")
        with self._lock:
            with scratch.open("w", encoding="utf-8") as file:
                for line in lines:
                    file.write(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n")
            scratch.replace(self._path)
