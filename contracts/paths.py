"""Paths into records of JSON and XML: names parted by dots, backticks around a name that holds dots itself."""

from __future__ import annotations

import re

BY_PATH = ("json", "jsonl", "xml")
# What jobs call a record's own parts while they read it; no column of a file can be told from them.
_KEPT = re.compile(
    r"_(broken|raw|landing|row_number|held|text_high|text_low|has|present|deleting|truncating|leaves|(result|value)\d+)",
    re.IGNORECASE,
)
_PART = re.compile(r"`([^`]+)`|([^.`]+)")


class PathMistakeError(ValueError):
    """Text that is no path."""


def is_kept(name: str) -> bool:
    """Tell whether jobs keep a name for themselves, so that a column of a file cannot bear it."""
    return _KEPT.fullmatch(name) is not None


def split_path(text: str) -> tuple[str, ...]:
    """Return the names of a path, e.g. `address.city` or `` `a.b`.c ``; else PathMistakeError."""
    parts, place = [], 0
    while True:
        match = _PART.match(text, place)
        if match is None:
            raise PathMistakeError(f"{text!r} is no path such as address.city")
        parts.append(match[1] or match[2])
        place = match.end()
        if place == len(text):
            return tuple(parts)
        if text[place] != ".":
            raise PathMistakeError(f"{text!r} is no path such as address.city")
        place += 1
