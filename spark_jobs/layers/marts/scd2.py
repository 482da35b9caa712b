"""`scd2`: the versions of each key, half-open in time (SEMANTICS 17, 18)."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, NumericType

from contracts.model import Mart, Table
from spark_jobs.layers.marts.events import AT, events, living, same
from spark_jobs.layers.marts.surrogate import surrogate


def rows(log: DataFrame, mart: Mart, table: Table) -> DataFrame:
    """Return business columns, valid_from, valid_to, is_current, `<mart>_key`, is_inferred (false).

    valid_from is inclusive, valid_to exclusive and NULL while the version is open.
    """
    return (
        events(log, table, "_order")
        .transform(_starts, mart, table)
        .transform(_runs, mart, table)
        .transform(_begun, mart, table)
        .select(
            *[F.col(f"_content.{name}").alias(name) for name in table.column_names],
            "valid_from",
            "valid_to",
            F.col("valid_to").isNull().alias("is_current"),
            surrogate(*[F.col(f"_content.{name}") for name in table.key], F.col("valid_from")).alias(
                mart.surrogate_key
            ),
            F.lit(False).alias("is_inferred"),
        )
    )


def _starts(rows: DataFrame, mart: Mart, table: Table) -> DataFrame:
    """Add `_starts`: an upsert that opens a version, as the key was not alive or a tracked column changed."""
    by_key = Window.partitionBy(*table.key).orderBy(AT)
    tracked = F.struct(*mart.track) if mart.track else F.lit(True)
    goes_on = living(F.lag("_op").over(by_key)) & same(tracked, F.lag(tracked).over(by_key))
    return rows.withColumn("_starts", living(F.col("_op")) & ~goes_on)


def _runs(rows: DataFrame, mart: Mart, table: Table) -> DataFrame:
    """Keep each version's last event with `_content`, valid_from, and the next event's time as valid_to."""
    by_key = Window.partitionBy(*table.key).orderBy(AT)
    so_far = by_key.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    row = F.struct(*table.column_names)
    first_row = F.last(F.when(F.col("_starts"), row), ignorenulls=True).over(so_far)
    next_ends = ~living(F.lead("_op").over(by_key)) | F.lead("_starts").over(by_key)
    return rows.select(
        "_op",
        (row if mart.untracked_change == "overwrite" else first_row).alias("_content"),
        F.last(F.when(F.col("_starts"), F.col(AT)), ignorenulls=True).over(so_far).alias("valid_from"),
        F.lead(AT).over(by_key).alias("valid_to"),
        next_ends.alias("_ends"),
        F.last(F.when(F.col("_starts"), F.col("_order")), ignorenulls=True).over(so_far).alias("_order"),
    ).where(living(F.col("_op")) & F.col("_ends"))


def _begun(versions: DataFrame, mart: Mart, table: Table) -> DataFrame:
    """Let the first version of each key begin where the mart's `valid_from` says, but never after its end."""
    if mart.valid_from == "effective":
        return versions
    kind = versions.schema["valid_from"].dataType
    earliest = F.min("valid_from").over(Window.partitionBy(*[F.col(f"_content.{name}") for name in table.key]))
    landed = F.get(F.split("_order", "\t"), F.lit(1)).cast("timestamp").cast(kind)
    begins = F.least("valid_from", _epoch(kind)) if mart.valid_from == "epoch" else landed
    before_end = F.coalesce(begins < F.col("valid_to"), begins.isNotNull())
    return versions.withColumn(
        "valid_from", F.when((F.col("valid_from") == earliest) & before_end, begins).otherwise(F.col("valid_from"))
    )


def _epoch(kind: DataType) -> Column:
    return F.lit(0).cast(kind) if isinstance(kind, NumericType) else F.lit("1970-01-01").cast(kind)
