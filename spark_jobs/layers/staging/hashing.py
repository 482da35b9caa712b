"""Row hashes: equal exactly when the rows are equal by typed value (SEMANTICS 8)."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DecimalType,
    FloatType,
    FractionalType,
    IntegralType,
    MapType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from spark_jobs.layers.shaping import literal, quoted

_SEEDS = ("", "landfall")
_PRECISION, _SCALE = 38, 18
_SECONDS = "yyyy-MM-dd'T'HH:mm:ss"


def row_hash(fields: Iterable[StructField]) -> Column:
    """Return 128 bits of xxHash64 as 32 hex digits over the non-NULL fields, each tagged with its name.

    NULL differs from '' and 1|23 from 12|3, because each value is tagged; a column added later that is NULL
    leaves the hash as it was, and so does a widened type (int, float, decimal), or a name in other letters.
    """
    parts: list[str] = []
    for field in sorted(fields, key=lambda f: f.name.lower()):
        values = _canonical(quoted(field.name), field.dataType)
        parts += [f"if({quoted(field.name)} IS NOT NULL, {literal(field.name.lower())}, NULL)", *values]
    halves = [f"lpad(lower(hex(xxhash64({', '.join([literal(seed), *parts])}))), 16, '0')" for seed in _SEEDS]
    return F.expr(f"concat({', '.join(halves)})")


def _canonical(value: str, kind: DataType) -> list[str]:
    """Return what is hashed of a value; xxHash64 passes over what is NULL."""
    if isinstance(kind, IntegralType):
        return [f"CAST({value} AS bigint)"]
    if isinstance(kind, DecimalType):
        return _plain_decimal(value, kind)
    if isinstance(kind, FloatType | FractionalType):
        return [f"(CAST({value} AS double) + 0.0D)"]
    if isinstance(kind, ArrayType | MapType | StructType):
        return [f"to_json({_plain(value, kind, 0)})"]
    return [value]


def _plain_decimal(value: str, kind: DecimalType) -> list[str]:
    """Return a decimal in a form that depends on its number and scale alone, not on how many digits there may be."""
    if kind.scale > _SCALE:
        return [f"CAST({value} AS string)"]
    number = f"try_cast({value} AS decimal({_PRECISION},{_SCALE}))"
    if kind.precision - kind.scale <= _PRECISION - _SCALE:
        return [number]
    return [number, f"if({number} IS NULL, CAST({value} AS string), NULL)"]


def _plain(value: str, kind: DataType, depth: int) -> str:
    """Return a nested value of which the JSON is the same for equal values, down to the microsecond.

    Names are in small letters and the entries of maps in order; what needs no change stays as it is.
    """
    if isinstance(kind, FloatType | FractionalType) and not isinstance(kind, DecimalType):
        return f"(CAST({value} AS double) + 0.0D)"
    if isinstance(kind, TimestampType | TimestampNTZType):
        return _plain_moment(value, "XXX" if isinstance(kind, TimestampType) else "")
    name = f"e{depth}"
    if isinstance(kind, ArrayType):
        inner = _plain(name, kind.elementType, depth + 1)
        return value if inner == name else f"transform({value}, {name} -> {inner})"
    if isinstance(kind, MapType):
        return _plain_map(value, kind, depth)
    if isinstance(kind, StructType):
        return _plain_struct(value, kind, depth)
    return value


def _plain_moment(value: str, zone: str) -> str:
    """Return a moment as JSON has it, with three digits behind the second where those are all."""
    forms = [f"date_format({value}, {literal(f'{_SECONDS}.{digits}{zone}')})" for digits in ("SSS", "SSSSSS")]
    return f"if(unix_micros(CAST({value} AS timestamp)) % 1000 = 0, {forms[0]}, {forms[1]})"


def _plain_map(value: str, kind: MapType, depth: int) -> str:
    name = f"e{depth}"
    by_key = "(l, r) -> CASE WHEN l.key < r.key THEN -1 WHEN l.key > r.key THEN 1 ELSE 0 END"
    entry = f"struct({name}.key, {_plain(f'{name}.value', kind.valueType, depth + 1)} AS value)"
    return f"map_from_entries(transform(array_sort(map_entries({value}), {by_key}), {name} -> {entry}))"


def _plain_struct(value: str, kind: StructType, depth: int) -> str:
    places = [f"{value}.{quoted(f.name)}" for f in kind.fields]
    inner = [_plain(place, f.dataType, depth) for place, f in zip(places, kind.fields, strict=True)]
    names = [f.name.lower() for f in kind.fields]
    if inner == places and names == kind.names:
        return value
    fields = ", ".join(f"{literal(name)}, {one}" for name, one in zip(names, inner, strict=True))
    return f"if({value} IS NULL, NULL, named_struct({fields}))"
