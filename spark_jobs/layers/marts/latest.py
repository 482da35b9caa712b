"""`latest`: the whole row of each living key's last event (SEMANTICS 19)."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from contracts.model import Mart, Table
from spark_jobs.layers.marts.events import AT, events, living


def rows(log: DataFrame, _mart: Mart | None, table: Table) -> DataFrame:
    """Return the business columns of all living keys."""
    newest_first = Window.partitionBy(*table.key).orderBy(F.desc(AT))
    return (
        events(log, table)
        .withColumn("_rank", F.row_number().over(newest_first))
        .where((F.col("_rank") == 1) & living(F.col("_op")))
        .select(*table.column_names)
    )


def current_rows(log: DataFrame, table: Table) -> DataFrame:
    """Return what a table's name stands for in SQL: an append table's rows, else the living keys' rows."""
    if table.load == "append":
        return log.select(*table.column_names)
    return rows(log, None, table)
