"""The time that a file speaks of, from its key (SEMANTICS 2). Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from contracts.parts import EffectiveAt

_PARTS = ("year", "month", "day", "hour", "minute", "second")


class FileTimeError(ValueError):
    """A key in which `from_key` finds no time."""


def find_file_time(effective_at: EffectiveAt, key: str) -> datetime | None:
    """Return the time that `from_key` finds in an object key, None where the event's time counts.

    FileTimeError when the key does not match (unless the contract lets it pass) or holds no real date.
    """
    pattern = effective_at.from_key
    if pattern is None:
        return None
    match = re.search(pattern, key)
    groups = match.groupdict() if match else {}
    if not groups.get("date") and not groups.get("year"):  # also where a pattern can do without them
        if effective_at.unmatched == "event_time":
            return None
        raise FileTimeError(f"key {key}: does not match from_key {pattern}")
    try:
        return _time_of(groups)
    except (ValueError, OverflowError) as error:
        raise FileTimeError(f"key {key}: from_key finds no time: {error}") from error


def parse_time(text: str) -> datetime:
    """Return ISO 8601 text as a time in UTC; text without a zone is UTC."""
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _time_of(groups: Mapping[str, str | None]) -> datetime:
    if date := groups.get("date"):
        text = date if not (time := groups.get("time")) else f"{date}T{time}"
        return parse_time(text) + _fraction(groups)
    given = [name for name in _PARTS if groups.get(name)]
    if given != list(_PARTS[: len(given)]):
        raise ValueError(f"{given[-1]} is there without what goes before it")
    numbers = [int(groups[name] or 0) for name in given]
    year, month, day, hour, minute, second = (*numbers, *(1, 1, 1, 0, 0, 0)[len(numbers) :])
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC) + _fraction(groups)


def _fraction(groups: Mapping[str, str | None]) -> timedelta:
    """Return the digits behind the second as a time, in microseconds at the finest."""
    digits = groups.get("fraction") or "0"
    return timedelta(microseconds=int(digits[:6].ljust(6, "0")))
