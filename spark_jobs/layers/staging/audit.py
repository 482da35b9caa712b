"""The books of all batches, in `audit.batches`."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, LongType, StringType, StructField, StructType, TimestampType

from contracts.model import Table
from spark_jobs.layers.evolution import ensure
from spark_jobs.layers.lake import Lake, Snapshot
from spark_jobs.layers.shaping import conformed, literal_rows
from spark_jobs.layers.staging.books import Books
from spark_jobs.layers.staging.landings import Manifest

TABLE = "batches"
_COUNTS = ("landings", *Books().as_dict())
SCHEMA = StructType(
    [
        StructField("table", StringType()),
        StructField("batch_id", StringType()),
        StructField("token", LongType()),
        StructField("mode", StringType()),
        *(StructField(name, LongType()) for name in _COUNTS),
        StructField("balanced", BooleanType()),
        StructField("snapshot_id", LongType()),
        StructField("published_at", TimestampType()),
    ]
)


def write_batch(lake: Lake, table: Table, manifest: Manifest, done: Snapshot, books: Books, again: bool) -> None:
    """Write the batch's books; `again`: unless an earlier call for it has."""
    name = lake.table("audit", TABLE)
    ensure(lake, name, SCHEMA)
    if again and lake.read(name).filter(F.col("batch_id") == manifest.batch_id).take(1):
        return
    row = {
        "table": table.name,
        "batch_id": manifest.batch_id,
        "token": manifest.token,
        "mode": manifest.mode,
        "landings": len(manifest.landings),
        **books.as_dict(),
        "balanced": books.balanced,
        "snapshot_id": done.id,
        "published_at": datetime.now(UTC),
    }
    written = conformed(literal_rows(lake.spark, [row], SCHEMA), lake.read(name).schema)
    written.coalesce(1).writeTo(name).append()
