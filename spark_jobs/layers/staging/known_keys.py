"""What the key state knows of a snapshot table's keys, and the `current` part in which it says so."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import TimestampType

from contracts.model import Table
from spark_jobs.layers.staging.capture import KIND, TOUCHED, WAS_HASH, WAS_KIND, WAS_TEXT, keys
from spark_jobs.layers.staging.computed import small
from spark_jobs.layers.staging.readers.seam import FINGERPRINT
from spark_jobs.layers.staging.state import CURRENT, ENTRY, GONE, PART


def known_now(state: DataFrame, table: Table) -> DataFrame:
    """Return (key, `_was_kind`, `_was_hash`, `_touched`: false) as the last snapshot saw the keys, with WAS_TEXT."""
    current = state.filter(F.col(PART) == CURRENT)
    texts = [f"{name} AS {was}" for name, was in zip(FINGERPRINT, WAS_TEXT, strict=True)]
    was = [f"{KIND} AS {WAS_KIND}", f"_row_hash AS {WAS_HASH}", f"false AS {TOUCHED}"]
    return current.selectExpr(*keys(table), *was, *texts)


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
    renamed = texts.withColumnsRenamed(dict(zip(FINGERPRINT, WAS_TEXT, strict=True)))
    joined = current.join(renamed, on=list(table.key), how="left")
    newer = {name: F.coalesce(was, name) for name, was in zip(FINGERPRINT, WAS_TEXT, strict=True)}
    return joined.withColumns(newer).drop(*WAS_TEXT)
