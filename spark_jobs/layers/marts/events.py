"""The events of a table's keys, read from its change log, in the order that the marts rely on."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from contracts.model import Table
from spark_jobs.layers.shaping import parse_schema, quoted

DELETED = "D"
AT = "_effective_from"


def log_columns(table: Table) -> dict[str, str]:
    """Return the columns of a change log that the marts read, with the Spark types that the contract gives."""
    business = {column.name: column.type for column in table.columns}
    return {
        **business,
        "_op": "string",
        AT: table.effective_type,
        "_order": "string",
        "_row_number": "bigint",
    }


def log_schema(table: Table) -> StructType:
    """Return `log_columns` as a schema."""
    return parse_schema(", ".join(f"{quoted(name)} {kind}" for name, kind in log_columns(table).items()))


def events(log: DataFrame, table: Table, *carried: str) -> DataFrame:
    """Return one row per event: business columns, `_op`, `_effective_from`, and the audit columns `carried`.

    With a key there is one event per key and instant; the rows of an append table count as upserts of their
    key, the last of an instant wins (SEMANTICS 5, 16). Without a key every row is an event.
    """
    if table.load == "append" and table.key:
        log = last_of_each_instant(log, table)
    return log.select(*table.column_names, "_op", AT, *carried)


def last_of_each_instant(log: DataFrame, table: Table) -> DataFrame:
    """Keep the last row of each key and instant by tie_break (NULL first), landing order, row number."""
    latest_first = [F.desc_nulls_last(name) for name in (*table.tie_break, "_order", "_row_number")]
    instant = Window.partitionBy(*table.key, AT).orderBy(*latest_first)
    return log.withColumn("_rank", F.row_number().over(instant)).where("_rank = 1").drop("_rank")


def living(op: Column) -> Column:
    """Tell whether `_op` leaves its key alive; false for no event at all."""
    return F.coalesce(op != DELETED, F.lit(False))


def same(left: Column, right: Column) -> Column:
    """Compare null-safe: NULL equals NULL."""
    return left.eqNullSafe(right)


def semi(rows: DataFrame, keys: DataFrame | None) -> DataFrame:
    """Keep the rows whose values equal, null-safe, a row of `keys` in its columns; None keeps all."""
    if keys is None:
        return rows
    return rows.join(_renamed(keys), _match(keys.columns), how="left_semi")


def anti(rows: DataFrame, keys: DataFrame) -> DataFrame:
    """Drop the rows whose values equal, null-safe, a row of `keys` in its columns."""
    return rows.join(_renamed(keys), _match(keys.columns), how="left_anti")


def flag(rows: DataFrame, keys: DataFrame, columns: Sequence[str], name: str) -> DataFrame:
    """Add the boolean `name`: do `columns` equal, null-safe, the values of a row of the distinct `keys`?"""
    keys = keys.toDF(*columns)
    marked = _renamed(keys).withColumn(name, F.lit(True))
    joined = rows.join(marked, _match(columns), how="left")
    return joined.select(*rows.columns, F.coalesce(F.col(name), F.lit(False)).alias(name))


def _renamed(keys: DataFrame) -> DataFrame:
    return keys.select(*[F.col(name).alias(f"_k_{name}") for name in keys.columns])


def _match(columns: Sequence[str]) -> Column:
    condition = F.lit(True)
    for name in columns:
        condition = condition & same(F.col(name), F.col(f"_k_{name}"))
    return condition
