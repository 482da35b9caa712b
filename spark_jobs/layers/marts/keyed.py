"""latest, scd2, history, dimension: the keys that changed are recomputed whole from the change log."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.model import MEMBERED, Mart, Table
from spark_jobs.layers.marts import history
from spark_jobs.layers.marts.attempt import Attempt
from spark_jobs.layers.marts.events import AT, flag, semi
from spark_jobs.layers.marts.names import KEYED
from spark_jobs.layers.marts.tables import refuse


@dataclass(frozen=True)
class Work:
    """What an attempt recomputed: the rows in scope as they must be and as they are, and what names a row.

    `old` is None where all rows of the mart are in scope.
    """

    new: DataFrame
    old: DataFrame | None
    ids: tuple[str, ...]


def recompute(attempt: Attempt) -> Work:
    """Recompute the rows of the keys (without a key: the instants) that changed since the mart saw them."""
    mart = attempt.run.mart
    table = attempt.run.plan.tables[mart.source]
    affected = attempt.changed(mart.source, table.key or (AT,))
    log = attempt.log(mart.source)
    refuse(mart.name, log.schema)
    new = KEYED[mart.kind](semi(log, affected), mart, table)
    if mart.kind == "history":
        return _retained(attempt, table, new, affected)
    return Work(new, _affected(attempt, affected), _ids(mart, table))


def _affected(attempt: Attempt, affected: DataFrame | None) -> DataFrame | None:
    current = attempt.current()
    return None if current is None or affected is None else semi(current, affected)


def _ids(mart: Mart, table: Table) -> tuple[str, ...]:
    """Return the columns that name a row; surrogate keys tell real members from inferred ones."""
    if mart.kind in MEMBERED:
        return (mart.surrogate_key, *table.key)
    return table.key


def _retained(attempt: Attempt, table: Table, new: DataFrame, affected: DataFrame | None) -> Work:
    """Leave out what `keep_for` no longer keeps, in every key."""
    ids = (*table.key, AT) if table.key else ()
    kept = history.kept(attempt.run.mart, table, attempt.run.now)
    if kept is not None:
        new = new.where(kept)
    current = attempt.current()
    if kept is None or current is None or affected is None:
        return Work(new, _affected(attempt, affected), ids)
    marked = flag(current, affected, affected.columns, "_affected")
    return Work(new, marked.where(F.col("_affected") | ~kept).drop("_affected"), ids)
