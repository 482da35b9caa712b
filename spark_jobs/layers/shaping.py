"""Bring rows to the columns of a schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType, _parse_datatype_string

from spark_jobs.layers.by_name import by_name

_MOMENT = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"


def quoted(name: str) -> str:
    """Return a name as SQL takes it, whatever its characters."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """Return a text as a literal of SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


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


def as_data(constant: str) -> str:
    """Return SQL that gives a constant, as SQL, to each row: as a number in generated code Java compiles it each time.

    It stands in a select of its own.
    """
    return f"explode(array({constant}))"


def _moment(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} is neither JSON nor a datetime")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def conformed(rows: DataFrame, schema: StructType) -> DataFrame:
    """Return the columns of `schema` in its types; NULL, inside structs too, where `rows` has none.

    Fields go by their names, at any depth.
    """
    have = {f.name.lower(): f for f in rows.schema.fields}
    return rows.select(*(_value(have.get(f.name.lower()), f) for f in schema.fields))


def _value(have: StructField | None, want: StructField) -> Column:
    if have is None:
        return F.lit(None).cast(want.dataType).alias(want.name)
    return by_name(F.col(quoted(have.name)), have.dataType, want.dataType).alias(want.name)


def sql_type(kind: DataType) -> str:
    """Return a type as SQL takes it, whatever the names of its fields."""
    if isinstance(kind, StructType):
        return f"struct<{', '.join(f'{quoted(f.name)}: {sql_type(f.dataType)}' for f in kind.fields)}>"
    if isinstance(kind, ArrayType):
        return f"array<{sql_type(kind.elementType)}>"
    if isinstance(kind, MapType):
        return f"map<{sql_type(kind.keyType)}, {sql_type(kind.valueType)}>"
    return kind.simpleString()
