"""Mart tables: their columns follow the contract, their rows carry who built them and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType, TimestampType

from spark_jobs.layers.errors import DataError
from spark_jobs.layers.lake import Lake
from spark_jobs.layers.shaping import quoted, sql_type

_REFUSED = "Unsupported table change"
_AUDIT_FIELDS = [StructField("_batch_id", StringType()), StructField("_built_at", TimestampType())]


class MartSchemaError(DataError):
    """A mart's table cannot take the columns that its contract gives it now."""


def audited(rows: DataFrame, batch_id: str, now: datetime) -> DataFrame:
    """Add `_batch_id` and `_built_at`, the time of the run."""
    return rows.select("*", F.lit(batch_id).alias("_batch_id"), F.lit(now).alias("_built_at"))


def ensure(lake: Lake, table: str, schema: StructType, partition_by: Sequence[str]) -> int:
    """Create the table or change its columns to `schema` and the audit columns, and its partitions; return its head.

    MartSchemaError where a column has no type, or one that Iceberg cannot make of the one it has.
    """
    for f in schema.fields:
        if "void" in f.dataType.simpleString():
            raise MartSchemaError(f"{table}: column {f.name} is NULL without a type: write CAST(NULL AS string), say")
    wanted = StructType(schema.fields + _AUDIT_FIELDS)
    if not lake.exists(table):
        lake.create(table, wanted, partition_by)
    else:
        _follow(lake, table, wanted)
        lake.repartition(table, partition_by)
    return lake.first_head(table).id


def _follow(lake: Lake, table: str, wanted: StructType) -> None:
    """Add, widen and drop columns; MartSchemaError where Iceberg cannot change a type."""
    present = {f.name: f.dataType for f in lake.read(table).schema.fields}
    changes = []
    for f in wanted.fields:
        if f.name not in present:
            changes.append(f"ADD COLUMN {quoted(f.name)} {sql_type(f.dataType)}")
        elif present[f.name].simpleString() != f.dataType.simpleString():
            changes.append(f"ALTER COLUMN {quoted(f.name)} TYPE {sql_type(f.dataType)}")
    changes += [f"DROP COLUMN {quoted(name)}" for name in present if name not in wanted.names]
    for change in changes:
        try:
            lake.spark.sql(f"ALTER TABLE {table} {change}")
        except (AnalysisException, Py4JJavaError) as error:
            if isinstance(error, Py4JJavaError) and _REFUSED not in str(error.java_exception):
                raise
            told = error.java_exception.getMessage() if isinstance(error, Py4JJavaError) else str(error)
            way_out = "give the column another name, or drop the table and build the mart anew"
            raise MartSchemaError(
                f"{table}: cannot {change}: {told.splitlines()[0].rstrip('; ')}; {way_out}"
            ) from error
