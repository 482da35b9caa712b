"""`dimension`: one row per key ever seen, with its last living row's values (type 1).

A deleted key keeps its member, because facts point to it; `is_deleted` says that the key is gone.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from contracts.model import Mart, Table
from spark_jobs.layers.marts.events import AT, DELETED, events, living
from spark_jobs.layers.marts.surrogate import surrogate


def rows(log: DataFrame, mart: Mart, table: Table) -> DataFrame:
    """Return business columns, is_deleted, `<mart>_key` and is_inferred (false)."""
    by_key = Window.partitionBy(*table.key)
    return (
        events(log, table)
        .withColumn("_next", F.lead("_op").over(by_key.orderBy(AT)))
        .where(living(F.col("_op")))
        .withColumn("_rank", F.row_number().over(by_key.orderBy(F.desc(AT))))
        .where("_rank = 1")
        .select(
            *table.column_names,
            F.col("_next").eqNullSafe(DELETED).alias("is_deleted"),
            surrogate(*[F.col(name) for name in table.key]).alias(mart.surrogate_key),
            F.lit(False).alias("is_inferred"),
        )
    )
