"""What the tables must hold, computed from the rules alone: plain Python that shares no code with the product.

Numbers in the docstrings are those of the rules of SEMANTICS: the tables are a function of the set of landings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Any

Row = Mapping[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Rules:
    """The words of a contract that decide what its tables hold; `at`: date, timestamp or number."""

    load: str
    columns: tuple[str, ...]
    key: tuple[str, ...] = ()
    effective: str | None = None
    at: str = "timestamp"
    tie_break: tuple[str, ...] = ()
    on_missing: str = "close"
    on_overwrite: str = "replace"
    partial: bool = False

    def key_of(self, row: Row) -> Key:
        return tuple(row[name] for name in self.key)

    def content(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.columns)

    @property
    def sequence(self) -> tuple[str, ...]:
        return (*((self.effective,) if self.effective else ()), *self.tie_break)


@dataclass(frozen=True)
class Record:
    """One row of a file: its values, whether it deletes, whether a value is refused (key and time may be NULL).

    `truncates` deletes every key; `lacks` are columns that a partial record does not speak of.
    """

    row: Row
    deletes: bool = False
    refused: bool = False
    truncates: bool = False
    lacks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Landing:
    """One version of one object; `sequencer` is upper-case hexadecimal."""

    key: str
    sequencer: str
    event_time: datetime
    file_time: datetime
    records: tuple[Record, ...]

    @property
    def order(self) -> tuple[datetime, datetime, str, str]:
        """Return what landings are ordered by (3)."""
        return (self.file_time, self.event_time, self.key, self.sequencer.ljust(64, "0"))


@dataclass(frozen=True)
class Event:
    """What became true of a key at an instant; a row of None says that it was gone."""

    at: Any
    row: Row | None
    order: tuple[Any, ...] = field(default=(), compare=False)


def in_effect(landings: Iterable[Landing], rules: Rules) -> list[Landing]:
    """Return the landings that count: equal neighbours are the first (1), appends obey on_overwrite (4)."""
    found: list[Landing] = []
    for _, group in groupby(sorted(landings, key=lambda one: (one.key, one.order[3])), key=lambda one: one.key):
        versions: list[Landing] = []
        for landing in group:
            if not versions or versions[-1].records != landing.records:
                versions.append(landing)
        if rules.load == "append":
            versions = {"replace": versions[-1:], "fail": versions[:1], "add": versions}[rules.on_overwrite]
        found += versions
    return sorted(found, key=lambda one: one.order)


def good(record: Record, rules: Rules) -> bool:
    """Tell whether a row is staged: nothing refused, key and effective_at known (7)."""
    needed = [*(() if record.truncates else rules.key), *([rules.effective] if rules.effective else [])]
    return not record.refused and all(record.row[name] is not None for name in needed)


def stated(record: Record, landing: Landing, rules: Rules) -> Any:
    """Return the row's own effective_at, else the file's time."""
    return record.row[rules.effective] if rules.effective else landing.file_time


def row_order(landing: Landing, number: int, rules: Rules) -> tuple[Any, ...]:
    """Return what rows are ordered by: effective_at, tie_break (NULL first), deletes last, landing, number (5)."""
    record = landing.records[number]
    ties = tuple((record.row[name] is not None, record.row[name] or 0) for name in rules.tie_break)
    return (stated(record, landing, rules), ties, record.deletes, landing.order, number)


def timelines(landings: Sequence[Landing], rules: Rules) -> dict[Key, list[Event]]:
    """Return for each key its events in order, one an instant, confirmations included."""
    return (_of_snapshots if rules.load == "snapshot" else _of_events)(landings, rules)


def _of_events(landings: Sequence[Landing], rules: Rules) -> dict[Key, list[Event]]:
    rows = sorted(
        (row_order(landing, number, rules), landing.order, record)
        for landing in landings
        for number, record in enumerate(landing.records)
        if good(record, rules)
    )
    keys = {rules.key_of(record.row) for _, _, record in rows if not record.truncates}
    last: dict[Key, dict[Any, Event]] = {key: {} for key in keys}
    alive: dict[Key, Row] = {}
    for order, from_landing, record in rows:
        for key in keys if record.truncates else [rules.key_of(record.row)]:
            row = None if record.deletes else _whole(record, alive.get(key, {}), rules)
            alive[key] = row or {}
            last[key][order[0]] = Event(order[0], row, from_landing)
    return {key: sorted(events.values(), key=lambda event: event.at) for key, events in last.items()}


def _whole(record: Record, before: Row, rules: Rules) -> Row:
    """Return the row that a record makes of the living row before it: what it lacks keeps its value."""
    if not rules.partial:
        return record.row
    return {name: before.get(name) if name in record.lacks else record.row[name] for name in rules.columns}


HELD = object()


def snapshots(landings: Sequence[Landing], rules: Rules) -> list[tuple[datetime, dict[Key, Any]]]:
    """Return each file time with what its snapshot says of its keys: (row, order), or HELD (7, 10, 11)."""
    found = []
    for at, group in groupby(sorted(landings, key=lambda one: one.order), key=lambda one: one.file_time):
        together = list(group)
        if rules.on_missing == "close":
            together = together[-1:]
        said: dict[Key, Any] = {}
        for landing in together:
            for number in sorted(range(len(landing.records)), key=lambda n: _last_first(landing, n, rules)):
                record = landing.records[number]
                key = rules.key_of(record.row)
                if good(record, rules):
                    said[key] = (record.row, landing.order)
                elif None not in key:
                    said.setdefault(key, HELD)
        found.append((at, said))
    return found


def _last_first(landing: Landing, number: int, rules: Rules) -> Any:
    record = landing.records[number]
    return (1, row_order(landing, number, rules)) if good(record, rules) else (0, ())


def _of_snapshots(landings: Sequence[Landing], rules: Rules) -> dict[Key, list[Event]]:
    said = snapshots(landings, rules)
    order_at = {one.file_time: one.order for one in sorted(landings, key=lambda one: one.order)}
    keys = {key for _, rows in said for key in rows}
    return {key: _of_one_key([(at, rows.get(key)) for at, rows in said], rules, order_at) for key in keys}


def _of_one_key(
    observed: Sequence[tuple[datetime, Any]], rules: Rules, order_at: Mapping[datetime, Any]
) -> list[Event]:
    """Walk what the snapshots say of one key (12, 13, 14)."""
    events: list[Event] = []
    had, known = False, None  # was the key in the snapshot before, and with which row
    for at, said in observed:
        if said is HELD:
            continue
        if said is not None:
            row, order = said
            if not had or rules.content(known or {}) != rules.content(row):
                events = _announced(events, row, at, order, rules)
            had, known = True, row
            continue
        if had and rules.on_missing == "close":
            events = [*_before(events, cut(at, rules)), Event(cut(at, rules), None, order_at[at])]
        had, known = False, None
    return events


def _announced(events: list[Event], row: Row, at: datetime, order: Any, rules: Rules) -> list[Event]:
    """Put a change where it starts; it replaces what was announced for that instant and later (12, 13)."""
    starts = row[rules.effective] if rules.effective else at
    instant = cut(at, rules)
    force = [event for event in events if instant is not None and event.at <= instant]
    if force:
        last = force[-1]
        if starts < last.at or (last.row is None and starts <= last.at):
            starts = instant
    return [*_before(events, starts), Event(starts, row, order)]


def _before(events: list[Event], instant: Any) -> list[Event]:
    return [event for event in events if event.at < instant]


def cut(at: datetime, rules: Rules) -> date | datetime | None:
    """Return a file time in the type of effective_at: a date, or nothing for a number (15)."""
    if rules.at == "number":
        return None
    return at.date() if rules.at == "date" else at


def change_log(events: Sequence[Event], rules: Rules) -> list[tuple[str, Event]]:
    """Return the changes: I (new or again), U, D; what only confirms and what deletes nothing is left out (6)."""
    found: list[tuple[str, Event]] = []
    living: Row | None = None
    for event in events:
        if event.row is None:
            if living is not None:
                found.append(("D", event))
        elif living is None:
            found.append(("I", event))
        elif rules.content(living) != rules.content(event.row):
            found.append(("U", event))
        living = event.row
    return found


def latest(events: Sequence[Event]) -> list[Row]:
    """Return the row of the last event, if that leaves the key alive (19)."""
    return [events[-1].row] if events and events[-1].row is not None else []


@dataclass(frozen=True)
class Version:
    """One version of a key: half-open in time, `until` None while it is open."""

    row: Row
    since: Any
    until: Any


def versions(events: Sequence[Event], track: Sequence[str], untracked_change: str) -> list[Version]:
    """Return the versions: runs of neighbours with equal tracked columns (17, 18)."""
    found: list[Version] = []
    living = False
    for event in events:
        if event.row is None:
            if living:
                found[-1] = Version(found[-1].row, found[-1].since, event.at)
            living = False
            continue
        if living and all(found[-1].row[name] == event.row[name] for name in track):
            if untracked_change == "overwrite":
                found[-1] = Version(event.row, found[-1].since, None)
            continue
        if living:
            found[-1] = Version(found[-1].row, found[-1].since, event.at)
        found.append(Version(event.row, event.at, None))
        living = True
    return found


def history(events: Sequence[Event], rules: Rules) -> list[tuple[str, Any, Row]]:
    """Return (I, U or D; instant; row) where the row changed in more than its sequence; D has what ended (20)."""
    compared = [name for name in rules.columns if name not in rules.sequence]
    found: list[tuple[str, Any, Row]] = []
    living: Row | None = None
    for event in events:
        if event.row is None:
            if living is not None:
                found.append(("D", event.at, living))
        elif living is None:
            found.append(("I", event.at, event.row))
        elif any(living[name] != event.row[name] for name in compared):
            found.append(("U", event.at, event.row))
        living = event.row
    return found


def member(events: Sequence[Event]) -> list[tuple[Row, bool]]:
    """Return the last living row of a key, and whether the key is deleted; nothing for a key that never lived."""
    rows = [event.row for event in events if event.row is not None]
    return [(rows[-1], events[-1].row is None)] if rows else []


def for_every_key(timelines_: Mapping[Key, Sequence[Event]], of: Callable[[Sequence[Event]], list[Any]]) -> list[Any]:
    """Return what `of` gives for each key, together."""
    return [one for events in timelines_.values() for one in of(events)]
