"""Query results as text: CSV that tells NULL from '', JSON without loss, and cells of a table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

Row = Sequence[Any]


def csv_lines(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield a header and the rows as RFC 4180 text without line ends: NULL is an empty field, '' is two quotes."""
    yield ",".join(_csv_field(name) for name in columns)
    for row in rows:
        yield ",".join(_csv_field(value) for value in row)


def _csv_field(value: Any) -> str:
    if value is None:
        return ""
    text = plain(value)
    if text == "" or any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def json_lines(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield a JSON array, an object a line; decimals are numbers with all their digits."""
    held = "["
    for row in rows:
        yield held
        held = f"{'' if held == '[' else ','}{to_json(dict(zip(columns, row, strict=True)))}"
    yield held
    yield "]"


def to_json(value: Any) -> str:
    """Return a value as JSON; timestamps and dates are strings, and so are NaN and the infinities."""
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, Decimal) or (isinstance(value, float) and math.isfinite(value)):
        return plain(value)
    if isinstance(value, Mapping):
        members = (f"{json.dumps(plain(k), ensure_ascii=False)}: {to_json(v)}" for k, v in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(to_json(item) for item in value) + "]"
    return json.dumps(plain(value), ensure_ascii=False)


def plain(value: Any) -> str:
    """Return one value as text: ISO 8601 times, those with a zone in UTC, decimals without exponent, true and false."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime) and value.tzinfo:
        return timestamp(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, Mapping | list | tuple):
        return to_json(value)
    return str(value)


def timestamp(value: datetime) -> str:
    """Return ISO 8601 in UTC with Z; a datetime without zone is taken as UTC."""
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
