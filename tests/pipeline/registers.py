"""What full copies of a register say, in plain Python that shares no code with the jobs: rows, versions, history."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

Row = tuple[Any, ...]
Register = Mapping[str, Row]


def read_register(path: Path, columns: Mapping[str, type]) -> Register:
    """Return the rows of a CSV file by their first column; an empty field is None."""
    with path.open(newline="", encoding="utf-8") as lines:
        rows = [
            tuple(kind(record[name]) if record[name] != "" else None for name, kind in columns.items())
            for record in csv.DictReader(lines)
        ]
    return {row[0]: row for row in rows}


def latest(copies: Sequence[tuple[datetime, Register]]) -> list[Row]:
    """Return the rows of the newest copy."""
    _, newest = max(copies, key=lambda copy: copy[0])
    return list(newest.values())


def versions(copies: Sequence[tuple[datetime, Register]]) -> list[Row]:
    """Return each row with valid_from, valid_to and is_current: a version ends when the next copy differs."""
    found: list[Row] = []
    for seen in _lives(copies):
        began: datetime | None = None
        for number, (at, row) in enumerate(seen):
            if row is None:
                continue
            if number == 0 or seen[number - 1][1] != row:
                began = at
            following = seen[number + 1] if number + 1 < len(seen) else None
            if following is None:
                found.append((*row, began, None, True))
            elif following[1] != row:
                found.append((*row, began, following[0], False))
    return found


def history(copies: Sequence[tuple[datetime, Register]]) -> list[Row]:
    """Return each change of a row with its kind and time: I, U, or D with the row that went."""
    found: list[Row] = []
    for seen in _lives(copies):
        before: Row | None = None
        for at, row in seen:
            if before is None and row is not None:
                found.append((*row, "I", at))
            elif before is not None and row is None:
                found.append((*before, "D", at))
            elif before is not None and row is not None and row != before:
                found.append((*row, "U", at))
            before = row
    return found


def as_of(rows: Sequence[Row], key: str, at: datetime) -> Row | None:
    """Return the version of a key that held at a time."""
    return next(
        (row for row in rows if row[0] == key and row[-3] <= at and (row[-2] is None or at < row[-2])),
        None,
    )


def _lives(copies: Sequence[tuple[datetime, Register]]) -> Iterator[list[tuple[datetime, Row | None]]]:
    """Yield, for each key that was ever there, what each copy says about it, oldest first."""
    ordered = sorted(copies, key=lambda copy: copy[0])
    for key in sorted({key for _, register in ordered for key in register}):
        yield [(at, register.get(key)) for at, register in ordered]
