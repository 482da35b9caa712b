"""Types and keys of a sample: the narrowest type that holds all values, and the columns that tell rows apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import combinations
from typing import Any

NULL_WORDS = ("NA", "N/A", "NULL", "null", "None", "\\N", "-")
_BIGINT = 2**63
_INTEGER = re.compile(r"[+-]?(0|[1-9]\d*)")
_FRACTION = re.compile(r"[+-]?(0|[1-9]\d*)\.(\d+)")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6}(\d*))?)?(Z|[+-]\d{2}:?\d{2})?")
_SHORT_MINUTE = re.compile(r":\d(?!\d)")
# Patterns as Python reads them and as Spark does, days and hours of two digits; where two fit, the first wins.
_FORMATS = (
    ("date", "%d/%m/%Y", "dd/MM/yyyy"),
    ("date", "%m/%d/%Y", "MM/dd/yyyy"),
    ("date", "%d.%m.%Y", "dd.MM.yyyy"),
    ("date", "%Y/%m/%d", "yyyy/MM/dd"),
    ("timestamp", "%d/%m/%Y %H:%M:%S", "dd/MM/yyyy HH:mm:ss"),
    ("timestamp", "%m/%d/%Y %H:%M:%S", "MM/dd/yyyy HH:mm:ss"),
    ("timestamp", "%d/%m/%Y %H:%M", "dd/MM/yyyy HH:mm"),
    ("timestamp", "%m/%d/%Y %H:%M", "MM/dd/yyyy HH:mm"),
    ("timestamp", "%d.%m.%Y %H:%M:%S", "dd.MM.yyyy HH:mm:ss"),
    ("timestamp", "%Y/%m/%d %H:%M:%S", "yyyy/MM/dd HH:mm:ss"),
)
_MOST_DIGITS = 38
_KEY_NAME = re.compile(r"(^|_)(id|key|code|no|nr|num|number|uuid|guid|sku|isbn)$", re.IGNORECASE)
_MOST_KEY_COLUMNS, _MOST_TRIED = 4, 12
_NO_KEY = ("double", "float", "boolean")


@dataclass(frozen=True)
class Inferred:
    """What a column's values are: their type, the format of dates, and words in them that mean NULL."""

    type: str
    format: str = ""
    null_words: frozenset[str] = frozenset()
    note: str = ""


def infer(values: Iterable[Any]) -> Inferred:
    """Return the narrowest type that holds all values (None is NULL and fits any)."""
    found = [value for value in values if value is not None]
    if not found:
        return Inferred("string", note="the sample has no value")
    if all(isinstance(value, str) for value in found):
        return _of_texts(found)
    if any(isinstance(value, list | dict) for value in found):
        return Inferred(_nested(found))
    if all(isinstance(value, bool) for value in found):
        return Inferred("boolean")
    if any(isinstance(value, bool | str) for value in found):
        return Inferred("string")
    return _of_texts([str(value) for value in found])


def _of_texts(texts: Sequence[str]) -> Inferred:
    words = frozenset(text for text in set(texts) if text in NULL_WORDS or not text)
    rest = [text for text in texts if text not in words]
    plain = _plain(rest) if rest else Inferred("string")
    if plain.type == "string":
        return Inferred("string", note=plain.note)
    return Inferred(plain.type, plain.format, words, plain.note)


def _plain(texts: Sequence[str]) -> Inferred:
    if all(text.lower() in ("true", "false") for text in texts):
        return Inferred("boolean")
    if all(_INTEGER.fullmatch(text) for text in texts):
        return Inferred(_integer([int(text) for text in texts]))
    if all(_FLOAT.fullmatch(text) and not re.match(r"[+-]?0\d", text) for text in texts):
        return Inferred(_fraction(texts))
    if all(_ISO_DATE.fullmatch(text) and _reads(text, "%Y-%m-%d") for text in texts):
        return Inferred("date")
    times = [_ISO_TIME.fullmatch(text) for text in texts]
    if all(times):
        finer = any(time[3] and time[3].strip("0") for time in times if time)
        return Inferred("string", note="it tells more than microseconds") if finer else Inferred("timestamp")
    fitting = [
        (kind, _spelled(spark, texts))
        for kind, python, spark in _FORMATS
        if all(_reads(text, python) for text in texts)
    ]
    if fitting:
        other = f"the sample fits {fitting[1][1]} too" if len(fitting) > 1 else ""
        return Inferred(*fitting[0], note=other)
    return Inferred("string")


