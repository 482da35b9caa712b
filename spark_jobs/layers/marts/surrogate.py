"""Surrogate keys: deterministic 64-bit hashes, so that a rebuild gives the same keys."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

UNKNOWN = -1


def surrogate(*columns: Column) -> Column:
    """Hash typed values to a bigint that tells NULL from all else and is never -1.

    Equal values must have equal types to have equal hashes: cast before.
    """
    return _hash("member", *columns)


def inferred_surrogate(*columns: Column) -> Column:
    """Hash a key that no version of its dimension fits; never the surrogate of a real member of that key."""
    return _hash("inferred", *columns)


def _hash(kind: str, *columns: Column) -> Column:
    tagged = [part for column in columns for part in (column.isNull(), column)]
    value = F.xxhash64(F.lit(kind), *tagged)
    return F.when(value == UNKNOWN, F.lit(-2).cast("bigint")).otherwise(value)
