"""Change data capture: compare a batch's rows with what is known of their keys, as pure transforms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DateType, TimestampType

from contracts.model import Table
from spark_jobs.layers.staging import timeline
from spark_jobs.layers.staging.hashing import row_hash
from spark_jobs.layers.staging.records import DELETING, REJECT, business_schema
from spark_jobs.layers.staging.state import (
    CURRENT,
    ENTRY,
    GONE,
    HELD,
    PART,
    ROW,
    at_type,
    effective_type,
    observation_type,
    tie_type,
)

RANK, KIND, WAS_KIND, WAS_HASH, TOUCHED = "_rank", "_kind", "_was_kind", "_was_hash", "_touched"
NEW, OLD, ENTRIES, LOG, OLD_LOG, VERDICTS = "_new", "_old", "_entries", "_log", "_old_log", "_verdicts"


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


def compare_snapshot(rows: DataFrame, known: DataFrame, table: Table) -> DataFrame:
    """Return every row of a snapshot and every known key it lacks, each with what is known of the key.

    `known`: key columns, `_was_kind`, `_was_hash` as of the snapshot before, `_touched`. Adds `_rank` (1: the row of
    its key by rules 7 and 10) and `_kind` (what the snapshot says of the key; NULL: the row does not speak for it).
    """
    sequence = ("_effective_from", *table.tie_break, "_order", "_row_number")
    newest_first = [F.col(REJECT).isNull().desc(), *(F.col(f"`{n}`").desc_nulls_last() for n in sequence)]
    ranked = rows.withColumn(RANK, F.row_number().over(Window.partitionBy(*table.key).orderBy(*newest_first)))
    joined = ranked.join(known, on=list(table.key), how="full_outer")
    whole_key = F.lit(True)
    for name in table.key:
        whole_key = whole_key & F.col(f"`{name}`").isNotNull()
    speaks = (F.col(RANK) == 1) & whole_key
    kind = F.when(F.col(RANK).isNull(), GONE).when(speaks & F.col(REJECT).isNull(), ROW).when(speaks, HELD)
    return joined.withColumn(KIND, kind)


def is_news() -> Column:
    """Tell the rows of `compare_snapshot` that matter: refused ones, and keys seen otherwise than before."""
    unchanged = F.col(KIND).eqNullSafe(F.col(WAS_KIND)) & (
        (F.col(KIND) != ROW) | F.col("_row_hash").eqNullSafe(F.col(WAS_HASH))
    )
    touched = F.coalesce(F.col(TOUCHED), F.lit(False))
    return F.col(REJECT).isNotNull() | (F.col(KIND).isNotNull() & (touched | ~unchanged))


def snapshot_observations(news: DataFrame, table: Table, instant: Instant, order: str) -> DataFrame:
    """Return (key, `_new`: array of one fresh observation) for the keys that the snapshot sees otherwise."""
    at = F.lit(instant.at).cast(TimestampType())
    observation = _observation(
        table,
        at=at,
        order=F.coalesce(F.col("_order"), F.lit(order)),
        number=F.col("_row_number"),
        kind=F.col(KIND),
        hash=F.when(F.col(KIND) == ROW, F.col("_row_hash")),
        stated=F.col("_effective_from") if table.effective_at.column else _cut(at, table),
        cut=_cut(at, table),
    )
    speaking = news.filter(F.col(KIND).isNotNull())
    return speaking.select(*table.key, F.array(observation).alias(NEW))


def event_observations(rows: DataFrame, table: Table) -> DataFrame:
    """Return (key, `_new`: array of fresh observations), one for each good row of an upsert or changes load."""
    tie = F.struct(*(F.col(f"`{n}`") for n in table.tie_break)) if table.tie_break else None
    deleted = F.col(DELETING).cast("int")
    observation = _observation(
        table,
        at=F.col("_effective_from"),
        tie=tie,
        deleted=deleted,
        order=F.col("_order"),
        number=F.col("_row_number"),
        kind=F.when(deleted == 1, GONE).otherwise(ROW),
        hash=F.when(deleted == 0, F.col("_row_hash")),
        stated=F.col("_effective_from"),
        cut=F.col("_effective_from"),
    )
    return rows.groupBy(*table.key).agg(F.collect_list(observation).alias(NEW))


def stored_observations(entries: DataFrame, table: Table) -> DataFrame:
    """Return (key, `_old`: array of the observations that the state remembers)."""
    observation = _observation(
        table,
        at=F.col("_at"),
        tie=F.col("_tie"),
        order=F.col("_order"),
        number=F.col("_row_number"),
        kind=F.col("_kind"),
        hash=F.col("_row_hash"),
        stated=F.col("_stated"),
        cut=_cut(F.col("_at"), table) if table.load == "snapshot" else F.col("_at"),
        deleted=(F.col("_kind") == GONE).cast("int") if table.load != "snapshot" else None,
        fresh=F.lit(0),
        logged=F.col("_effective_from"),
        op=F.col("_op"),
        kept=F.col("_payload").isNotNull().cast("int"),
    )
    return entries.groupBy(*table.key).agg(F.collect_list(observation).alias(OLD))


def recompute(news: DataFrame, stored: DataFrame, table: Table, instant: Instant | None) -> DataFrame:
    """Return per key the entries and log rows as they were (`_old`, `_old_log`) and as they must be."""
    kind = f"array<{observation_type(table).simpleString()}>"
    both = news.join(stored, on=list(table.key), how="left").withColumn(
        OLD, F.coalesce(F.col(OLD), F.array().cast(kind))
    )
    together = F.concat(F.col(OLD), F.col(NEW)) if instant is None else _inserted(table, instant)
    walked = both.withColumn("_sorted", timeline.last_of_each_instant(together)).withColumn(
        "_walk", timeline.walk(F.col("_sorted"), table)
    )
    with_log = walked.withColumn(LOG, timeline.log_rows(F.col("_walk")["events"]))
    return with_log.select(
        *table.key,
        OLD,
        timeline.marked(F.col("_walk")["entries"], F.col(LOG)).alias(ENTRIES),
        _old_log().alias(OLD_LOG),
        LOG,
        F.col("_walk")["verdicts"].alias(VERDICTS),
        F.transform(NEW, lambda o: o["hash"]).alias("_fresh"),
        F.get(NEW, F.lit(0))["kind"].alias(KIND),
        F.get(NEW, F.lit(0))["hash"].alias("_row_hash"),
    )


def exploded(keys: DataFrame, table: Table, minuend: str, subtrahend: str) -> DataFrame:
    """Return (key, the fields of each element of `minuend` that is not in `subtrahend`)."""
    return keys.select(*table.key, F.explode(F.array_except(minuend, subtrahend)).alias("_one")).select(
        *table.key, "_one.*"
    )


def new_entries(keys: DataFrame, table: Table) -> DataFrame:
    """Return the state rows (without `_payload`, with `kept`) that must be added."""
    tie = F.col("tie")
    return exploded(keys, table, ENTRIES, OLD).select(
        *table.key,
        F.lit(ENTRY).alias(PART),
        F.col("at").alias("_at"),
        tie.alias("_tie"),
        F.col("order").alias("_order"),
        F.col("number").alias("_row_number"),
        F.col("kind").alias("_kind"),
        F.col("hash").alias("_row_hash"),
        F.col("stated").alias("_stated"),
        F.col("logged").alias("_effective_from"),
        F.col("op").alias("_op"),
        F.lit(None).cast("string").alias("_landings"),
        "kept",
    )


def current_rows(known: DataFrame, keys: DataFrame, table: Table) -> DataFrame:
    """Return the state's new `current` part: (key, `_part`, `_kind`, `_row_hash`) of keys that are not gone."""
    seen = keys.filter(F.col(KIND) != GONE).select(*table.key, KIND, "_row_hash")
    kept = known.join(keys.select(*table.key), on=list(table.key), how="left_anti")
    renamed = kept.select(*table.key, F.col(WAS_KIND).alias(KIND), F.col(WAS_HASH).alias("_row_hash"))
    return renamed.unionByName(seen).withColumn(PART, F.lit(CURRENT))


