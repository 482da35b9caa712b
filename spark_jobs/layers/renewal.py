"""Columns that begin anew: beside the old ones until their branch is published.

Columns of Iceberg are those of every branch of a table. So what is written under other types goes to columns whose
names are their branch's own; in the commit that makes the branch main they take the names of the old ones, which go.
Readers see the old columns until then, whatever stops the run. What dead runs left goes with their branches.

Here `handle` is Iceberg's table in Java, `transaction` one of its transactions, `branch` the name of a branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from spark_jobs.layers.java import elements
from spark_jobs.layers.shaping import conformed, quoted

PREFIX = "_anew_"
_OWN = 9  # characters of a branch's name that no other branch ends with


def beside(branch: str, column: str = "") -> str:
    """Return the name under which a branch keeps a column that begins anew; without a column, what it begins with."""
    return f"{PREFIX}{branch[-_OWN:]}_{column}"


def as_named(rows: DataFrame, renewed: Mapping[str, str]) -> DataFrame:
    """Return rows of a branch with its renewed columns in place of the old ones.

    `renewed`: their names in small letters, to those that they have in the table until it is published.
    """
    kept = [name for name in rows.columns if not name.startswith(PREFIX)]
    return rows.select(*(F.col(quoted(renewed.get(name.lower(), name))).alias(name) for name in kept))


def as_stored(rows: DataFrame, schema: StructType, renewed: Mapping[str, str]) -> DataFrame:
    """Return rows in the columns of the table; the old columns of those that are renewed are NULL."""
    return conformed(rows.withColumnsRenamed(dict(renewed)), schema)


def publish(transaction: Any, handle: Any, branch: str) -> bool:
    """Give a branch's renewed columns, and what is partitioned by them, their names; tell whether there are any."""
    own = beside(branch)
    names = [name for name in _columns(handle) if name.startswith(own)]
    if not names:
        return False
    schema = transaction.updateSchema()
    for name in names:
        schema = schema.deleteColumn(name.removeprefix(own)).renameColumn(name, name.removeprefix(own))
    schema.commit()
    spec = transaction.updateSpec()
    for field in _partitions(handle, own):
        spec = spec.renameField(field, field.removeprefix(own))
    spec.commit()
    return True


def drop(transaction: Any, handle: Any, branches: Iterable[str] | None = None) -> bool:
    """Drop the columns that branches began anew and did not publish: these, or all; tell whether there are any."""
    own = (PREFIX,) if branches is None else tuple(map(beside, branches))
    left = [name for name in _columns(handle) if name.startswith(own)]
    if not left:
        return False
    spec = transaction.updateSpec()
    for field in _partitions(handle, own):
        spec = spec.removeField(field)
    spec.commit()
    drop_columns(transaction, left)
    return True


def drop_columns(transaction: Any, names: Sequence[str]) -> None:
    """Drop columns, or fields of them by their paths."""
    schema = transaction.updateSchema()
    for name in names:
        schema = schema.deleteColumn(name)
    schema.commit()


def _columns(handle: Any) -> list[str]:
    return [str(column.name()) for column in elements(handle.schema().columns())]


def _partitions(handle: Any, prefix: str | tuple[str, ...]) -> list[str]:
    """Return what a table is partitioned by whose name begins so: Iceberg names it after its column."""
    names = (str(field.name()) for field in elements(handle.spec().fields()))
    return [name for name in names if name.startswith(prefix)]