def _integer(numbers: Sequence[int]) -> str:
    """Return the type of whole numbers; never int: a sample does not tell how far they will count."""
    most = max(abs(number) for number in numbers)
    if most < _BIGINT:
        return "bigint"
    return "decimal(38,0)" if most < 10**38 else "string"


def _fraction(texts: Sequence[str]) -> str:
    """Return a decimal where all numbers have the same few places, as money has, or a double would lose digits.

    Else double.
    """
    matches = [_FRACTION.fullmatch(text) for text in texts]
    places = {len(match[2]) for match in matches if match}
    digits = max((len(match[1]) for match in matches if match), default=0)
    if all(matches) and len(places) == 1 and (scale := places.pop()) <= 4 and digits <= 18 - scale:
        return f"decimal(18,{scale})"
    if any(Decimal(repr(float(text))) != Decimal(text) for text in texts):
        numbers = [Decimal(text).as_tuple() for text in texts]
        scale = max(-int(number.exponent) for number in numbers)
        whole = max(len(number.digits) + int(number.exponent) for number in numbers)
        if scale > 0 and scale + max(whole, 0) <= _MOST_DIGITS:
            return f"decimal({_MOST_DIGITS},{scale})"
    return "double"


def _reads(text: str, pattern: str) -> bool:
    try:
        datetime.strptime(text, pattern)  # noqa: DTZ007 (only the shape matters)
    except ValueError:
        return False
    return not _SHORT_MINUTE.search(text)


def _spelled(pattern: str, texts: Sequence[str]) -> str:
    """Return Spark's pattern for texts that Python's reads: of one digit or two, unless all have two."""
    if all(len(text) == len(pattern) for text in texts):
        return pattern
    return pattern.replace("dd", "d").replace("MM", "M").replace("HH", "H")


def _nested(values: Sequence[Any]) -> str:
    if all(isinstance(value, list) for value in values):
        return f"array<{_inner([item for value in values for item in value])}>"
    if all(isinstance(value, dict) for value in values):
        names = dict.fromkeys(name for value in values for name in value)
        plain = [name for name in names if re.fullmatch(r"\w+", name)]
        if not names or len(plain) < len(names):
            return f"map<string,{_inner([item for value in values for item in value.values()])}>"
        return f"struct<{','.join(f'{n}:{_inner([value.get(n) for value in values])}' for n in names)}>"
    return "string"


def _inner(values: Sequence[Any]) -> str:
    inferred = infer(values)
    return "string" if inferred.format or inferred.null_words else inferred.type


def key_candidates(records: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return the smallest sets of columns whose values are there and unique in the sample, the likeliest first."""
    usable = [name for name, kind in types.items() if kind not in _NO_KEY and "<" not in kind]
    whole = [name for name in usable if all(record.get(name) is not None for record in records)]
    distinct = {name: len({_hashed(record[name]) for record in records}) for name in whole}
    place = {name: number for number, name in enumerate(types)}
    ranked = sorted(whole, key=lambda name: (-distinct[name], place[name]))[:_MOST_TRIED]
    for size in range(1, min(_MOST_KEY_COLUMNS, len(ranked)) + 1):
        found = [columns for columns in combinations(ranked, size) if is_unique(records, columns)]
        if found:
            return sorted(
                (tuple(sorted(c, key=place.__getitem__)) for c in found), key=lambda c: _rank(c, types, place)
            )
    return []


def is_unique(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bool:
    """Tell whether no two records have the same values in the columns."""
    seen = set()
    for record in records:
        values = tuple(_hashed(record.get(name)) for name in columns)
        if values in seen:
            return False
        seen.add(values)
    return True


def _rank(columns: Sequence[str], types: Mapping[str, str], place: Mapping[str, int]) -> tuple[int, int, int]:
    """Order candidates: names that speak of keys, then no times and decimals, then the columns that come first."""
    named = sum(1 for name in columns if _KEY_NAME.search(name.rpartition(".")[2].lstrip("@")))
    odd = sum(1 for name in columns if types[name].startswith(("decimal", "timestamp")))
    return -named, odd, sum(place[name] for name in columns)


def _hashed(value: Any) -> Any:
    return str(value) if isinstance(value, list | dict | Decimal) else value
