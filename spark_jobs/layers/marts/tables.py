"""Mart tables: their columns follow the contract, their rows carry who built them and when."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StringType, StructField, StructType, TimestampType

from contracts.model import Plan
from spark_jobs.layers import evolution, renewal
from spark_jobs.layers.errors import DataError, SchemaChangeError
from spark_jobs.layers.lake import Branch, Lake

# As types, not as names of fields: `struct<void:int>` holds none.
_VOID, _INTERVAL = re.compile(r"(^|[:<,])void($|[>,])"), re.compile(r"(^|[:<,])interval($|[ >,])")
_AUDIT_FIELDS = [StructField("_batch_id", StringType()), StructField("_built_at", TimestampType())]


class MartSchemaError(DataError):
    """A mart's table cannot take the columns that its contract gives it now."""


def audited(rows: DataFrame, batch_id: str, now: datetime) -> DataFrame:
    """Add `_batch_id` and `_built_at`, the time of the run."""
    return rows.select("*", F.lit(batch_id).alias("_batch_id"), F.lit(now).alias("_built_at"))


def refuse(mart: str, schema: StructType) -> None:
    """Raise MartSchemaError where a column has no type, or one that no table holds, or that cannot be compared."""
    for name, kind in ((f.name, f.dataType.simpleString()) for f in schema.fields):
        if _VOID.search(kind):
            raise MartSchemaError(f"{mart}: column {name} is NULL without a type: write CAST(NULL AS string), say")
        if _INTERVAL.search(kind):
            raise MartSchemaError(
                f"{mart}: column {name} is {kind}, which no table holds: return a number, such as "
                "timestampdiff(MINUTE, a, b)"
            )
        if "map<" in kind:
            raise MartSchemaError(
                f"{mart}: column {name} is {kind}, and maps cannot be compared: return what is needed of it by SQL, "
                "such as one value or array_sort(map_entries(…))"
            )


def ensure(
    lake: Lake, plan: Plan, table: str, schema: StructType, partition_by: Sequence[str], anew: bool = False
) -> int:
    """Create the table or bring its columns to `schema` and the audit columns, and its partitions; return its head.

    Columns that `schema` lacks stay until rows without them are published: who publishes drops the `surplus`.
    `anew`: every row is about to be replaced, and the `outgrown` columns begin anew (`renew`).

    MartSchemaError where a column has no type, holds a map, or has a type that Iceberg cannot make of the one it has.
    """
    refuse(table.rsplit(".", 1)[-1], schema)
    try:
        evolution.ensure(lake, table, _audited(schema), partition_by, anew=anew)
    except SchemaChangeError as error:
        raise MartSchemaError(f"{error} {_way_out(lake, plan, table, schema)}") from error
    return lake.first_head(table).id


def outgrown(lake: Lake, table: str, schema: StructType) -> frozenset[str]:
    """Return, in small letters, the columns of a table whose types cannot become those of `schema`.

    None where one of them has ever been a partition: Iceberg reads old files by it, so that it has to stay.
    """
    if not lake.exists(table):
        return frozenset()
    found = evolution.changes(lake.read(table).schema, _audited(schema)).renewed.keys()
    needed = {name.lower() for name in lake.partition_columns(table)}
    return frozenset() if found & needed else frozenset(found)


def renew(branch: Branch, schema: StructType, partition_by: Sequence[str]) -> None:
    """Begin the outgrown columns anew on a branch that has lost its rows."""
    evolution.renew(branch, _audited(schema), partition_by)


def _audited(schema: StructType) -> StructType:
    return StructType(schema.fields + _AUDIT_FIELDS)


def _way_out(lake: Lake, plan: Plan, table: str, schema: StructType) -> str:
    """Return what can be done where columns of a mart's table cannot become of the types that its contract gives."""
    mart = table.rsplit(".", 1)[-1]
    source = min(name for name in plan.tables if mart in plan.downstream(name))
    request = {"table": source, "mode": "rebuild", "marts": [mart]}
    drop = "" if outgrown(lake, table, schema) else "drop the table, which such a column partitions, and "
    anew = f"{drop}build the mart anew: start {json.dumps(request)}"
    return f"Keep the type, or give the column another name. Or else {anew}"


def surplus(lake: Lake, table: str, schema: StructType) -> list[str]:
    """Return the columns and fields, as paths, that a mart's table is to lose: those that `schema` lacks.

    A column by which the table was ever partitioned stays: Iceberg reads old files by it.
    """
    have = StructType([f for f in lake.read(table).schema.fields if not f.name.startswith(renewal.PREFIX)])
    paths = map(".".join, _surplus(have, _audited(schema)))
    needed = lake.partition_columns(table)
    return [path for path in paths if path not in needed]


def business(lake: Lake, table: str, schema: StructType) -> StructType:
    """Return the columns of a mart's rows: those of `schema`, and those by which the table was ever partitioned."""
    named, needed = {f.name.lower() for f in schema.fields}, lake.partition_columns(table)
    kept = [f for f in lake.read(table).schema.fields if f.name in needed and f.name.lower() not in named]
    return StructType(schema.fields + kept)


def _surplus(have: DataType, want: DataType, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of the columns and fields that `want` lacks."""
    if isinstance(have, StructType) and isinstance(want, StructType):
        wanted = {f.name.lower(): f.dataType for f in want.fields}
        for f in have.fields:
            if f.name.lower() in wanted:
                yield from _surplus(f.dataType, wanted[f.name.lower()], (*path, f.name))
            else:
                yield (*path, f.name)
    elif isinstance(have, ArrayType) and isinstance(want, ArrayType):
        yield from _surplus(have.elementType, want.elementType, (*path, "element"))
