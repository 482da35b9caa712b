"""Branches of Iceberg tables: written, checked, sealed, then made main in one atomic step."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import IllegalArgumentException
from pyspark.sql import Column, DataFrame

from spark_jobs.layers import renewal
from spark_jobs.layers.errors import ConcurrentPublishError
from spark_jobs.layers.java import as_dict, elements
from spark_jobs.layers.shaping import conformed
from spark_jobs.layers.steps import reached

if TYPE_CHECKING:
    from spark_jobs.layers.lake import Lake

PROPERTY = "landfall."
BRANCH_PREFIX = "b_"
_OPEN_ATTEMPTS = 5


def branch_name(batch_id: str) -> str:
    """Return the stem of a batch's branches: the prefix and the batch id with all but letters and digits as `_`.

    An execution may be named in any script, which SQL takes in quotes only.
    """
    return BRANCH_PREFIX + "".join(c if c.isascii() and c.isalnum() else "_" for c in batch_id)


def open_branch(lake: Lake, table: str, stem: str, at: int | None, alone: bool) -> Branch:
    """Create a branch that no other run knows, so that one which wakes up late cannot write to it.

    Where another job commits to the table meanwhile, it is looked at again.
    """
    for _ in range(_OPEN_ATTEMPTS - 1):
        try:
            return _opened(lake, table, stem, at, alone)
        except Py4JJavaError as error:
            if "CommitFailedException" not in str(error):
                raise
    return _opened(lake, table, stem, at, alone)


def _opened(lake: Lake, table: str, stem: str, at: int | None, alone: bool) -> Branch:
    handle = lake.handle(table)
    if handle.currentSnapshot() is None:
        handle.newFastAppend().commit()
        handle.refresh()
    transaction = handle.newTransaction()
    names = [str(name) for name in elements(handle.refs().keySet())]
    dead = [name for name in names if name.startswith(f"{stem}_x") or (alone and name.startswith(BRANCH_PREFIX))]
    renewal.drop(transaction, handle, None if alone else dead)
    refs = transaction.manageSnapshots()
    for old in dead:
        refs = refs.removeBranch(old)
    start = at if at is not None else handle.currentSnapshot().snapshotId()
    name = f"{stem}_x{uuid.uuid4().hex[:8]}"
    refs.createBranch(name, start).commit()
    transaction.commitTransaction()
    return Branch(lake, table, name)


def drop_of_stem(lake: Lake, table: str, stem: str) -> None:
    """Drop what runs of the same stem have left, where another of them has published."""
    names = elements(lake.handle(table).refs().keySet())
    drop_branches(lake, table, [name for name in names if name.startswith(f"{stem}_x")])


def drop_branches(lake: Lake, table: str, names: Sequence[str]) -> None:
    """Drop branches, and the columns that they began anew."""
    if not names:
        return
    handle = lake.handle(table)
    transaction = handle.newTransaction()
    if renewal.drop(transaction, handle, names):
        transaction.commitTransaction()
        handle.refresh()
    refs = handle.manageSnapshots()
    for name in names:
        refs = refs.removeBranch(name)
    refs.commit()


class Branch:
    """A branch of one table; whoever finds that another run has dropped it gets a ConcurrentPublishError.

    `renewed` are the columns that begin anew on it, as `renewal.as_named` takes them; `surplus` are those, and fields
    as paths, that the table loses when it is published.
    """

    def __init__(self, lake: Lake, table: str, name: str) -> None:
        self.lake = lake
        self.table = table
        self.name = name
        self.renewed: dict[str, str] = {}
        self.surplus: Sequence[str] = ()

    @property
    def identifier(self) -> str:
        return f"{self.table}.branch_{self.name}"

    def read(self) -> DataFrame:
        rows = self.lake.spark.read.table(self.identifier)
        return renewal.as_named(rows, self.renewed) if self.renewed else rows

    def append(self, rows: DataFrame) -> None:
        """Append rows, brought to the table's columns by name."""
        reached("append", table=self.table)
        rows.transform(self._shaped).writeTo(self.identifier).append()

    def overwrite(self, rows: DataFrame, where: Column) -> None:
        """Replace, in one commit, the rows that satisfy `where` (a filter on partition columns) by `rows`.

        Each task writes its own rows as they come: a shuffle by partition would cost more than the writing.
        """
        reached("overwrite", table=self.table)
        writer = rows.transform(self._shaped).writeTo(self.identifier)
        writer.option("distribution-mode", "none").option("fanout-enabled", "true").overwrite(where)

    def remove(self, keys: DataFrame) -> None:
        """Delete the rows whose values equal those of a row of `keys`, null-safe, in the columns of `keys`."""
        condition = " AND ".join(f"t.`{self.renewed.get(name.lower(), name)}` <=> s.`{name}`" for name in keys.columns)
        view = f"remove_{self.name}_{self.table.rsplit('.', 1)[-1]}"
        keys.createOrReplaceTempView(view)
        reached("remove", table=self.table)
        self.lake.spark.sql(f"MERGE INTO {self.identifier} t USING {view} s ON {condition} WHEN MATCHED THEN DELETE")

    def clear(self) -> None:
        """Remove all rows."""
        jvm: Any = self.lake.spark._jvm
        everything = jvm.org.apache.iceberg.expressions.Expressions.alwaysTrue()
        handle, tip = self._tip()
        handle.newDelete().deleteFromRowFilter(everything).toBranch(self.name).commit()
        self._follows(handle, tip)

    def seal(self, properties: Mapping[str, str]) -> int:
        """Commit the `landfall.` summary properties on the branch; return the snapshot id."""
        reached("seal", table=self.table)
        handle, tip = self._tip()
        commit = handle.newFastAppend()
        for name, value in properties.items():
            commit = commit.set(PROPERTY + name, value)
        commit.toBranch(self.name).commit()
        return self._follows(handle, tip)

    def head_id(self) -> int:
        return self._tip()[1]

    def number(self) -> int:
        """Return the number of the last commit; those of later ones are higher."""
        return int(self._tip()[0].snapshot(self.name).sequenceNumber())

    def count_in(self, column: str, value: str) -> int:
        """Return how many rows have `value` in a column by which the table is partitioned, from metadata."""
        jvm: Any = self.lake.spark._jvm
        handle, tip = self._tip()
        is_one = jvm.org.apache.iceberg.expressions.Expressions.equal(column, value)
        planned = handle.newScan().useSnapshot(tip).filter(is_one).planFiles()
        try:
            return sum(int(task.file().recordCount()) for task in elements(planned))
        finally:
            planned.close()

    def publish(self) -> int:
        """Fast-forward main to the branch and drop the branch, in one commit; return what main is then.

        ConcurrentPublishError when main has moved since. An answer that is lost is looked up in main's history.
        """
        handle, published = self._tip()
        try:
            transaction = handle.newTransaction()
            is_renewed = renewal.publish(transaction, handle, self.name)
            if self.surplus:
                renewal.drop_columns(transaction, self.surplus)
            if is_renewed or self.surplus:
                published = self._sealed_again(transaction, handle)
            transaction.manageSnapshots().fastForwardBranch("main", self.name).removeBranch(self.name).commit()
            reached("publish", table=self.table)
            transaction.commitTransaction()
        except (IllegalArgumentException, Py4JJavaError) as error:
            if any(snapshot.id == published for snapshot in self.lake.history(self.table)):
                return published
            self.drop()  # nobody can publish it any more
            raise ConcurrentPublishError(
                f"{self.table}: published by another run since this one read it ({str(error).splitlines()[0]})"
            ) from error
        return published

    def drop(self) -> None:
        """Remove the branch; its files go with the next maintenance run."""
        if self.lake.handle(self.table).refs().containsKey(self.name):
            drop_branches(self.lake, self.table, [self.name])

    def _shaped(self, rows: DataFrame) -> DataFrame:
        """Return rows in the table's columns, by name."""
        rows = rows.transform(conformed, self.read().schema)
        if not self.renewed:
            return rows
        return renewal.as_stored(rows, self.lake.spark.read.table(self.identifier).schema, self.renewed)

    def _sealed_again(self, transaction: Any, handle: Any) -> int:
        """Commit the last summary once more; return the snapshot: who reads one finds the columns of its time."""
        commit = transaction.newFastAppend()
        for name, value in as_dict(handle.snapshot(self.name).summary()).items():
            if name.startswith(PROPERTY):
                commit = commit.set(name, value)
        commit.toBranch(self.name).commit()
        return int(transaction.table().snapshot(self.name).snapshotId())

    def _tip(self) -> tuple[Any, int]:
        """Return the table's handle and the branch's last snapshot."""
        handle = self.lake.handle(self.table)
        snapshot = handle.snapshot(self.name)
        if snapshot is None:
            raise self._gone()
        return handle, snapshot.snapshotId()

    def _follows(self, handle: Any, tip: int) -> int:
        """Return the last snapshot; a commit to a branch that was dropped meanwhile made a new one elsewhere."""
        snapshot = handle.snapshot(self.name)
        if snapshot.parentId() != tip:
            self.drop()
            raise self._gone()
        return int(snapshot.snapshotId())

    def _gone(self) -> ConcurrentPublishError:
        return ConcurrentPublishError(f"{self.table}: another run took the table over and dropped {self.name}")