def known_now(state: DataFrame, table: Table) -> DataFrame:
    """Return (key, `_was_kind`, `_was_hash`, `_touched`: false) as the last snapshot saw the keys."""
    return state.filter(F.col(PART) == CURRENT).select(
        *table.key,
        F.col(KIND).alias(WAS_KIND),
        F.col("_row_hash").alias(WAS_HASH),
        F.lit(False).alias(TOUCHED),
    )


def known_as_of(state: DataFrame, table: Table, at: datetime) -> DataFrame:
    """Return the same as the last snapshot before `at` saw the keys; `_touched`: one at `at` itself is stored."""
    instant = F.lit(at).cast(TimestampType())
    seen = F.when((F.col("_at") < instant) & F.col(KIND).isNotNull(), F.struct(KIND, "_row_hash"))
    entries = state.filter((F.col(PART) == ENTRY) & (F.col("_at") <= instant))
    last = entries.groupBy(*table.key).agg(
        F.max_by(seen, F.when(seen.isNotNull(), F.col("_at"))).alias("_last"),
        F.max(F.col("_at") == instant).alias(TOUCHED),
    )
    living = F.col(f"_last.{KIND}") != GONE
    return last.filter(F.col(TOUCHED) | living).select(
        *table.key,
        F.when(living, F.col(f"_last.{KIND}")).alias(WAS_KIND),
        F.when(living, F.col("_last._row_hash")).alias(WAS_HASH),
        TOUCHED,
    )


