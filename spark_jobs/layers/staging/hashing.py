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
)

from spark_jobs.layers.shaping import literal, quoted

_SEEDS = ("", "landfall")
_PRECISION, _SCALE = 38, 18


def row_hash(fields: Iterable[StructField]) -> Column:
    """Return 128 bits of xxHash64 as 32 hex digits over the non-NULL fields, each tagged with its name.

    NULL differs from '' and 1|23 from 12|3, because each value is tagged; a column added later that is NULL
    leaves the hash as it was, and so does a widened type (int, float, decimal).
    """
    parts: list[str] = []
    for field in sorted(fields, key=lambda f: f.name):
        value = _canonical(quoted(field.name), field.dataType)
        parts += [f"if({value} IS NOT NULL, {literal(field.name)}, NULL)", value]
    halves = [f"lpad(lower(hex(xxhash64({', '.join([literal(seed), *parts])}))), 16, '0')" for seed in _SEEDS]
    return F.expr(f"concat({', '.join(halves)})")


def _canonical(value: str, kind: DataType) -> str:
    if isinstance(kind, IntegralType):
        return f"CAST({value} AS bigint)"
    if isinstance(kind, DecimalType):
        return _plain_decimal(value, kind)
    if isinstance(kind, FloatType | FractionalType):
        return f"(CAST({value} AS double) + 0.0D)"
    if isinstance(kind, ArrayType | MapType | StructType):
        return f"to_json({value})"
    return value


def _plain_decimal(value: str, kind: DecimalType) -> str:
    if kind.scale <= _SCALE and kind.precision - kind.scale <= _PRECISION - _SCALE:
        return f"CAST({value} AS decimal({_PRECISION},{_SCALE}))"
    return f"CAST({value} AS string)"
