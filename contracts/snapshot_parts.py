"""Snapshots in parts: objects that share a file time are one snapshot, and when it is whole. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

ANOTHER_FAILED = "belongs to a snapshot of which another part failed; send that part again and replay all"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Parts:
    """How a snapshot in parts is known to be whole: exactly one of the three.

    `marker`: an object whose key matches has landed, after all others. `count`: the number in the group `parts` of the
    keys is the number of objects. `quiet`: nothing has landed for so long, such as 15m.
    """

    marker: str | None = None
    count: str | None = None
    quiet: str | None = None

    def is_marker(self, key: str) -> bool:
        """Tell whether an object says that the others are there, and holds no records itself."""
        return self.marker is not None and re.search(self.marker, key) is not None


@dataclass(frozen=True)
class Part:
    """One object of a snapshot: its key, and when its newest version landed."""

    key: str
    landed_at: datetime


@dataclass(frozen=True)
class Lack:
    """What a snapshot waits for, in words, and when it will be whole if nothing else lands (quiet)."""

    reason: str
    until: datetime | None = None


def members(parts: Parts, found: Iterable[Part]) -> list[Part]:
    """Return the objects that make the snapshot: no marker, and of several numbers of parts those of the newest."""
    records = sorted((part for part in found if not parts.is_marker(part.key)), key=_landed)
    if parts.count is None or not records:
        return records
    total = total_of(parts.count, records[-1].key)
    return [part for part in records if total_of(parts.count, part.key) == total]


def lack(parts: Parts, found: Iterable[Part], now: datetime) -> Lack | None:
    """Return what a snapshot of which these objects have landed still waits for; None when it is whole."""
    objects = sorted(found, key=_landed)
    records = [part for part in objects if not parts.is_marker(part.key)]
    if not records:
        return Lack("no object with records has landed")
    if parts.marker is not None:
        return _lack_of_marker(parts, objects, records)
    if parts.count is not None:
        return _lack_of_parts(parts.count, records)
    whole_at = records[-1].landed_at + duration(parts.quiet or "0s")
    if now >= whole_at:
        return None
    return Lack(f"{_landed_so_far(records)}, the last less than {parts.quiet} ago", whole_at)


def _lack_of_marker(parts: Parts, objects: Sequence[Part], records: Sequence[Part]) -> Lack | None:
    marked_at = max((part.landed_at for part in objects if parts.is_marker(part.key)), default=None)
    if marked_at is None:
        return Lack(f"{_landed_so_far(records)}, but none that matches {parts.marker}")
    late = [part.key for part in records if part.landed_at > marked_at]
    return Lack(f"{late[0]} landed after the marker: a newer marker must follow") if late else None


def _lack_of_parts(pattern: str, records: Sequence[Part]) -> Lack | None:
    newest = records[-1].key
    total = total_of(pattern, newest)
    if total is None:
        return Lack(f"{newest} does not match {pattern}")
    alike = [part for part in records if total_of(pattern, part.key) == total]
    return Lack(f"{len(alike)} of {total} objects have landed") if len(alike) < total else None


def _landed_so_far(records: Sequence[Part]) -> str:
    return f"{len(records)} {'object has' if len(records) == 1 else 'objects have'} landed"


def _landed(part: Part) -> tuple[datetime, str]:
    return part.landed_at, part.key


def total_of(pattern: str, key: str) -> int | None:
    """Return the number of parts that a key names, None where it names none."""
    match = re.search(pattern, key)
    return int(match["parts"]) if match else None


def duration(text: str) -> timedelta:
    """Return a time such as 90s, 15m, 26h or 7d."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
