"""Snapshots in parts: which of a table's pending landings are a whole snapshot, and what the others wait for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.file_times import FileTimeError, find_file_time, parse_time
from contracts.model import Table
from contracts.snapshot_parts import Lack, Part, duration, lack
from functions.shared.landings import Landing


@dataclass(frozen=True)
class Whole:
    """The pending landings of one file time, in the order of their arrival, and what they still wait for."""

    landings: tuple[Landing, ...]
    lack: Lack | None


def wholes(table: Table, pending: Iterable[Landing], now: datetime) -> list[Whole]:
    """Return the pending landings by file time, first arrivals first; one whose key holds no time stands alone.

    Only what is pending counts: a snapshot that was staged is put right by whole snapshots only.
    """
    groups: dict[datetime | str, list[Landing]] = {}
    for one in sorted(pending, key=lambda landing: landing.order):
        groups.setdefault(time_of(table, one), []).append(one)
    return [Whole(tuple(group), _lack(table, time, group, now)) for time, group in groups.items()]


def time_of(table: Table, landing: Landing) -> datetime | str:
    """Return the file time, or the id of a landing that has none and that staging will refuse by itself."""
    try:
        return find_file_time(table.effective_at, landing.key) or parse_time(landing.event_time)
    except FileTimeError:
        return landing.id


def _lack(table: Table, time: datetime | str, group: Iterable[Landing], now: datetime) -> Lack | None:
    if table.source.parts is None or isinstance(time, str):
        return None
    newest = {landing.key: parse_time(landing.event_time) for landing in group}
    return lack(table.source.parts, [Part(key, landed_at) for key, landed_at in newest.items()], now)


def incomplete(table: Table, pending: Iterable[Landing], now: datetime) -> list[Whole]:
    """Return the snapshots that still wait for parts, first arrivals first."""
    return [whole for whole in wholes(table, pending, now) if whole.lack]


def overdue(table: Table, pending: Iterable[Landing], now: datetime) -> list[Whole]:
    """Return the snapshots that still wait for parts though their first landed longer ago than the freshness."""
    if table.source.parts is None or table.freshness is None:
        return []
    limit = now - duration(table.freshness)
    return [
        whole
        for whole in incomplete(table, pending, now)
        if min(parse_time(one.event_time) for one in whole.landings) < limit
    ]


def waiting_words(waiting: Sequence[Whole]) -> str:
    """Say what the first of the snapshots that are not whole waits for, and how many others wait; '' for none."""
    if not waiting:
        return ""
    first = waiting[0]
    others = "1 more snapshot waits" if len(waiting) == 2 else f"{len(waiting) - 1:,} more snapshots wait"
    more = f" (and {others})" if len(waiting) > 1 else ""
    key = first.landings[0].key
    return f"waits for the rest of the snapshot of {key}: {first.lack.reason if first.lack else ''}{more}"
