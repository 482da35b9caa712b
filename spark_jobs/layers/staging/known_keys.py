"""What the key state knows of a snapshot table's keys, and the `current` and `moved` parts in which it says so."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import TimestampType

from contracts.model import Table
from spark_jobs.layers.shaping import as_data
from spark_jobs.layers.staging.capture import KIND, TOUCHED, WAS_HASH, WAS_KIND, WAS_TEXT, keys
from spark_jobs.layers.staging.computed import small
from spark_jobs.layers.staging.readers.seam import FINGERPRINT
from spark_jobs.layers.staging.state import CURRENT, ENTRY, GONE, MOVED, PART, ROW

MANY = 200_000  # of fewer keys `current` is written anew as soon as read
SHARE = 8  # so many times as many keys as rows of `moved` keep `current` as it is


def known_now(state: DataFrame, table: Table, moved: int) -> DataFrame:
    """Return (key, `_was_kind`, `_was_hash`, `_touched`: false) as the last snapshot saw the keys, with WAS_TEXT.

    `moved` is how many rows that part of the state has.
    """
    current = state.filter(F.col(PART) == CURRENT)
    if moved:
        newest = _newest(state, table)
        overtaken = small(newest.select(*keys(table)), moved)
        current = current.select(*keys(table), KIND, "_row_hash", *FINGERPRINT).join(
            overtaken, on=list(table.key), how="left_anti"
        )
        current = current.union(newest.filter(F.col(KIND) != GONE))
    texts = [f"{name} AS {was}" for name, was in zip(FINGERPRINT, WAS_TEXT, strict=True)]
    was = [f"{KIND} AS {WAS_KIND}", f"_row_hash AS {WAS_HASH}", f"false AS {TOUCHED}"]
    return current.selectExpr(*keys(table), *was, *texts)


def _newest(state: DataFrame, table: Table) -> DataFrame:
    """Return of each key's rows in `moved` the one that counts."""
    told = F.struct(KIND, "_row_hash", *FINGERPRINT)
    rows = state.filter(F.col(PART) == MOVED)
    return rows.groupBy(*keys(table)).agg(F.max_by(told, "_row_number").alias("_last")).select(*keys(table), "_last.*")


def goes_beside(moved: int, more: int, living: int) -> bool:
    """Tell whether `more` rows are better added to `moved`, which has `moved`, than `current` of `living` written."""
    return living > MANY and (moved + more) * SHARE <= living


def moves(changes: DataFrame | None, texts: DataFrame | None, table: Table, number: int) -> DataFrame:
    """Return rows for `moved`: what the last snapshot saw otherwise, or by another text, than the one before."""
    parts = []
    if changes is not None:
        seen = changes.filter("_moved").selectExpr(
            *keys(table), f"coalesce(_is.kind, '{GONE}') AS {KIND}", "_is.hash AS _row_hash"
        )
        parts.append(seen if texts is None else seen.join(texts, on=list(table.key), how="left_anti"))
    if texts is not None:
        parts.append(texts.withColumn(KIND, F.lit(ROW)))
    rows = parts[0] if len(parts) == 1 else parts[0].unionByName(parts[1], allowMissingColumns=True)
    numbered = as_data(f"CAST({number} AS bigint)")
    return rows.withColumns({PART: F.lit(MOVED), "_row_number": F.expr(numbered)})


def known_as_of(state: DataFrame, table: Table, at: datetime) -> DataFrame:
    """Return the same as the last snapshot before `at` saw the keys; `_touched`: one at `at` itself is stored."""
    instant = F.lit(at).cast(TimestampType())
    seen = F.when((F.col("_at") < instant) & F.col(KIND).isNotNull(), F.struct(KIND, "_row_hash"))
    entries = state.filter((F.col(PART) == ENTRY) & (F.col("_at") <= instant))
    last = entries.groupBy(*keys(table)).agg(
        F.max_by(seen, F.when(seen.isNotNull(), F.col("_at"))).alias("_last"),
        F.max(F.col("_at") == instant).alias(TOUCHED),
    )
    living = F.col(f"_last.{KIND}") != GONE
    return last.filter(F.col(TOUCHED) | living).select(
        *keys(table),
        F.when(living, F.col(f"_last.{KIND}")).alias(WAS_KIND),
        F.when(living, F.col("_last._row_hash")).alias(WAS_HASH),
        TOUCHED,
    )


def current_rows(known: DataFrame, changes: DataFrame | None, count: int, table: Table) -> DataFrame:
    """Return the state's new `current` part: what the last snapshot saw of the keys that are not gone."""
    kept = known.withColumnsRenamed(
        {WAS_KIND: KIND, WAS_HASH: "_row_hash", **dict(zip(WAS_TEXT, FINGERPRINT, strict=True))}
    )
    if changes is None:
        return kept.drop(TOUCHED).withColumn(PART, F.lit(CURRENT))
    moved = changes.filter("_moved")
    kept = kept.join(small(moved.select(*keys(table)), count), on=list(table.key), how="left_anti")
    seen = moved.filter("_is IS NOT NULL").selectExpr(*keys(table), f"_is.kind AS {KIND}", "_is.hash AS _row_hash")
    return kept.drop(TOUCHED).unionByName(seen, allowMissingColumns=True).withColumn(PART, F.lit(CURRENT))


def with_texts(current: DataFrame, texts: DataFrame, table: Table) -> DataFrame:
    """Put the fingerprints of the rows that a snapshot has read in place of what `current` rows had."""
    renamed = texts.drop("_row_hash").withColumnsRenamed(dict(zip(FINGERPRINT, WAS_TEXT, strict=True)))
    joined = current.join(renamed, on=list(table.key), how="left")
    newer = {name: F.coalesce(was, name) for name, was in zip(FINGERPRINT, WAS_TEXT, strict=True)}
    return joined.withColumns(newer).drop(*WAS_TEXT)
