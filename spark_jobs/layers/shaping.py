"""Bring rows to the columns of a schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructField, StructType, _parse_datatype_string

_MOMENT = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"


def quoted(name: str) -> str:
    """Return a name as SQL takes it, whatever its characters."""
    return "`" + name.replace("`", "``") + "`"


@cache
def parse_schema(ddl: str) -> StructType:
    """Return the schema that DDL text such as `a int, b string` describes; needs a running Spark."""
    schema = _parse_datatype_string(ddl)
    assert isinstance(schema, StructType)
    return schema


def literal_rows(spark: SparkSession, rows: Sequence[Mapping[str, object]], schema: StructType) -> DataFrame:
    """Return a few rows that the driver has, by column name; Spark needs no Python worker for them."""
    told = json.dumps(list(rows), default=_moment)
    parsed = F.from_json(F.lit(told), f"array<{schema.simpleString()}>", {"timestampFormat": _MOMENT})
    return spark.range(1).select(F.inline(parsed))


def _moment(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} is neither JSON nor a datetime")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def conformed(rows: DataFrame, schema: StructType) -> DataFrame:
    """Return the columns of `schema` in its types; NULL, inside structs too, where `rows` has none."""
    have = {f.name.lower(): f for f in rows.schema.fields}
    return rows.select(
        *(_conformed(F.col(quoted(f.name)), have.get(f.name.lower()), f.dataType).alias(f.name) for f in schema.fields)
    )


def _conformed(value: Column, have: StructField | None, want: DataType) -> Column:
    if have is None:
        return F.lit(None).cast(want)
    if have.dataType == want:
        return value
    if not isinstance(want, StructType) or not isinstance(have.dataType, StructType):
        return value.cast(want)
    inner = {f.name.lower(): f for f in have.dataType.fields}
    fields = [_conformed(value[f.name], inner.get(f.name.lower()), f.dataType).alias(f.name) for f in want.fields]
    return F.when(value.isNotNull(), F.struct(*fields))