def _inserted(table: Table, instant: Instant) -> Column:
    """Put the new observation into the stored ones, and state again what the next snapshot saw."""
    at = F.lit(instant.at).cast(TimestampType())
    others = F.filter(OLD, lambda o: o["at"] != at)
    together = F.concat(others, F.col(NEW))
    if instant.next_at is None:
        return together
    following = F.lit(instant.next_at).cast(TimestampType())
    before = F.sort_array(F.filter(OLD, lambda o: o["at"] <= at))
    carried = F.get(before, F.size(before) - 1)
    effective = _cut(following, table)
    gone = _observation(
        table, at=following, order=F.lit(instant.next_order), kind=F.lit(GONE), cut=effective, fresh=F.lit(0)
    )
    again = (
        carried.withField("at", following)
        .withField("order", F.lit(instant.next_order))
        .withField("number", F.lit(None).cast("bigint"))
        .withField("stated", carried["stated"] if table.effective_at.column else effective)
        .withField("cut", effective)
        .withField("logged", F.lit(None).cast(effective_type(table)))
        .withField("op", F.lit(None).cast("string"))
        .withField("kept", F.lit(0))
    )
    restored = F.array(F.when(F.size(before) > 0, again).otherwise(gone))
    has_one = F.exists(OLD, lambda o: o["at"] == following)
    return F.when(has_one, together).otherwise(F.concat(together, restored))


def _old_log() -> Column:
    logged = F.filter(OLD, lambda o: o["logged"].isNotNull())
    return F.transform(
        logged,
        lambda o: F.struct(
            o["logged"].alias("effective"), o["op"].alias("op"), o["hash"].alias("hash"), o["at"].alias("at")
        ),
    )


def _cut(at: Column, table: Table) -> Column:
    """Return a file time in the type of effective_at; NULL where that is a number."""
    kind: DataType = effective_type(table)
    if isinstance(kind, DateType | TimestampType):
        return at.cast(kind)
    return F.lit(None).cast(kind)


def _observation(table: Table, **fields: Column | None) -> Column:
    defaults = {"deleted": F.lit(0), "fresh": F.lit(1), "kept": F.lit(0)}
    values = []
    for field in observation_type(table).fields:
        given = fields.get(field.name)
        value = given if given is not None else defaults.get(field.name, F.lit(None))
        kind = tie_type(table) if field.name == "tie" else field.dataType
        values.append(value.cast(at_type(table) if field.name == "at" else kind).alias(field.name))
    return F.struct(*values)
