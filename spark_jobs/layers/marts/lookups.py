"""Lookups of a fact's dimensions: the surrogate key of each fact row, as of the fact's own time."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from contracts.model import DimensionLookup, Mart
from spark_jobs.layers.marts.surrogate import UNKNOWN, inferred_surrogate


def key_column(lookup: DimensionLookup) -> str:
    """Return the fact's column that holds the dimension's surrogate key."""
    return f"{lookup.name or lookup.dimension}_key"


def resolve(
    facts: DataFrame, members: DataFrame, lookup: DimensionLookup, dimension: Mart, schema: StructType
) -> DataFrame:
    """Add the lookup's key column to the facts; `members` are the real ones.

    `schema` has the types that the contracts give the dimension's key; those of its table may be older.

    A fact with a NULL in its business key gets -1. One whose key no member fits gets, by `missing`, the
    surrogate of the key's inferred member (infer), -1 (unknown) or NULL (fail: the caller refuses it).
    """
    found = facts.join(_versions(members, lookup, dimension), _fits(members, lookup), how="left")
    absent = {
        "infer": inferred_key(lookup, schema),
        "unknown": F.lit(UNKNOWN).cast("bigint"),
        "fail": F.lit(None).cast("bigint"),
    }[lookup.missing]
    value = F.when(_no_key(lookup), F.lit(UNKNOWN).cast("bigint")).otherwise(F.coalesce(F.col("_member"), absent))
    return found.select(*facts.columns, value.alias(key_column(lookup)))


def inferred_key(lookup: DimensionLookup, schema: StructType, row: str = "") -> Column:
    """Return the surrogate of a business key's inferred member; `row` is the prefix of the fact's columns."""
    return inferred_surrogate(*business_key(lookup, schema, row).values())


def business_key(lookup: DimensionLookup, schema: StructType, row: str = "") -> dict[str, Column]:
    """Return the dimension's key columns as the fact has them, cast to the dimension's types."""
    return {
        theirs: F.col(f"{row}{ours}").cast(schema[theirs].dataType)
        for ours, theirs in sorted(lookup.on.items(), key=lambda pair: pair[1])
    }


def _versions(members: DataFrame, lookup: DimensionLookup, dimension: Mart) -> DataFrame:
    """Return the members in columns no fact has; without `as_of` only each key's current version."""
    if dimension.kind == "scd2" and lookup.as_of is None:
        members = members.where("is_current")
    times = ("valid_from", "valid_to") if _is_timed(members, lookup) else ()
    return members.select(
        F.col(dimension.surrogate_key).alias("_member"),
        *[F.col(name).alias(f"_m_{name}") for name in (*lookup.on.values(), *times)],
    )


def _fits(members: DataFrame, lookup: DimensionLookup) -> Column:
    condition = F.lit(True)
    for ours, theirs in lookup.on.items():
        condition = condition & (F.col(ours) == F.col(f"_m_{theirs}"))
    if lookup.as_of and _is_timed(members, lookup):
        at = F.col(lookup.as_of).cast(members.schema["valid_from"].dataType)
        open_or_later = F.col("_m_valid_to").isNull() | (at < F.col("_m_valid_to"))
        condition = condition & (at >= F.col("_m_valid_from")) & open_or_later
    return condition


def _is_timed(members: DataFrame, lookup: DimensionLookup) -> bool:
    return lookup.as_of is not None and "valid_from" in members.columns


def _no_key(lookup: DimensionLookup, row: str = "") -> Column:
    condition = F.lit(False)
    for ours in lookup.on:
        condition = condition | F.col(f"{row}{ours}").isNull()
    return condition
