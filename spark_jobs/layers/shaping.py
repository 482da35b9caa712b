"""Bring rows to the columns of a schema."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructField, StructType


def conformed(rows: DataFrame, schema: StructType) -> DataFrame:
    """Return the columns of `schema` in its types; NULL, inside structs too, where `rows` has none."""
    have = {f.name.lower(): f for f in rows.schema.fields}
    return rows.select(
        *(_conformed(F.col(f"`{f.name}`"), have.get(f.name.lower()), f.dataType).alias(f.name) for f in schema.fields)
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
