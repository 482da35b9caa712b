"""Mart tables: their columns follow the contract, their rows carry who built them and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType, TimestampType

from spark_jobs.layers.errors import DataError
from spark_jobs.layers.lake import Lake

_AUDIT_FIELDS = [StructField("_batch_id", StringType()), StructField("_built_at", TimestampType())]


class MartSchemaError(DataError):
    """A mart's table cannot take the columns that its contract gives it now."""


def audited(rows: DataFrame, batch_id: str, now: datetime) -> DataFrame:
    """Add `_batch_id` and `_built_at`, the time of the run."""
    return rows.select("*", F.lit(batch_id).alias("_batch_id"), F.lit(now).alias("_built_at"))


def ensure(lake: Lake, table: str, schema: StructType, partition_by: Sequence[str]) -> int:
    """Create the table or change its columns to `schema` and the audit columns, and its partitions; return its head."""
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
            changes.append(f"ADD COLUMN `{f.name}` {f.dataType.simpleString()}")
        elif present[f.name].simpleString() != f.dataType.simpleString():
            changes.append(f"ALTER COLUMN `{f.name}` TYPE {f.dataType.simpleString()}")
    changes += [f"DROP COLUMN `{name}`" for name in present if name not in wanted.names]
    for change in changes:
        try:
            lake.spark.sql(f"ALTER TABLE {table} {change}")
        except AnalysisException as error:
            reason = str(error).splitlines()[0]
            message = f"{table}: cannot {change}: {reason}; drop the table and rebuild it"
            raise MartSchemaError(message) from error
