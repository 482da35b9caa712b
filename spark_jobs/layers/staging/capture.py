"""Change data capture: what a batch says of its keys, as pure transforms; `recompute` is what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.shaping import as_data
from spark_jobs.layers.staging import timeline
from spark_jobs.layers.staging.hashing import row_hash
from spark_jobs.layers.staging.readers.seam import FINGERPRINT
from spark_jobs.layers.staging.records import DELETING, REJECT, business_schema
from spark_jobs.layers.staging.state import GONE, HELD, ROW, WAS_TEXT, effective_type, key_columns, value_if

RANK, KIND, WAS_KIND, WAS_HASH, TOUCHED = "_rank", "_kind", "_was_kind", "_was_hash", "_touched"
SEEN_AT = "_seen_at"
_IS_ROW = f"{KIND} = '{ROW}'"
_IS_UNCHANGED = f"{KIND} <=> {WAS_KIND} AND ({KIND} != '{ROW}' OR _row_hash <=> {WAS_HASH})"
_SEES_OTHERWISE = f"{KIND} IS NOT NULL AND (coalesce({TOUCHED}, false) OR NOT ({_IS_UNCHANGED}))"


@dataclass(frozen=True)
class Instant:
    """A snapshot's file time, and the snapshot after it by file time, if one is staged (order: its landing's)."""

    at: datetime
    next_at: datetime | None = None
    next_order: str | None = None


def dated(rows: DataFrame, landings: DataFrame, table: Table) -> DataFrame:
    """Add `_order`, `_source_file`, `_landed_at`, `_file_time`, `_effective_from`, `_row_hash` to typed rows."""
    joined = rows.join(F.broadcast(landings), on="_landing", how="left")
    stated = F.col(f"`{table.effective_at.column}`") if table.effective_at.column else F.col("_file_time")
    return joined.withColumn("_effective_from", stated.cast(effective_type(table))).withColumn(
        "_row_hash", row_hash(business_schema(table).fields)
    )


def ranked(rows: DataFrame, table: Table) -> DataFrame:
    """Add `_rank` to the rows of a snapshot; 1: the row of its key by rules 7, 10 and 11."""
    sequence = ["_effective_from", *table.tie_break, "_order", "_row_number"]
    if not table.source.parts:
        sequence.insert(0, "_order")
    newest_first = [F.col(REJECT).isNull().desc(), *(F.col(f"`{n}`").desc_nulls_last() for n in sequence)]
    return rows.withColumn(RANK, F.row_number().over(Window.partitionBy(*key_columns(table)).orderBy(*newest_first)))


def compare_snapshot(rows: DataFrame, known: DataFrame, table: Table) -> DataFrame:
    """Return every row of a snapshot (`ranked`) and every known key it lacks, each with what is known of the key.

    `known`: key columns, `_was_kind`, `_was_hash` as of the snapshot before, `_touched`. Adds `_kind` (what the
    snapshot says of the key; NULL: the row does not speak for it).
    """
    joined = rows.join(known, on=list(table.key), how="full_outer")
    speaks = " AND ".join([f"{RANK} = 1", *(f"{name} IS NOT NULL" for name in key_columns(table))])
    kind = f"CASE WHEN {RANK} IS NULL THEN '{GONE}' WHEN {speaks} THEN if({REJECT} IS NULL, '{ROW}', '{HELD}') END"
    return joined.withColumn(KIND, F.expr(kind))


def is_news() -> Column:
    """Tell the rows of `compare_snapshot` that matter: refused ones, and keys seen otherwise than before."""
    return F.expr(f"{REJECT} IS NOT NULL OR ({_SEES_OTHERWISE})")


def sees_otherwise(texts: bool) -> Column:
    """Tell the rows of `compare_snapshot` by which the last snapshot sees a key otherwise, or by another text."""
    otherwise = F.expr(f"coalesce({_SEES_OTHERWISE}, false)")
    return otherwise | is_retexted() if texts else otherwise


def is_retexted() -> Column:
    """Tell the rows of `compare_snapshot` whose record is not the one that the state knows the key by."""
    return F.expr(f"coalesce({_IS_ROW} AND NOT ({same_text()}), false)")


def seen_otherwise(news: DataFrame, table: Table, texts: bool) -> DataFrame:
    """Return (key, `_kind`, `_row_hash`, FINGERPRINT, WAS_TEXT) of the keys that `sees_otherwise` tells.

    A key that is gone or held has no hash; without `texts` no fingerprint is told.
    """
    told = ["_row_hash", *FINGERPRINT] if texts else ["_row_hash"]
    row = [f"if({_IS_ROW}, {name}, NULL) AS {name}" for name in told]
    unknown = [] if texts else [f"CAST(NULL AS bigint) AS {name}" for name in FINGERPRINT]
    return news.filter(sees_otherwise(texts)).selectExpr(*key_columns(table), KIND, *row, *unknown, *WAS_TEXT)


def same_text() -> str:
    """Return the SQL that tells whether a fingerprint is the one that the state knows a key by."""
    return " AND ".join(f"{name} <=> {was}" for name, was in zip(FINGERPRINT, WAS_TEXT, strict=True))


def said_by_snapshot(news: DataFrame, table: Table, instant: Instant, order: str) -> DataFrame:
    """Return (key, `_one`: a fresh observation, `_value`, `_leaves`) for the keys that the snapshot sees otherwise."""
    cut = timeline.cut(SEEN_AT, table)
    one = timeline.observation(
        table,
        at=SEEN_AT,
        order="_order",
        number="_row_number",
        fresh="1",
        kind=KIND,
        hash=f"if({_IS_ROW}, _row_hash, NULL)",
        stated="_effective_from" if table.effective_at.column else cut,
        cut=cut,
    )
    told = speaking(news, instant, order)
    return told.selectExpr(*key_columns(table), f"{one} AS _one", value_if(table, _IS_ROW), "false AS _leaves")


def speaking(news: DataFrame, instant: Instant, order: str) -> DataFrame:
    """Return the news that speak for a key, with the snapshot's instant and, of keys without a row, its landing."""
    seen_at = f"{as_data(timeline.instant(instant.at))} AS {SEEN_AT}"
    told = news.filter(f"{KIND} IS NOT NULL").selectExpr("*", seen_at)
    return told.withColumn("_order", F.coalesce("_order", F.lit(order)))


