"""Mart tables: their columns follow the contract, their rows carry who built them and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StringType, StructField, StructType, TimestampType

from spark_jobs.layers import evolution
from spark_jobs.layers.errors import DataError, SchemaChangeError
from spark_jobs.layers.lake import Lake
from spark_jobs.layers.shaping import quoted

_WAY_OUT = "Give the column another name, or drop the table and build the mart anew"
_AUDIT_FIELDS = [StructField("_batch_id", StringType()), StructField("_built_at", TimestampType())]


class MartSchemaError(DataError):
    """A mart's table cannot take the columns that its contract gives it now."""


def audited(rows: DataFrame, batch_id: str, now: datetime) -> DataFrame:
    """Add `_batch_id` and `_built_at`, the time of the run."""
    return rows.select("*", F.lit(batch_id).alias("_batch_id"), F.lit(now).alias("_built_at"))


def refuse(mart: str, schema: StructType) -> None:
    """Raise MartSchemaError where a column has no type, or one that cannot be compared."""
    for name, kind in ((f.name, f.dataType.simpleString()) for f in schema.fields):
        if "void" in kind:
            raise MartSchemaError(f"{mart}: column {name} is NULL without a type: write CAST(NULL AS string), say")
        if "map<" in kind:
            raise MartSchemaError(
                f"{mart}: column {name} is {kind}, and maps cannot be compared: return what is needed of it by SQL, "
                "such as one value or array_sort(map_entries(…))"
            )


def ensure(lake: Lake, table: str, schema: StructType, partition_by: Sequence[str]) -> int:
    """Create the table or change its columns to `schema` and the audit columns, and its partitions; return its head.

    A column that `schema` lacks goes, unless the table was ever partitioned by it: Iceberg reads old files by it.

    MartSchemaError where a column has no type, holds a map, or has a type that Iceberg cannot make of the one it has.
    """
    refuse(table.rsplit(".", 1)[-1], schema)
    wanted = StructType(schema.fields + _AUDIT_FIELDS)
    try:
        evolution.ensure(lake, table, wanted, partition_by, way_out=_WAY_OUT)
    except SchemaChangeError as error:
        raise MartSchemaError(str(error)) from error
    needed = lake.partition_columns(table)
    for path in _surplus(lake.read(table).schema, wanted):
        if ".".join(path) not in needed:
            lake.spark.sql(f"ALTER TABLE {table} DROP COLUMN {'.'.join(map(quoted, path))}")
    return lake.first_head(table).id


def business(lake: Lake, table: str) -> StructType:
    """Return the columns that a mart's table has beside the audit columns."""
    audit = {f.name for f in _AUDIT_FIELDS}
    return StructType([f for f in lake.read(table).schema.fields if f.name not in audit])


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
