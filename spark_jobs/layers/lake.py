"""The lake: Iceberg tables of all layers, their snapshots, and publishing by branch and fast-forward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import IllegalArgumentException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from spark_jobs.layers.errors import ConcurrentPublishError
from spark_jobs.layers.shaping import conformed

PROPERTY = "landfall."
BRANCH_PREFIX = "b_"
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
    """One Iceberg snapshot: its id, parent, operation and summary properties."""

    id: int
    parent_id: int | None
    operation: str
    summary: Mapping[str, str]

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

    def table(self, layer: str, name: str) -> str:
        """Return the full identifier of a table, e.g. `staging.nycflights_dev_staging.planes`."""
        return f"{layer}.{self.prefix}_{layer}.{name}"

    def exists(self, table: str) -> bool:
        return self.spark.catalog.tableExists(table)

    def read(self, table: str, snapshot_id: int | None = None) -> DataFrame:
        """Read a table, as of a snapshot where one is given."""
        reader = self.spark.read.option("snapshot-id", snapshot_id) if snapshot_id else self.spark.read
        return reader.table(table)

    def create(self, table: str, schema: StructType, partition_by: Sequence[str] = ()) -> None:
        """Create a table unless it is there; `partition_by` holds contract words such as `month(signup)`."""
        columns = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in schema.fields)
        partitions = ", ".join(_spark_transform(word) for word in partition_by)
        properties = ", ".join(f"'{name}'='{value}'" for name, value in _TABLE_PROPERTIES.items())
        self.spark.sql(
            f"CREATE TABLE IF NOT EXISTS {table} ({columns}) USING iceberg "
            + (f"PARTITIONED BY ({partitions}) " if partitions else "")
            + f"TBLPROPERTIES ({properties})"
        )

    def head(self, table: str) -> Snapshot | None:
        """Return the snapshot that readers see, or None for a table that is missing or new."""
        if not self.exists(table):
            return None
        return next(self.history(table), None)

    def history(self, table: str) -> Iterator[Snapshot]:
        """Yield the snapshots of main from the newest back, as far as they are kept."""
        handle = self._handle(table)
        java = handle.currentSnapshot()
        while java is not None:
            parent = java.parentId()
            yield Snapshot(java.snapshotId(), parent, java.operation(), dict(java.summary()))
            java = handle.snapshot(parent) if parent is not None else None

    def property(self, table: str, name: str) -> str | None:
        """Return the newest value that main's history holds for a `landfall.` property."""
        if not self.exists(table):
            return None
        return next((s.summary[PROPERTY + name] for s in self.history(table) if PROPERTY + name in s.summary), None)

    def published_by(self, table: str, batch_id: str) -> Snapshot | None:
        """Return the snapshot by which a batch was published, or None."""
        if not self.exists(table):
            return None
        return next((s for s in self.history(table) if s.summary.get(PROPERTY + "batch-id") == batch_id), None)

    def drop_other_branches(self, table: str, keep: str) -> None:
        """Drop the branches that dead runs left, all but main and `keep`; for the lease holder only."""
        handle = self._handle(table)
        refs = handle.manageSnapshots()
        others = [name for name in handle.refs() if name not in ("main", keep) and name.startswith(BRANCH_PREFIX)]
        for name in others:
            refs = refs.removeBranch(name)
        if others:
            refs.commit()

    def settle(self, table: str, branch: str, snapshot_id: int) -> None:
        """Make main the published snapshot `snapshot_id` and drop the branch, unless a later run did so."""
        handle = self._handle(table)
        if handle.refs().containsKey(branch):
            handle.manageSnapshots().replaceBranch("main", snapshot_id).removeBranch(branch).commit()

    def branch(self, table: str, name: str, at: int | None = None) -> Branch:
        """Open a fresh branch at main's head (or at snapshot `at`); one left by a dead run is dropped first."""
        handle = self._handle(table)
        if handle.currentSnapshot() is None:
            handle.newFastAppend().commit()
            handle.refresh()
        refs = handle.manageSnapshots()
        if handle.refs().containsKey(name):
            refs = refs.removeBranch(name)
        start = at if at is not None else handle.currentSnapshot().snapshotId()
        refs.createBranch(name, start).commit()
        return Branch(self, table, name)

    def changed_keys(self, table: str, columns: Sequence[str], since: int | None) -> DataFrame | None:
        """Return the distinct `columns` of all rows that came or went after snapshot `since`.

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
        handle = self._handle(table)
        if handle.currentSnapshot() is None:
            handle.newFastAppend().commit()
        return next(self.history(table))

    def _changelog(self, table: str, since: int) -> DataFrame:
        catalog, name = table.split(".", 1)
        view = "changes_" + table.replace(".", "_")
        self.spark.sql(
            f"CALL {catalog}.system.create_changelog_view(table => '{name}', changelog_view => '{view}', "
            f"options => map('start-snapshot-id', '{since}'))"
        )
        return self.spark.table(view)

    def _handle(self, table: str) -> Any:
        jvm: Any = self.spark._jvm
        return jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(self.spark._jsparkSession, table)


class Branch:
    """A branch of one table: written, checked, sealed, then made main in one atomic step."""

    def __init__(self, lake: Lake, table: str, name: str) -> None:
        self.lake = lake
        self.table = table
        self.name = name

    @property
    def identifier(self) -> str:
        return f"{self.table}.branch_{self.name}"

    def read(self) -> DataFrame:
        return self.lake.spark.read.table(self.identifier)

    def append(self, rows: DataFrame) -> None:
        """Append rows, columns matched by name; the table's other columns are NULL."""
        conformed(rows, self.read().schema).writeTo(self.identifier).append()

    def overwrite(self, rows: DataFrame, where: Column) -> None:
        """Replace, in one commit, the rows that satisfy `where` (a filter on partition columns)."""
        conformed(rows, self.read().schema).writeTo(self.identifier).overwrite(where)

    def remove(self, keys: DataFrame) -> None:
        """Delete the rows whose values equal those of a row of `keys`, null-safe, in the columns of `keys`."""
        condition = " AND ".join(f"t.`{name}` <=> s.`{name}`" for name in keys.columns)
        view = f"remove_{self.name}_{self.table.rsplit('.', 1)[-1]}"
        keys.createOrReplaceTempView(view)
        self.lake.spark.sql(f"MERGE INTO {self.identifier} t USING {view} s ON {condition} WHEN MATCHED THEN DELETE")

    def seal(self, properties: Mapping[str, str]) -> int:
        """Commit the `landfall.` summary properties on the branch; return the snapshot id."""
        commit = self.lake._handle(self.table).newFastAppend()
        for name, value in properties.items():
            commit = commit.set(PROPERTY + name, value)
        commit.toBranch(self.name).commit()
        return self.head_id()

    def head_id(self) -> int:
        snapshot_id: int = self.lake._handle(self.table).snapshot(self.name).snapshotId()
        return snapshot_id

    def publish(self) -> int:
        """Fast-forward main to the branch and drop it; ConcurrentPublishError when main has moved since."""
        handle = self.lake._handle(self.table)
        published = self.head_id()
        try:
            handle.manageSnapshots().fastForwardBranch("main", self.name).commit()
        except (IllegalArgumentException, Py4JJavaError) as error:
            raise ConcurrentPublishError(
                f"{self.table}: published by another run since this one read it ({str(error).splitlines()[0]})"
            ) from error
        self.drop()
        return published

    def drop(self) -> None:
        """Remove the branch; its files go with the next maintenance run."""
        handle = self.lake._handle(self.table)
        if handle.refs().containsKey(self.name):
            handle.manageSnapshots().removeBranch(self.name).commit()


def branch_name(batch_id: str) -> str:
    """Return the branch of a batch: the prefix and the batch id with all but letters and digits as `_`."""
    return BRANCH_PREFIX + "".join(c if c.isalnum() else "_" for c in batch_id)


def is_empty(rows: DataFrame) -> bool:
    """Tell whether a DataFrame has no row, reading at most one."""
    return not rows.select(F.lit(1)).take(1)


def _spark_transform(word: str) -> str:
    name, bracket, rest = word.partition("(")
    return _TRANSFORMS.get(name.strip(), name.strip()) + bracket + rest
