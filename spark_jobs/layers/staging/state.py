"""The key state: every observation of every key, narrow, so that a late landing can be put right.

One Iceberg table `state.<table>` for each keyed staging table, in parts (identity partitions):

- `entry`: one row per key, instant and landing by which the key was observed. For snapshots consecutive equal
  observations are stored once (a snapshot observes every key, so nothing is lost); for upsert and changes all are
  stored, those too that another landing's beat at the same instant: they come back when that one is taken back.
  `_effective_from` and `_op` say which row of the change log it stands behind, if any.
- `current`: the last observation of each living key, with the fingerprint of the record that said so; only snapshot
  loads keep it.
- `moved`: what snapshots since have seen otherwise than `current`, where writing that anew would cost much more; of a
  key's rows the one with the highest `_row_number` counts, and it may say that the key is gone. Each also holds the
  fingerprint that it overtakes, so that those in force are counted without a look at keys.
- `patch`: one row per record of a feed with partial updates: its values, and which columns it holds.
- `truncation`: one row per record that empties the table; only change feeds keep it.
- `snapshot`: one row per file time with the landings that made it; only snapshot loads keep it.

`_payload` holds the business columns only where no row of the change log has them.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql.types import (
    ArrayType,
    DataType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from contracts.model import Table
from spark_jobs.layers.shaping import sql_type
from spark_jobs.layers.staging.readers.seam import FINGERPRINT
from spark_jobs.layers.staging.records import business_schema

PART = "_part"
ENTRY, SNAPSHOT, TRUNCATION, PATCH = "entry", "snapshot", "truncation", "patch"
CURRENT, MOVED = "current", "moved"
ROW, GONE, HELD = "row", "gone", "held"
WAS_TEXT = ("_was_high", "_was_low")  # the fingerprint of the record that said so
AS_TEXT = [f"{was} AS {name}" for name, was in zip(FINGERPRINT, WAS_TEXT, strict=True)]  # under its own names
TEXT = StringType()


def effective_type(table: Table) -> DataType:
    """Return the Spark type of `_effective_from`."""
    if table.effective_at.column is None:
        return TimestampType()
    return business_schema(table)[table.effective_at.column].dataType


def at_type(table: Table) -> DataType:
    """Return the type of an observation's instant: the file time of snapshots, else effective_at."""
    return TimestampType() if table.load == "snapshot" else effective_type(table)


def tie_type(table: Table) -> DataType:
    """Return the type of `_tie`: a struct of the tie_break columns, or a string that is always NULL."""
    if not table.tie_break:
        return TEXT
    schema = business_schema(table)
    return StructType([StructField(name, schema[name].dataType) for name in table.tie_break])


def observation_type(table: Table) -> StructType:
    """Return an observation; the field order is the sort order of rule 5 of SEMANTICS.

    `fresh` is 1 for observations of the running batch; `stated` is the row's own effective_at; `cut` the instant
    in the type of effective_at; `logged` and `op` the change-log row, `kept` whether the payload is kept here.
    """
    effective = effective_type(table)
    return StructType(
        [
            StructField("at", at_type(table)),
            StructField("tie", tie_type(table)),
            StructField("deleted", IntegerType()),
            StructField("order", TEXT),
            StructField("number", LongType()),
            StructField("fresh", IntegerType()),
            StructField("kind", TEXT),
            StructField("hash", TEXT),
            StructField("stated", effective),
            StructField("cut", effective),
            StructField("logged", effective),
            StructField("op", TEXT),
            StructField("kept", IntegerType()),
        ]
    )


def key_schema(table: Table) -> StructType:
    schema = business_schema(table)
    return StructType([StructField(name, schema[name].dataType) for name in table.key])


def state_schema(table: Table) -> StructType:
    """Return the columns of the state table."""
    effective, texts = effective_type(table), (*FINGERPRINT, *WAS_TEXT)
    return StructType(
        [
            *key_schema(table).fields,
            StructField(PART, TEXT),
            StructField("_at", at_type(table)),
            StructField("_tie", tie_type(table)),
            StructField("_order", TEXT),
            StructField("_row_number", LongType()),
            StructField("_kind", TEXT),
            StructField("_row_hash", TEXT),
            StructField("_stated", effective),
            StructField("_effective_from", effective),
            StructField("_op", TEXT),
            StructField("_landings", TEXT),
            StructField("_payload", payload_type(table)),
            *([StructField("_present", ArrayType(TEXT))] if table.updates == "partial" else []),
            *([StructField(name, LongType()) for name in texts] if table.load == "snapshot" else []),
        ]
    )


def payload_type(table: Table) -> StructType:
    """Return the business columns other than the key, as a struct."""
    fields = [field for field in business_schema(table).fields if field.name not in table.key]
    return StructType(fields or [StructField("_none", TEXT)])


def log_schema(table: Table) -> StructType:
    """Return the columns of the staging table (the change log): business columns, then audit columns."""
    return StructType(
        [
            *business_schema(table).fields,
            StructField("_op", TEXT),
            StructField("_effective_from", effective_type(table)),
            StructField("_batch_id", TEXT),
            StructField("_source_file", TEXT),
            StructField("_landed_at", TimestampType()),
            StructField("_staged_at", TimestampType()),
            StructField("_row_hash", TEXT),
            StructField("_order", TEXT),
            StructField("_row_number", LongType()),
        ]
    )


def key_columns(table: Table) -> list[str]:
    """Return the key columns as SQL writes them."""
    return [f"`{name}`" for name in table.key]


def payload_columns(table: Table) -> Sequence[str]:
    """Return the business columns that are not of the key."""
    return [name for name in table.column_names if name not in table.key]


def value_type(table: Table) -> str:
    """Return the type of `_value`."""
    return f"struct<hash: string, payload: {sql_type(payload_type(table))}>"


def value_if(table: Table, condition: str) -> str:
    """Return struct(hash, payload) as `_value`, NULL unless the condition holds."""
    kind = sql_type(payload_type(table))
    columns = ", ".join(f"`{name}`" for name in payload_columns(table)) or "CAST(NULL AS string)"
    value = f"named_struct('hash', _row_hash, 'payload', CAST(struct({columns}) AS {kind}))"
    return f"if({condition}, {value}, NULL) AS _value"
