"""The books of all batches, in `audit.batches`."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql.types import BooleanType, LongType, StringType, StructField, StructType, TimestampType

from contracts.model import Table
from spark_jobs.layers.evolution import ensure
from spark_jobs.layers.lake import Lake, Snapshot
from spark_jobs.layers.once import Value, append_once
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


def write_batch(lake: Lake, table: Table, manifest: Manifest, done: Snapshot, books: Books) -> None:
    """Write the batch's books, unless an earlier or another run of it has."""
    name = lake.table("audit", TABLE)
    ensure(lake, name, SCHEMA)
    row: dict[str, Value] = {
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
    append_once(lake, name, row, "batch_id")
