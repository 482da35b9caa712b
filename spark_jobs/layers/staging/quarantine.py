"""The quarantine of a batch: refused records with their reason, on a branch that is opened when it is needed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField, StructType, TimestampType

from spark_jobs.layers.lake import Branch, Lake, branch_name
from spark_jobs.layers.staging.landings import is_named
from spark_jobs.layers.staging.records import RAW, REJECT

QUARANTINE_SCHEMA = StructType(
    [
        *(StructField(n, StringType()) for n in ("_batch_id", "_source_file", "_order")),
        StructField("_landed_at", TimestampType()),
        StructField("_quarantined_at", TimestampType()),
        StructField("_row_number", LongType()),
        *(StructField(n, StringType()) for n in ("_column", "_rule", "_reason", "_raw")),
    ]
)


class Quarantine:
    """The refused records of one batch; those of the same landings that stand there already leave first."""

    def __init__(self, lake: Lake, table: str, batch_id: str, now: datetime) -> None:
        self._lake = lake
        self._table = table
        self._batch_id = batch_id
        self._now = now
        self._branch: Branch | None = None

    def read(self) -> DataFrame:
        return self._branch.read() if self._branch else self._lake.read(self._table)

    def clear(self) -> None:
        """Remove all records, where there are any."""
        head = self._lake.head(self._table)
        if head and head.summary.get("total-records", "0") != "0":
            self._opened().clear()

    def forget(self, orders: Collection[str], names: Collection[str]) -> None:
        """Remove the records of landings by their orders, and by the names of objects whatever their order."""
        head = self._lake.head(self._table)
        if head is None or head.summary.get("total-records", "0") == "0":
            return
        if not names and not self._lake.may_hold(self._table, "_order", sorted(orders)):
            return
        theirs = self.read().filter(is_named(F.col("_order"), orders, names)).select("_order").distinct()
        if theirs.take(1):
            self._opened().remove(theirs)

    def add(self, refused: DataFrame) -> None:
        """Append refused records."""
        self._opened().append(
            refused.select(
                F.lit(self._batch_id).alias("_batch_id"),
                "_source_file",
                "_order",
                "_landed_at",
                F.lit(self._now).cast("timestamp").alias("_quarantined_at"),
                "_row_number",
                F.when(F.col(f"{REJECT}.column") != "", F.col(f"{REJECT}.column")).alias("_column"),
                F.col(f"{REJECT}.rule").alias("_rule"),
                F.col(f"{REJECT}.reason").alias("_reason"),
                F.col(RAW).alias("_raw"),
            )
        )

    def publish(self) -> None:
        """Make what was written visible; without any of it, do nothing."""
        if self._branch:
            self._branch.seal({"batch-id": self._batch_id})
            self._branch.publish()
            self._branch = None

    def _opened(self) -> Branch:
        if self._branch is None:
            self._branch = self._lake.branch(self._table, branch_name(self._batch_id), alone=True)
        return self._branch
