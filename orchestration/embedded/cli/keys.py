"""The object key that a local file is landed under."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import click

from contracts.file_times import FileTimeError, find_file_time
from contracts.model import Plan
from functions.shared.arriving import is_noise

_LONGEST_KEY = 1024


@dataclass(frozen=True)
class KeyChoice:
    """At most one of the three says where files go; with none of them their own paths do."""

    key: str | None = None
    prefix: str | None = None
    table: str | None = None

    def __post_init__(self) -> None:
        given = [f"--{name}" for name, value in vars(self).items() if value is not None]
        if len(given) > 1:
            raise click.UsageError(f"{' and '.join(given)} contradict each other: give one of them.")

    def keys(self, files: list[Path], plan: Plan) -> list[str]:
        """Return the key of every file; UsageError when the choice does not fit the files, the plan or S3."""
        if self.key is not None:
            if len(files) > 1:
                raise click.UsageError(f"--key names one object, and {len(files)} files are given; use --prefix.")
            if not 0 < _bytes(self.key) <= _LONGEST_KEY:
                raise click.UsageError(f"--key must have 1 to {_LONGEST_KEY:,} bytes of UTF-8: S3 takes no other.")
            return [self.key]
        return [_taken(file, self._key(file, plan)) for file in files]

    def _key(self, file: Path, plan: Plan) -> str:
        if self.prefix is not None:
            return _below(self.prefix, file)
        if self.table is not None:
            return _below(_prefix_of(self.table, plan), file)
        return _key_from_path(file, plan)


def _taken(file: Path, key: str) -> str:
    """Return a key that S3 takes; UsageError where a file's name makes none."""
    if not _bytes(key) <= _LONGEST_KEY:
        raise click.UsageError(
            f"{ascii(str(file))[1:-1]}: its key would not have 1 to {_LONGEST_KEY:,} bytes of UTF-8, and S3 takes no "
            "other: name the object with --key."
        )
    return key


def _bytes(key: str) -> float:
    """Return a key's length in UTF-8; none is short enough for a name that is no UTF-8."""
    try:
        return len(key.encode())
    except UnicodeEncodeError:
        return math.inf


def whose(key: str, plan: Plan) -> str:
    """Say to which table a key belongs, and what keeps the object from it."""
    owner = plan.route(key)
    if is_noise(key) and not plan.expects(key):
        return "it will be ignored, as folders, markers and temporary or hidden files are"
    if owner is None:
        return "no contract claims this key: it will be unrouted"
    try:
        find_file_time(owner.effective_at, key)
    except FileTimeError as error:
        return f"{owner.name}, but it will be quarantined: {error}"
    return owner.name


def _below(prefix: str, file: Path) -> str:
    return f"{prefix.rstrip('/')}/{file.name}" if prefix else file.name


def _prefix_of(table: str, plan: Plan) -> str:
    if table not in plan.tables:
        raise click.UsageError(f"{plan.pipeline} has no table {table!r}; it has {', '.join(plan.tables)}.")
    return plan.tables[table].source.prefix


def _key_from_path(file: Path, plan: Plan) -> str:
    """Return the part of the file's path that begins with a table's prefix, the longest such prefix first."""
    path = file.resolve().as_posix()
    prefixes = sorted((t.source.prefix for t in plan.tables.values()), key=len, reverse=True)
    for prefix in prefixes:
        before, found, after = path.rpartition(f"/{prefix}")
        if found and before:
            return prefix + after
    known = ", ".join(f"{table.source.prefix} ({table.name})" for table in plan.tables.values())
    raise click.UsageError(
        f"the path of {file} holds no table's prefix: give --table, --prefix or --key. The prefixes are {known}."
    )
