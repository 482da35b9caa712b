"""Write what change capture found to the branches of the change log and the key state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.lake import Branch
from spark_jobs.layers.shaping import as_data, conformed, literal_rows, parse_schema, quoted
from spark_jobs.layers.staging import timeline
from spark_jobs.layers.staging.landings import file_of, landed_at_of
from spark_jobs.layers.staging.records import REJECT
from spark_jobs.layers.staging.state import CURRENT, ENTRY, MOVED, PART, SNAPSHOT, key_columns, log_schema, state_schema


def remove_log_rows(branch: Branch, changes: DataFrame, table: Table) -> None:
    """Remove the change log's rows that must go."""
    gone = changes.selectExpr(*key_columns(table), "explode(_log_gone) AS _e")
    branch.remove(gone.selectExpr(*key_columns(table), "_e.effective AS _effective_from"))


def write_log(branch: Branch, rows: DataFrame, table: Table, batch_id: str, now: datetime) -> None:
    """Add rows to the change log: business columns, `_op`, `_effective_from`, `_row_hash`, `_order`."""
    branch.append(
        rows.select(
            *(F.col(quoted(column.name)) for column in table.columns),
            "_op",
            "_effective_from",
            F.lit(batch_id).alias("_batch_id"),
            file_of(F.col("_order")).alias("_source_file"),
            landed_at_of(F.col("_order")).alias("_landed_at"),
            F.expr(as_data(timeline.instant(now))).alias("_staged_at"),
            "_row_hash",
            "_order",
            F.lit(None).cast("bigint").alias("_row_number"),
        )
    )


def remove_entries(branch: Branch, changes: DataFrame, table: Table) -> None:
    """Remove the state's entries that must go."""
    gone = changes.selectExpr(*key_columns(table), "explode(_gone) AS _e")
    part = f"'{ENTRY}' AS {PART}"
    branch.remove(gone.selectExpr(*key_columns(table), part, "_e.at AS _at", "_e.order AS _order"))


def write_state(branch: Branch, parts: Sequence[DataFrame], current: DataFrame | None, table: Table) -> None:
    """Add rows to the state and, where `current` is given, replace that part and `moved`, in one commit."""
    together = [*parts, current] if current is not None else [*parts]
    schema = state_schema(table)
    rows = reduce(DataFrame.unionByName, [conformed(part, schema) for part in together])
    if current is None:
        branch.append(rows)
    else:
        branch.overwrite(rows, F.col(PART).isin(CURRENT, MOVED))


def listing(spark: SparkSession, at: datetime, order: str, landings: str) -> DataFrame:
    """Return the row that tells which landings a snapshot was made of."""
    row = {PART: SNAPSHOT, "_at": at, "_order": order, "_landings": landings}
    return literal_rows(spark, [row], parse_schema(f"{PART} string, _at timestamp, _order string, _landings string"))


def remove_listing(branch: Branch, at: datetime) -> None:
    """Forget which landings a snapshot was made of."""
    branch.remove(listing(branch.lake.spark, at, "", "").select(PART, "_at"))


def write_append(branch: Branch, rows: DataFrame, table: Table, batch_id: str, now: datetime) -> None:
    """Append the good rows of an append load: every row is an insert."""
    good = rows.filter(F.col(REJECT).isNull()).withColumns(
        {
            "_op": F.lit("I"),
            "_batch_id": F.lit(batch_id),
            "_staged_at": F.lit(now).cast("timestamp"),
        }
    )
    branch.append(good.select(*log_schema(table).names))
