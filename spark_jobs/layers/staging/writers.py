"""Write what change capture found to the branches of the change log, the key state and the quarantine."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType, TimestampType

from contracts.model import Table
from spark_jobs.layers.lake import Branch
from spark_jobs.layers.staging import capture
from spark_jobs.layers.staging.records import RAW, REJECT
from spark_jobs.layers.staging.state import CURRENT, ENTRY, PART, SNAPSHOT, log_schema, payload_type, state_schema

QUARANTINE_SCHEMA = StructType(
    [
        *(StructField(n, StringType()) for n in ("_batch_id", "_source_file", "_order")),
        StructField("_landed_at", TimestampType()),
        StructField("_quarantined_at", TimestampType()),
        StructField.fromJson({"name": "_row_number", "type": "long", "nullable": True, "metadata": {}}),
        *(StructField(n, StringType()) for n in ("_column", "_rule", "_reason", "_raw")),
    ]
)


def payloads(news: DataFrame, table: Table, older: DataFrame | None, kept: DataFrame | None) -> DataFrame:
    """Return (key, `_row_hash`, `_payload`): the business columns behind a hash, each once.

    From the batch's rows; where a restored change needs them also from the log (`older`) and the state (`kept`).
    """
    payload = F.struct(*(F.col(f"`{n}`").alias(n) for n in _payload_columns(table)))
    if not _payload_columns(table):
        payload = F.struct(F.lit(None).cast("string").alias("_none"))
    columns = [*table.key, "_row_hash"]
    found = news.filter(F.col(REJECT).isNull() & F.col("_row_hash").isNotNull()).select(
        *columns, payload.alias("_payload")
    )
    if older is not None:
        logged = older.filter(F.col("_row_hash").isNotNull())
        found = found.unionByName(logged.select(*columns, payload.alias("_payload")))
    if kept is not None:
        found = found.unionByName(kept.filter(F.col("_payload").isNotNull()).select(*columns, "_payload"))
    return found.dropDuplicates(columns)


def write_log(
    branch: Branch, keys: DataFrame, values: DataFrame, table: Table, batch_id: str, now: datetime, removes: bool
) -> None:
    """Bring the change log's rows of `keys` to what recompute found; append only, unless `removes`."""
    if removes:
        gone = capture.exploded(keys, table, capture.OLD_LOG, capture.LOG)
        branch.remove(gone.select(*table.key, F.col("effective").alias("_effective_from")))
    at_order = keys.select(*table.key, F.explode(capture.ENTRIES).alias("_e")).select(
        *table.key, F.col("_e.at").alias("at"), F.col("_e.order").alias("_order")
    )
    rows = capture.exploded(keys, table, capture.LOG, capture.OLD_LOG).withColumnRenamed("hash", "_row_hash")
    rows = rows.join(at_order, on=[*table.key, "at"], how="left")
    rows = rows.join(values, on=[*table.key, "_row_hash"], how="left")
    business = [
        F.col(f"`{c.name}`") if c.name in table.key else F.col(f"_payload.`{c.name}`").alias(c.name)
        for c in table.columns
    ]
    branch.append(
        rows.select(
            *business,
            F.col("op").alias("_op"),
            F.col("effective").alias("_effective_from"),
            F.lit(batch_id).alias("_batch_id"),
            file_of(F.col("_order")).alias("_source_file"),
            landed_at_of(F.col("_order")).alias("_landed_at"),
            F.lit(now).cast("timestamp").alias("_staged_at"),
            "_row_hash",
            "_order",
            F.lit(None).cast("bigint").alias("_row_number"),
        )
    )


def write_state(branch: Branch, keys: DataFrame, values: DataFrame, table: Table, removes: bool) -> None:
    """Bring the state's entries of `keys` to what recompute found."""
    if removes:
        gone = capture.exploded(keys, table, capture.OLD, capture.ENTRIES)
        branch.remove(gone.select(*table.key, F.lit(ENTRY).alias(PART), F.col("at").alias("_at")))
    entries = capture.new_entries(keys, table)
    with_values = entries.join(values, on=[*table.key, "_row_hash"], how="left")
    payload = F.when(F.col("kept") == 1, F.col("_payload")).cast(payload_type(table))
    branch.append(with_values.withColumn("_payload", payload).select(*state_schema(table).names))


def write_current(branch: Branch, current: DataFrame, table: Table) -> None:
    """Replace the state's `current` part."""
    branch.overwrite(shaped(current, state_schema(table)), F.col(PART).eqNullSafe(CURRENT))


def write_listing(branch: Branch, table: Table, at: datetime, order: str, landings: str, replace: bool) -> None:
    """Remember that the snapshot of this file time is staged, and the landings that made it."""
    spark = branch.lake.spark
    row = spark.range(1).select(
        F.lit(SNAPSHOT).alias(PART),
        F.lit(at).cast("timestamp").alias("_at"),
        F.lit(order).alias("_order"),
        F.lit(landings).alias("_landings"),
    )
    if replace:
        branch.remove(row.select(PART, "_at"))
    branch.append(shaped(row, state_schema(table)))


def write_quarantine(branch: Branch, refused: DataFrame, batch_id: str, now: datetime) -> None:
    """Append refused records with their reason."""
    branch.append(
        refused.select(
            F.lit(batch_id).alias("_batch_id"),
            "_source_file",
            "_order",
            "_landed_at",
            F.lit(now).cast("timestamp").alias("_quarantined_at"),
            "_row_number",
            F.when(F.col(f"{REJECT}.column") != "", F.col(f"{REJECT}.column")).alias("_column"),
            F.col(f"{REJECT}.rule").alias("_rule"),
            F.col(f"{REJECT}.reason").alias("_reason"),
            F.col(RAW).alias("_raw"),
        )
    )


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


def shaped(rows: DataFrame, schema: StructType) -> DataFrame:
    """Select the schema's columns, NULL where `rows` has none."""
    return rows.select(
        *(
            (F.col(f"`{f.name}`") if f.name in rows.columns else F.lit(None)).cast(f.dataType).alias(f.name)
            for f in schema.fields
        )
    )


def file_of(order: Column) -> Column:
    """Return the s3 URI that a landing order names."""
    parts = F.split(order, "\t")
    return F.concat(F.lit("s3://"), F.get(parts, F.lit(4)), F.lit("/"), F.get(parts, F.lit(2)))


def landed_at_of(order: Column) -> Column:
    return F.get(F.split(order, "\t"), F.lit(1)).cast("timestamp")


def _payload_columns(table: Table) -> list[str]:
    return [c.name for c in table.columns if c.name not in table.key]
