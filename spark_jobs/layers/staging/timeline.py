"""The timeline of one key: from its observations to its changes (SEMANTICS 5, 6, 11-14), as Spark expressions.

Everything here works on one row per key with an array of observations (`state.observation_type`); the functions
build Columns and touch no data.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from contracts.model import Table
from spark_jobs.layers.staging.state import GONE, HELD, ROW, effective_type, observation_type


def last_of_each_instant(observations: Column) -> Column:
    """Sort observations (rule 5) and keep the last of each instant."""
    ordered = F.sort_array(observations)
    return F.filter(ordered, lambda o, i: F.coalesce(F.get(ordered, i + 1)["at"] != o["at"], F.lit(True)))


def walk(observations: Column, table: Table) -> Column:
    """Walk sorted observations; return struct(kind, hash, events, entries, verdicts).

    `events`: array<struct<effective, kind, hash, at>>, the changes in force, confirmations included.
    `entries`: the observations that the state must remember. `verdicts`: for each fresh observation how it
    differs from the one before it: inserted, updated, unchanged, deleted, or nothing.
    """
    observation = observation_type(table).simpleString()
    event = f"struct<effective:{effective_type(table).simpleString()},kind:string,hash:string,at:{_at(table)}>"
    start = F.struct(
        F.lit(GONE).alias("kind"),
        F.lit(None).cast("string").alias("hash"),
        F.lit(GONE).alias("seen"),
        F.lit(None).cast("string").alias("seen_hash"),
        F.array().cast(f"array<{event}>").alias("events"),
        F.array().cast(f"array<{observation}>").alias("entries"),
        F.array().cast("array<string>").alias("verdicts"),
    )
    return F.aggregate(observations, start, lambda acc, o: _step(acc, o, table))


def _at(table: Table) -> str:
    schema: StructType = observation_type(table)
    return schema["at"].dataType.simpleString()


def _step(acc: Column, o: Column, table: Table) -> Column:
    was_row, is_row = acc["kind"] == ROW, o["kind"] == ROW
    gone, held = o["kind"] == GONE, o["kind"] == HELD
    same = was_row & is_row & acc["hash"].eqNullSafe(o["hash"])
    changed = is_row & ~same
    ends = gone & was_row
    closes = ends if table.load != "snapshot" or table.on_missing == "close" else F.lit(False)
    verdict = (
        F.when(held, F.lit(None).cast("string"))
        .when(same, "unchanged")
        .when(changed & was_row, "updated")
        .when(changed, "inserted")
        .when(closes, "deleted")
    )
    remembered = F.lit(True) if table.load != "snapshot" else ~_seen_again(acc, o)
    return F.struct(
        F.when(held, acc["kind"]).otherwise(o["kind"]).alias("kind"),
        F.when(held, acc["hash"]).otherwise(o["hash"]).alias("hash"),
        o["kind"].alias("seen"),
        o["hash"].alias("seen_hash"),
        F.when(changed, _with_row(acc["events"], o))
        .when(closes, _with_end(acc["events"], o))
        .otherwise(acc["events"])
        .alias("events"),
        F.when(remembered, F.concat(acc["entries"], F.array(o))).otherwise(acc["entries"]).alias("entries"),
        F.when((o["fresh"] == 1) & verdict.isNotNull(), F.concat(acc["verdicts"], F.array(verdict)))
        .otherwise(acc["verdicts"])
        .alias("verdicts"),
    )


def _seen_again(acc: Column, o: Column) -> Column:
    return (acc["seen"] == o["kind"]) & acc["seen_hash"].eqNullSafe(o["hash"])


def _with_row(events: Column, o: Column) -> Column:
    """Add an upsert where it begins (rules 12, 13); announcements for that instant and later go."""
    force = F.get(F.filter(events, lambda e: e["effective"] <= o["cut"]), _last(events, o))
    before = (force["kind"] == ROW) & (o["stated"] < force["effective"])
    not_after_end = (force["kind"] == GONE) & (o["stated"] <= force["effective"])
    begins = F.when(F.coalesce(before | not_after_end, F.lit(False)), o["cut"]).otherwise(o["stated"])
    kept = F.filter(events, lambda e: e["effective"] < begins)
    return F.concat(kept, F.array(_event(begins, o)))


def _last(events: Column, o: Column) -> Column:
    return F.size(F.filter(events, lambda e: e["effective"] <= o["cut"])) - 1


def _with_end(events: Column, o: Column) -> Column:
    """Add a deletion at the observation's instant, if a living row stands before it (rules 6, 14)."""
    kept = F.filter(events, lambda e: e["effective"] < o["cut"])
    living = F.get(kept, F.size(kept) - 1)["kind"] == ROW
    return F.when(F.coalesce(living, F.lit(False)), F.concat(kept, F.array(_event(o["cut"], o)))).otherwise(kept)


def _event(effective: Column, o: Column) -> Column:
    return F.struct(effective.alias("effective"), o["kind"].alias("kind"), o["hash"].alias("hash"), o["at"].alias("at"))


def log_rows(events: Column) -> Column:
    """Return the change-log rows of events: array<struct<effective, op, hash, at>>, confirmations dropped."""

    def same_as_before(e: Column, i: Column) -> Column:
        previous = F.when(i > 0, F.get(events, i - 1))
        return F.coalesce(
            (e["kind"] == ROW) & (previous["kind"] == ROW) & (e["hash"] == previous["hash"]), F.lit(False)
        )

    changes = F.filter(events, lambda e, i: ~same_as_before(e, i))

    def to_row(e: Column, i: Column) -> Column:
        after_row = F.coalesce(F.when(i > 0, F.get(changes, i - 1)["kind"]) == ROW, F.lit(False))
        op = F.when(e["kind"] == GONE, "D").when(after_row, "U").otherwise("I")
        return F.struct(e["effective"].alias("effective"), op.alias("op"), e["hash"].alias("hash"), e["at"].alias("at"))

    return F.transform(changes, to_row)


def marked(entries: Column, log: Column) -> Column:
    """Return the entries, each with the log row it stands behind and whether it must keep its payload."""

    def mark(o: Column) -> Column:
        row = F.get(F.filter(log, lambda e: e["at"] == o["at"]), 0)
        in_log = F.exists(log, lambda e: (e["op"] != "D") & (e["hash"] == o["hash"]))
        kept = F.when((o["kind"] == ROW) & ~in_log, 1).otherwise(0)
        return (
            o.withField("fresh", F.lit(0))
            .withField("logged", row["effective"])
            .withField("op", row["op"])
            .withField("kept", kept)
        )

    return F.transform(entries, mark)
