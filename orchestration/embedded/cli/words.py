"""Counts, durations and instants as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def duration(span: timedelta | None) -> str:
    """Return two units at most: `4.2 s`, `3 min 05 s`, `2 h 10 min`, `5 d 3 h`; nothing for None."""
    if span is None:
        return ""
    seconds = span.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3_600} h {whole % 3_600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3_600} h"


def harmless(text: str) -> str:
    """Return a text with escapes, such as `\\x1b`, for what makes a terminal do things; tab and line feed stay."""
    return _CONTROLS.sub(lambda match: ascii(match[0])[1:-1], text)


def in_one_line(text: str) -> str:
    """Return a text with escapes for its tabs and line breaks: what came with files writes no lines of its own."""
    return text.translate({ord(one): ascii(one)[1:-1] for one in "\n\t\u2028\u2029"})


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return `1 batch`, `2 batches`: the plural is the noun with s, unless it is given."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(words: Iterable[str]) -> str:
    """Return `a, b and c`."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def instant(time: datetime | None) -> str:
    """Return the minute in UTC, `2013-01-02 05:00 UTC`; nothing for None."""
    from orchestration.embedded.cli.values import timestamp

    return f"{timestamp(time)[:16].replace('T', ' ')} UTC" if time else ""
