"""Schedules as EventBridge takes them, in UTC: `cron(minute hour day month weekday year)` or a rate."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RATE = re.compile(r"rate\((1 (?:minute|hour|day)|(?:[2-9]|[1-9]\d+) (?:minutes|hours|days))\)")
_CRON = re.compile(r"cron\(([^()]+)\)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True)
class _Field:
    """One field: its numbers, the words that stand for them, and what it alone may hold beside them."""

    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()
    own: str = r"\*"

    def takes(self, value: str) -> bool:
        return all(re.fullmatch(self.own, part) or self._is_span(part) for part in value.split(","))

    def _is_span(self, part: str) -> bool:
        """Tell whether it is `*`, a value or a range, with a step or without."""
        span, slash, step = part.partition("/")
        if slash and not re.fullmatch(r"[1-9]\d*", step):
            return False
        first, dash, last = span.partition("-")
        return span == "*" or (self._is_value(first) and (not dash or self._is_value(last)))

    def _is_value(self, text: str) -> bool:
        is_number = re.fullmatch(r"\d{1,4}", text, re.ASCII) is not None
        return self.low <= int(text) <= self.high if is_number else text.upper() in self.words

    def __str__(self) -> str:
        words = f" or {self.words[0]} to {self.words[-1]}" if self.words else ""
        return f"{self.low} to {self.high}{words}"


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31, own=r"[?*]|LW?|([1-9]|[12]\d|3[01])W"),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 1, 7, _WEEKDAYS, own=rf"[?*]|L|([1-7]|{'|'.join(_WEEKDAYS)})(L|#[1-5])"),
    _Field("year", 1970, 2199),
)


def schedule_mistake(text: str) -> str:
    """Say what is wrong with a schedule; nothing of one that EventBridge takes."""
    if _RATE.fullmatch(text):
        return ""
    match = _CRON.fullmatch(text)
    values = match[1].split() if match else []
    if len(values) != len(_FIELDS):
        return (
            f"{text!r} must be cron(minute hour day month weekday year), such as cron(0 2 * * ? *), in UTC, or a rate "
            "such as rate(1 hour)"
        )
    for field, value in zip(_FIELDS, values, strict=True):
        if not field.takes(value):
            return f"{text!r}: {field.name} is {value!r}, and it must be of {field}"
    if (values[2] == "?") == (values[4] == "?"):
        return "exactly one of day (the third) and weekday (the fifth) must be ?"
    return ""
