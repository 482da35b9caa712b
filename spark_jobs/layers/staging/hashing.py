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

_SEEDS = ("", "landfall")
_PRECISION, _SCALE = 38, 18


def row_hash(fields: Iterable[StructField]) -> Column:
    """Return 128 bits of xxHash64 as 32 hex digits over the non-NULL fields, each tagged with its name.

    NULL differs from '' and 1|23 from 12|3, because each value is tagged; a column added later that is NULL
    leaves the hash as it was, and so does a widened type (int, float, decimal).
    """
    parts: list[Column] = []
    for field in sorted(fields, key=lambda f: f.name):
        value = _canonical(F.col(f"`{field.name}`"), field.dataType)
        parts += [F.when(value.isNotNull(), F.lit(field.name)), value]
    halves = [F.lpad(F.lower(F.hex(F.xxhash64(F.lit(seed), *parts))), 16, "0") for seed in _SEEDS]
    return F.concat(*halves)


def _canonical(value: Column, kind: DataType) -> Column:
    if isinstance(kind, IntegralType):
        return value.cast("bigint")
    if isinstance(kind, DecimalType):
        return _plain_decimal(value, kind)
    if isinstance(kind, FloatType | FractionalType):
        return value.cast("double") + F.lit(0.0)
    if isinstance(kind, ArrayType | MapType | StructType):
        return F.to_json(value)
    return value


def _plain_decimal(value: Column, kind: DecimalType) -> Column:
    if kind.scale <= _SCALE and kind.precision - kind.scale <= _PRECISION - _SCALE:
        return value.cast(DecimalType(_PRECISION, _SCALE))
    return value.cast("string")
