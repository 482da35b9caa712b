"""The difference between a mart's rows and the recomputed ones: what must leave, what must come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_jobs.layers.errors import DataError

AUDIT = ("_batch_id", "_built_at")


class DuplicateKeyError(DataError):
    """Two rows of a mart have the same key."""


@dataclass(frozen=True)
class Counts:
    """Rows by what happened to them."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def any(self) -> bool:
        return bool(self.inserted or self.updated or self.deleted)


def difference(old: DataFrame, new: DataFrame, ids: Sequence[str], keep: Column | None = None) -> DataFrame:
    """Return `_old_n`, `_new_n` and the row structs `_old`, `_new` of each id whose rows differ, null-safe.

    `ids` names a row; without them whole rows are counted. Both sides have the same columns, no audit columns
    among them. Ids whose new row (struct `_new`) meets `keep` are returned although they are equal.
    """
    names = list(ids) or new.columns
    row = F.struct(*new.columns)
    sides = new.select(row.alias("_row"), F.lit(True).alias("_is_new")).unionByName(
        old.select(row.alias("_row"), F.lit(False).alias("_is_new"))
    )
    is_new = F.col("_is_new")
    grouped = sides.groupBy(*[F.col(f"_row.{name}").alias(f"_id_{name}") for name in names]).agg(
        F.count(F.when(~is_new, 1)).alias("_old_n"),
        F.count(F.when(is_new, 1)).alias("_new_n"),
        F.max(F.when(~is_new, F.col("_row"))).alias("_old"),
        F.max(F.when(is_new, F.col("_row"))).alias("_new"),
    )
    wanted = differs() if keep is None else differs() | F.coalesce(keep, F.lit(False))
    return grouped.where(wanted).select("_old_n", "_new_n", "_old", "_new")


def differs() -> Column:
    """Tell whether an id's old and new rows differ in number or content."""
    return (F.col("_old_n") != F.col("_new_n")) | ~F.col("_old").eqNullSafe(F.col("_new"))


def count(changed: DataFrame, extra: Sequence[Column] = ()) -> tuple[Counts, dict[str, bool], int]:
    """Return, by one job, the counts, the booleans `leaving`, `coming` and `extra`, and the most rows of an id."""
    old_n, new_n = F.col("_old_n"), F.col("_new_n")
    updated = F.when(~F.col("_old").eqNullSafe(F.col("_new")), F.least(old_n, new_n)).otherwise(F.lit(0))
    sums = {
        "inserted": F.sum(F.greatest(new_n - old_n, F.lit(0))),
        "updated": F.sum(updated),
        "deleted": F.sum(F.greatest(old_n - new_n, F.lit(0))),
        "most": F.max(new_n),
        "leaving": F.bool_or(differs() & (old_n > 0)),
        "coming": F.bool_or(differs() & (new_n > 0)),
    }
    found = changed.agg(*[value.alias(name) for name, value in sums.items()], *extra).first()
    values = found.asDict() if found else {}
    counts = Counts(*[int(values.pop(name) or 0) for name in ("inserted", "updated", "deleted")])
    most = int(values.pop("most") or 0)
    return counts, {name: bool(value) for name, value in values.items()}, most


def leaving(changed: DataFrame, ids: Sequence[str]) -> DataFrame:
    """Return what names the rows that must leave: their ids, or all columns."""
    gone = changed.where((F.col("_old_n") > 0) & differs()).select("_old.*")
    return gone.select(*ids) if ids else gone


def coming(changed: DataFrame) -> DataFrame:
    """Return the rows that must come, each as often as it must be there."""
    there = changed.where((F.col("_new_n") > 0) & differs())
    copies = F.explode(F.sequence(F.lit(1), F.col("_new_n").cast("int")))
    return there.select("_new", copies.alias("_copy")).select("_new.*")


def refuse_duplicates(changed: DataFrame, mart: str, ids: Sequence[str]) -> None:
    """Raise DuplicateKeyError that names the first ids which have several rows."""
    found = changed.where("_new_n > 1").select(*[F.col(f"_new.{name}") for name in ids]).take(3)
    named = "; ".join(", ".join(f"{k}={v}" for k, v in row.asDict().items()) for row in found)
    way_out = "Name more columns as its key, or let its SELECT return one row for each, and deploy it"
    raise DuplicateKeyError(f"{mart}: several rows have the key {named}. {way_out}")
