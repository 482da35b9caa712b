"""What the key state knows of a snapshot table's keys, and the `current` and `moved` parts in which it says so."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import TimestampType

from contracts.model import Table
from spark_jobs.layers.shaping import as_data
from spark_jobs.layers.staging.capture import KIND, TOUCHED, WAS_HASH, WAS_KIND
from spark_jobs.layers.staging.computed import small
from spark_jobs.layers.staging.readers.seam import FINGERPRINT
from spark_jobs.layers.staging.state import AS_TEXT, CURRENT, ENTRY, GONE, MOVED, PART, WAS_TEXT, key_columns

KNOWN = "_known"
MANY = 200_000  # of fewer keys `current` is written anew as soon as read
SHARE = 8  # so many times as many keys as rows of `moved` keep `current` as it is


def known_now(state: DataFrame, table: Table, moved: int) -> DataFrame:
    """Return (key, `_was_kind`, `_was_hash`, `_touched`: false) as the last snapshot saw the keys, with WAS_TEXT.

    `moved` is how many rows that part of the state has.
    """
    current = state.filter(F.col(PART) == CURRENT)
    if moved:
        newest = _newest(state, table)
        overtaken = small(newest.select(*key_columns(table)), moved)
        current = current.select(*key_columns(table), KIND, "_row_hash", *FINGERPRINT).join(
            overtaken, on=list(table.key), how="left_anti"
        )
        current = current.union(newest.filter(F.col(KIND) != GONE))
    texts = [f"{name} AS {was}" for name, was in zip(FINGERPRINT, WAS_TEXT, strict=True)]
    was = [f"{KIND} AS {WAS_KIND}", f"_row_hash AS {WAS_HASH}", f"false AS {TOUCHED}"]
    return current.selectExpr(*key_columns(table), *was, *texts)


def _newest(state: DataFrame, table: Table) -> DataFrame:
    """Return of each key's rows in `moved` the one that counts."""
    told = F.struct(KIND, "_row_hash", *FINGERPRINT)
    rows = state.filter(F.col(PART) == MOVED)
    return (
        rows.groupBy(*key_columns(table))
        .agg(F.max_by(told, "_row_number").alias("_last"))
        .select(*key_columns(table), "_last.*")
    )


def goes_beside(moved: int, more: int, living: int) -> bool:
    """Tell whether `more` rows are better added to `moved`, which has `moved`, than `current` of `living` written."""
    return living > MANY and (moved + more) * SHARE <= living


def moves(seen: DataFrame, number: int) -> DataFrame:
    """Return rows for `moved`: what the last snapshot saw otherwise than the one before (`capture.seen_otherwise`)."""
    numbered = as_data(f"CAST({number} AS bigint)")
    return seen.withColumns({PART: F.lit(MOVED), "_row_number": F.expr(numbered)})


def texts_now(state: DataFrame, moved: int) -> DataFrame:
    """Return FINGERPRINT and `_known`, which adds up to how many living keys the last snapshot knows by it.

    A row of `moved` counts the fingerprint that it overtakes out again: no key is looked at. NULL, of keys whose
    record is not known, stays counted.
    """
    living = state.filter(F.col(PART).isin(CURRENT, MOVED) & (F.col(KIND) != GONE))
    texts = living.selectExpr(*FINGERPRINT, f"1 AS {KNOWN}")
    if not moved:
        return texts
    overtaken = state.filter((F.col(PART) == MOVED) & F.col(WAS_TEXT[0]).isNotNull())
    return texts.union(overtaken.selectExpr(*AS_TEXT, f"-1 AS {KNOWN}"))


def known_as_of(state: DataFrame, table: Table, at: datetime) -> DataFrame:
    """Return the same as the last snapshot before `at` saw the keys; `_touched`: one at `at` itself is stored."""
    instant = F.lit(at).cast(TimestampType())
    seen = F.when((F.col("_at") < instant) & F.col(KIND).isNotNull(), F.struct(KIND, "_row_hash"))
    entries = state.filter((F.col(PART) == ENTRY) & (F.col("_at") <= instant))
    last = entries.groupBy(*key_columns(table)).agg(
        F.max_by(seen, F.when(seen.isNotNull(), F.col("_at"))).alias("_last"),
        F.max(F.col("_at") == instant).alias(TOUCHED),
    )
    living = F.col(f"_last.{KIND}") != GONE
    return last.filter(F.col(TOUCHED) | living).select(
        *key_columns(table),
        F.when(living, F.col(f"_last.{KIND}")).alias(WAS_KIND),
        F.when(living, F.col("_last._row_hash")).alias(WAS_HASH),
        TOUCHED,
        *(F.lit(None).cast("bigint").alias(was) for was in WAS_TEXT),
    )


def current_rows(known: DataFrame, seen: DataFrame, table: Table) -> DataFrame:
    """Return the state's new `current` part: what is known of keys, but for those that are `seen` otherwise."""
    kept = known.join(seen.select(*key_columns(table)), on=list(table.key), how="left_anti").drop(TOUCHED)
    kept = kept.withColumnsRenamed(
        {WAS_KIND: KIND, WAS_HASH: "_row_hash", **dict(zip(WAS_TEXT, FINGERPRINT, strict=True))}
    )
    living = seen.filter(F.col(KIND) != GONE).drop(*WAS_TEXT)
    return kept.unionByName(living, allowMissingColumns=True).withColumn(PART, F.lit(CURRENT))
