"""The lake: Iceberg tables of all layers and their snapshots."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from spark_jobs.layers import renewal
from spark_jobs.layers.branches import PROPERTY, Branch, branch_name, open_branch
from spark_jobs.layers.java import as_dict, elements, keep_names
from spark_jobs.layers.shaping import quoted, sql_type

__all__ = ["PROPERTY", "Branch", "Lake", "Snapshot", "branch_name", "is_empty"]

_TABLE_PROPERTIES = {
    "format-version": "2",
    "write.delete.mode": "copy-on-write",
    "write.update.mode": "copy-on-write",
    "write.merge.mode": "copy-on-write",
    "write.parquet.compression-codec": "zstd",
}
_TRANSFORMS = {"year": "years", "month": "months", "day": "days", "hour": "hours"}


@dataclass(frozen=True)
class Snapshot:
    """One Iceberg snapshot: its id, parent, operation and summary properties, when it was made (ms since 1970)."""

    id: int
    parent_id: int | None
    operation: str
    summary: Mapping[str, str]
    milliseconds: int = 0

    @property
    def changes_rows(self) -> bool:
        """Tell whether rows were added or removed (compaction and empty commits do neither)."""
        if self.operation == "replace":
            return False
        return any(self.summary.get(name, "0") != "0" for name in ("added-data-files", "deleted-data-files"))


class Lake:
    """Names, reads and commits the Iceberg tables of one pipeline; `prefix` is `<pipeline>_<env>`."""

    def __init__(self, spark: SparkSession, prefix: str) -> None:
        self.spark = spark
        self.prefix = prefix
        keep_names(spark)

    def table(self, layer: str, name: str) -> str:
        """Return the full identifier of a table, e.g. `staging.nycflights_dev_staging.planes`."""
        return f"{layer}.{self.prefix}_{layer}.{name}"

    def handle(self, table: str) -> Any:
        """Return the Java table, as it is now."""
        jvm: Any = self.spark._jvm
        return jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(self.spark._jsparkSession, table)

    def exists(self, table: str) -> bool:
        return self.spark.catalog.tableExists(table)

    def read(self, table: str, snapshot_id: int | None = None) -> DataFrame:
        """Read a table, as of a snapshot where one is given: in the columns of its time, whatever became of them."""
        if snapshot_id is None:
            return self.spark.read.table(table)
        return self.spark.sql(f"SELECT * FROM {table} VERSION AS OF {snapshot_id}")

    def create(
        self,
        table: str,
        schema: StructType,
        partition_by: Sequence[str] = (),
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """Create a table unless it is there; `partition_by` holds contract words such as `month(signup)`."""
        columns = ", ".join(f"{quoted(f.name)} {sql_type(f.dataType)}" for f in schema.fields)
        partitions = ", ".join(_spark_transform(word) for word in partition_by)
        together = {**_TABLE_PROPERTIES, **(properties or {})}
        words = ", ".join(f"'{name}'='{value}'" for name, value in together.items())
        self.spark.sql(
            f"CREATE TABLE IF NOT EXISTS {table} ({columns}) USING iceberg "
            + (f"PARTITIONED BY ({partitions}) " if partitions else "")
            + f"TBLPROPERTIES ({words})"
        )

    def repartition(self, table: str, partition_by: Sequence[str]) -> None:
        """Partition what is written from now on by other words; files that are there stay as they are."""
        have = {_plain(word): word for word in self._partitions(table)}
        want = {_plain(word): word for word in map(_spark_transform, partition_by)}
        for plain, word in have.items():
            if plain not in want:
                self.spark.sql(f"ALTER TABLE {table} DROP PARTITION FIELD {word}")
        for plain, word in want.items():
            if plain not in have:
                self.spark.sql(f"ALTER TABLE {table} ADD PARTITION FIELD {word}")

    def _partitions(self, table: str) -> Iterator[str]:
        """Yield what a table is partitioned by, as Spark writes it, such as `bucket(16, k)`."""
        handle = self.handle(table)
        for field in elements(handle.spec().fields()):
            name, column = str(field.transform()), handle.schema().findColumnName(field.sourceId())
            size = re.fullmatch(r"(\w+)\[(\d+)\]", name)
            if size:
                yield f"{size[1]}({size[2]}, {column})"
            else:
                yield column if name == "identity" else f"{_TRANSFORMS[name]}({column})"

    def partition_columns(self, table: str) -> set[str]:
        """Return the columns by which a table is or was partitioned."""
        handle = self.handle(table)
        fields = (field for spec in as_dict(handle.specs()).values() for field in elements(spec.fields()))
        return {str(handle.schema().findColumnName(field.sourceId())) for field in fields}

    def head(self, table: str) -> Snapshot | None:
        """Return the snapshot that readers see, or None for a table that is missing or new."""
        if not self.exists(table):
            return None
        return next(self.history(table), None)

    def history(self, table: str) -> Iterator[Snapshot]:
        """Yield the snapshots of main from the newest back, as far as they are kept."""
        handle = self.handle(table)
        java = handle.currentSnapshot()
        while java is not None:
            snapshot = self._snapshot(java)
            yield snapshot
            java = handle.snapshot(snapshot.parent_id) if snapshot.parent_id is not None else None

    def _snapshot(self, java: Any) -> Snapshot:
        """Read a Java snapshot by one call: each costs as much as the next."""
        jvm: Any = self.spark._jvm
        raw = json.loads(jvm.org.apache.iceberg.SnapshotParser.toJson(java))
        summary = raw.get("summary", {})
        operation = summary.pop("operation", "")
        return Snapshot(
            raw["snapshot-id"], raw.get("parent-snapshot-id"), operation, summary, int(raw.get("timestamp-ms", 0))
        )

    def property(self, table: str, name: str) -> str | None:
        """Return the newest value that main's history holds for a `landfall.` property."""
        if not self.exists(table):
            return None
        return next((s.summary[PROPERTY + name] for s in self.history(table) if PROPERTY + name in s.summary), None)

    def sealed(self, table: str) -> Snapshot | None:
        """Return the newest snapshot of main by which a batch was published, or None."""
        if not self.exists(table):
            return None
        return next((s for s in self.history(table) if PROPERTY + "batch-id" in s.summary), None)

    def published_by(self, table: str, batch_id: str, token: int | None = None) -> Snapshot | None:
        """Return the snapshot by which a batch was published, or None.

        Tokens only grow: behind one that is lower than the batch's there is nothing to look for.
        """
        if not self.exists(table):
            return None
        for snapshot in self.history(table):
            if token is not None and int(snapshot.summary.get(PROPERTY + "token", token)) < token:
                return None
            if snapshot.summary.get(PROPERTY + "batch-id") == batch_id:
                return snapshot
        return None

    def may_hold(self, table: str, column: str, values: Sequence[str]) -> bool:
        """Tell from metadata whether a row of main may have one of these values: False is certain."""
        handle = self.handle(table)
        if not values or handle.currentSnapshot() is None:
            return False
        jvm: Any = self.spark._jvm
        wanted = jvm.java.util.ArrayList()
        for value in values:
            wanted.add(value)
        is_one = getattr(jvm.org.apache.iceberg.expressions.Expressions, "in")(column, wanted)
        files = handle.newScan().filter(is_one).planFiles()
        try:
            found: bool = files.iterator().hasNext()
            return found
        finally:
            files.close()

    def settle(self, table: str, snapshot_id: int) -> None:
        """Make main the published snapshot `snapshot_id` and drop its branch, unless a later run did so."""
        handle = self.handle(table)
        for name, ref in as_dict(handle.refs()).items():
            if name != "main" and ref.snapshotId() == snapshot_id:
                transaction = handle.newTransaction()
                renewal.publish(transaction, handle, name)
                transaction.manageSnapshots().replaceBranch("main", snapshot_id).removeBranch(name).commit()
                transaction.commitTransaction()
                return

    def branch(self, table: str, stem: str, at: int | None = None, alone: bool = False) -> Branch:
        """Open a branch of its own at main's head (or at snapshot `at`); `stem` is that of `branch_name`.

        Those left by dead runs of the same stem are dropped; `alone` drops those of all other runs too: for the
        lease holder only.
        """
        return open_branch(self, table, stem, at, alone)

    def changed_keys(self, table: str, columns: Sequence[str], since: int | None) -> DataFrame | None:
        """Return the distinct `columns` of all rows that came or went after snapshot `since`, of no row or few others.

        None means that nobody can tell (no such snapshot any more): the reader must rebuild.
        """
        if since is None:
            return None
        between: list[Snapshot] = []
        for snapshot in self.history(table):
            if snapshot.id == since:
                break
            between.append(snapshot)
        else:
            return None
        changes = [snapshot for snapshot in between if snapshot.changes_rows]
        if not changes:
            return self.read(table).select(*columns).limit(0)
        if all(snapshot.operation == "append" for snapshot in changes):
            rows = (
                self.spark.read.option("start-snapshot-id", since).option("end-snapshot-id", between[0].id).table(table)
            )
            return rows.select(*columns).distinct()
        return self._changelog(table, since).select(*columns).distinct()

    def changed_since(self, table: str, since: int) -> bool:
        """Tell from metadata whether rows may have come or gone after snapshot `since`."""
        for snapshot in self.history(table):
            if snapshot.id == since:
                return False
            if snapshot.changes_rows:
                return True
        return True

    def first_head(self, table: str) -> Snapshot:
        """Return the head of a table; one that has none gets an empty snapshot."""
        handle = self.handle(table)
        if handle.currentSnapshot() is None:
            handle.newFastAppend().commit()
        return next(self.history(table))

    def _changelog(self, table: str, since: int) -> DataFrame:
        """Return the rows that came or went; of a table with maps also those that a file took along as they were.

        To leave those out Iceberg sorts the rows, and maps have no order.
        """
        if "map<" in self.read(table).schema.simpleString():
            return self.spark.read.option("start-snapshot-id", since).table(f"{table}.changes")
        catalog, name = table.split(".", 1)
        view = "changes_" + table.replace(".", "_")
        self.spark.sql(
            f"CALL {catalog}.system.create_changelog_view(table => '{name}', changelog_view => '{view}', "
            f"options => map('start-snapshot-id', '{since}'))"
        )
        return self.spark.table(view)


def is_empty(rows: DataFrame) -> bool:
    """Tell whether a DataFrame has no row, reading at most one."""
    return not rows.select(F.lit(1)).take(1)


def _plain(word: str) -> str:
    """Return a partition's word without blanks, quotes and case."""
    return re.sub(r"[\s`]", "", word).lower()


def _spark_transform(word: str) -> str:
    name, bracket, rest = word.partition("(")
    return _TRANSFORMS.get(name.strip(), name.strip()) + bracket + rest