def said_by_events(rows: DataFrame, table: Table, fresh: str = "1") -> DataFrame:
    """Return (key, `_one`: an observation, `_value`, `_leaves`) for each good row of an upsert or changes load.

    `fresh` is 1 for what is new, more for what is said anew.
    """
    ties = ", ".join(f"`{name}`" for name in table.tie_break)
    one = timeline.observation(
        table,
        at="_effective_from",
        tie=f"struct({ties})" if ties else "NULL",
        deleted="0" if table.in_source_order else f"CAST({DELETING} AS int)",
        order="_order",
        number="_row_number",
        fresh=fresh,
        kind=f"if({DELETING}, '{GONE}', '{ROW}')",
        hash=f"if({DELETING}, NULL, _row_hash)",
        stated="_effective_from",
        cut="_effective_from",
    )
    return rows.selectExpr(
        *key_columns(table), f"{one} AS _one", value_if(table, f"NOT {DELETING}"), "false AS _leaves"
    )


def said_before(entries: DataFrame, table: Table, leaves: Column) -> DataFrame:
    """Return (key, `_one`: an observation that the state remembers, `_value` where it keeps one, `_leaves`)."""
    snapshots = table.load == "snapshot"
    one = timeline.observation(
        table,
        at="_at",
        tie="_tie",
        deleted="0" if snapshots or table.in_source_order else f"CAST(_kind = '{GONE}' AS int)",
        order="_order",
        number="_row_number",
        kind="_kind",
        hash="_row_hash",
        stated="_stated",
        cut=timeline.cut("_at", table) if snapshots else "_at",
        logged="_effective_from",
        op="_op",
        kept="CAST(_payload IS NOT NULL AS int)",
    )
    value = "if(_payload IS NOT NULL, named_struct('hash', _row_hash, 'payload', _payload), NULL) AS _value"
    return entries.withColumn("_leaves", leaves).selectExpr(*key_columns(table), f"{one} AS _one", value, "_leaves")


def gathered(said: DataFrame, table: Table) -> DataFrame:
    """Return (key, `_all`: all observations of a key, `_leaving`: those that leave, `_values`)."""
    return said.groupBy(*key_columns(table)).agg(
        F.expr("collect_list(_one) AS _all"),
        F.expr("collect_list(if(_leaves, _one, NULL)) AS _leaving"),
        F.expr("collect_list(_value) AS _values"),
    )
