"""What patterns in contracts must be: `from_key`, the formats of dates, and partition words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from contracts.documents import Document, Mistake
from contracts.types import TIMES, Columns, SparkType
from contracts.wording import one_of

_TIME_GROUPS = ("year", "month", "day", "hour", "minute", "second")
_GROUPS = {"date", "time", "fraction", *_TIME_GROUPS}
# The letters that Spark reads with; it refuses week-based and localized ones.
_DATE_LETTERS = frozenset("GyMLdDEFahHkKmsSVzOxXZQq")
EPOCH_FORMATS = ("epoch_seconds", "epoch_millis", "epoch_micros", "epoch_nanos")
BINARY_FORMATS = ("base64", "hex")
_PARTITION = re.compile(
    r"(?:(?P<time>year|month|day|hour)\(\s*(?P<column>\w+)\s*\)|(?P<plain>\w+)|"
    r"(?P<sized>bucket|truncate)\(\s*(?P<size>[1-9]\d*)\s*,\s*(?P<of>\w+)\s*\))"
)
_KEPT_AS = {"truncate": "trunc"}  # where Iceberg calls a partition otherwise than by its function
_PARTITION_TYPES = {
    "year": ("date", *TIMES),
    "month": ("date", *TIMES),
    "day": ("date", *TIMES),
    "hour": TIMES,
    "bucket": ("tinyint", "smallint", "int", "bigint", "decimal", "string", "binary", "date", *TIMES),
    "truncate": ("tinyint", "smallint", "int", "bigint", "decimal", "string", "binary"),
}


def check_from_key(document: Document, pattern: str) -> Iterator[Mistake]:
    """Yield the mistakes of a `from_key`: a regular expression whose groups name a time."""
    place = ("effective_at", "from_key")
    try:
        groups = set(re.compile(pattern).groupindex)
    except re.error as error:
        yield document.mistake(f"is no regular expression: {error}", *place)
        return
    for group in sorted(groups - _GROUPS):
        yield document.mistake(f"group {one_of(group, _GROUPS)}", *place)
    found = [name for name in _TIME_GROUPS if name in groups]
    if "date" not in groups and "year" not in groups:
        yield document.mistake(
            "names no group date, nor year, month and day, such as (?P<date>\\d{4}-\\d{2}-\\d{2})", *place
        )
    elif "date" in groups and found:
        yield document.mistake(f"group {found[0]} does not go with date; with date goes time", *place)
    elif "time" in groups and "date" not in groups:
        yield document.mistake("group time goes with date; with year go month, day, hour, minute, second", *place)
    elif "fraction" in groups and not groups & {"time", "second"}:
        yield document.mistake("group fraction goes with time or second", *place)
    elif "date" not in groups and found != list(_TIME_GROUPS[: len(found)]):
        lacks = next(name for name in _TIME_GROUPS if name not in groups)
        yield document.mistake(f"group {found[-1]} needs {lacks} too", *place)


def check_date_format(document: Document, text: str, kind: SparkType, *path: str | int) -> Iterator[Mistake]:
    """Yield the mistakes of a column's `format`: a pattern such as dd/MM/yyyy, an epoch, or how bytes are written."""
    if (text in EPOCH_FORMATS and kind.name in ("date", *TIMES)) or (text in BINARY_FORMATS and kind.name == "binary"):
        return
    if kind.name == "binary":
        yield document.mistake(one_of(text, BINARY_FORMATS), *path)
        return
    if kind.name not in ("date", *TIMES):
        yield document.mistake(f"is for date, timestamp and binary columns only, this one is {kind}", *path)
        return
    bare = re.sub(r"'(?:[^']|'')*'", "", text)
    wrong = sorted({letter for letter in bare if letter.isalpha() and letter not in _DATE_LETTERS})
    if "'" in bare:
        yield document.mistake(f"{text!r} holds a quote that is not closed", *path)
    for letter in wrong:
        yield document.mistake(f"{text!r}: Spark reads no {letter}; put letters that stand for themselves in ''", *path)


def check_partitions(document: Document, words: Iterable[str], types: Columns) -> Iterator[Mistake]:
    """Yield the mistakes of `partition_by` words such as `month(signup)`; a type may be unknown (None)."""
    seen: set[tuple[str, str]] = set()
    for index, word in enumerate(words):
        place = ("partition_by", index)
        match = _PARTITION.fullmatch(word.strip())
        if match is None:
            yield document.mistake(
                f"{word!r} is none of a column, year(c), month(c), day(c), hour(c), bucket(n, c), truncate(n, c)",
                *place,
            )
            continue
        name = match["column"] or match["plain"] or match["of"]
        function = match["time"] or match["sized"] or ""
        if name not in types:
            yield document.mistake(f"no such column: {one_of(name, types)}", *place)
            continue
        kind = types[name]
        allowed = _PARTITION_TYPES.get(function)
        if kind is not None and allowed and kind.name not in allowed:
            yield document.mistake(f"{name} is {kind}; {function} takes {', '.join(allowed)}", *place)
        if kind is not None and not allowed and kind.inner:
            yield document.mistake(f"{name} is {kind}, by which no table is partitioned", *place)
        kept = f"{name}_{_KEPT_AS.get(function, function)}"
        for clash in sorted({kept, f"{kept}_{match['size']}"} & types.keys()) if function else ():
            yield document.mistake(f"{word} is kept under the name of the column {clash}: call that otherwise", *place)
        group = "time" if match["time"] else function
        if (group, name) in seen:
            yield document.mistake(f"{name} partitions twice", *place)
        seen.add((group, name))
