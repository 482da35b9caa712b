"""Bring the change log and the key state of the keys that a batch speaks of to what is now known of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_jobs.layers.shaping import conformed
from spark_jobs.layers.staging import capture, known_keys, truncation, writers
from spark_jobs.layers.staging.computed import computed, small
from spark_jobs.layers.staging.landings import is_named
from spark_jobs.layers.staging.recompute import log_rows, moved, new_entries, recompute, with_logged_values
from spark_jobs.layers.staging.state import ENTRY, PART, key_columns, log_schema
from spark_jobs.layers.staging.work import Work

_VERDICTS = ("inserted", "updated", "unchanged", "deleted")


@dataclass(frozen=True)
class Correction:
    """What is said anew, and which observations of before leave for it.

    `said` has `rows` rows; it is None where a snapshot is taken back. Of a snapshot the observations at its
    `instant` leave, of events those of the landings that `orders` and `names` tell. `listing` are rows for the state;
    of a feed with truncations the fresh ones. `for_all` says that truncations came or went, which may touch any key.
    `renewed` are keys of which all is said anew: what the state remembers of them leaves. `seen` are the keys that the
    last snapshot sees otherwise; `beside` says that they go to the state's `moved` part.
    """

    said: DataFrame | None
    rows: int = 0
    instant: capture.Instant | None = None
    orders: Collection[str] = ()
    names: Collection[str] = ()
    listing: DataFrame | None = None
    for_all: bool = False
    renewed: DataFrame | None = None
    seen: DataFrame | None = None
    beside: bool = False


def put_right(work: Work, correction: Correction) -> Mapping[str, int]:
    """Write what changes to the branches; return the verdicts on the fresh observations, counted."""
    table = work.table
    recomputed = recompute(capture.gathered(_all_said(work, correction), table), table, correction.instant)
    changes, found = computed(recomputed, _counts())
    if found["lacking"]:
        logged = conformed(work.log.read(), log_schema(table))
        changes = with_logged_values(changes, found["keys"], logged, table).localCheckpoint()
    if found["log_gone"]:
        writers.remove_log_rows(work.log, changes, table)
    if found["log_adds"]:
        writers.write_log(work.log, log_rows(changes, table), table, work.manifest.batch_id, work.now)
    if found["gone"]:
        writers.remove_entries(work.keyed(), changes, table)
    _write_state(work, changes, correction, found)
    return {word: found[word] for word in _VERDICTS}


def _all_said(work: Work, correction: Correction) -> DataFrame:
    """Return what is said of the keys at stake, now and before."""
    table, instant, said = work.table, correction.instant, correction.said
    entries = work.stored().filter(F.col(PART) == ENTRY)
    leaves = _leaves(correction)
    at_stake = None if said is None else small(said.select(*key_columns(table)), correction.rows)
    if correction.renewed is not None:
        at_stake, leaves = correction.renewed, F.lit(True)
    elif said is not None and correction.for_all:
        at_stake = said.select(*key_columns(table)).union(truncation.all_keys(work))
    elif at_stake is None or correction.names:
        leaving = entries.filter(leaves).select(*key_columns(table))
        at_stake = leaving if at_stake is None else at_stake.union(leaving)
    theirs = entries.join(at_stake, on=list(table.key), how="left_semi")
    before = capture.said_before(theirs, table, leaves if instant is None else F.lit(False))
    if said is not None and table.truncate_when and correction.listing is not None:
        before = before.union(truncation.said_by_truncations(work, at_stake, correction.listing))
    return before if said is None else said.union(before)


def _leaves(correction: Correction) -> Column:
    if correction.instant is not None:
        return F.col("_at") == F.lit(correction.instant.at).cast("timestamp")
    return is_named(F.col("_order"), correction.orders, correction.names)


def _write_state(work: Work, changes: DataFrame, correction: Correction, found: Mapping[str, int]) -> None:
    parts = [] if correction.listing is None else [correction.listing]
    if found["adds"]:
        parts.append(new_entries(changes, work.table))
    seen = correction.seen
    if seen is None and work.table.load == "snapshot" and found["moved"]:
        seen = small(moved(changes, work.table), found["keys"])
    write_seen(work, parts, seen, beside=correction.beside)


def write_seen(work: Work, parts: list[DataFrame], seen: DataFrame | None, *, beside: bool) -> None:
    """Write rows of the state with the keys that are seen otherwise: `beside` the `current` part, or as a new one."""
    current = None
    if seen is not None and beside:
        parts.append(known_keys.moves(seen, work.keyed().number()))
    elif seen is not None:
        known = known_keys.known_now(work.stored(), work.table, work.moved())
        current = known_keys.current_rows(known, seen, work.table)
    if parts or current is not None:
        writers.write_state(work.keyed(), parts, current, work.table)


def _counts() -> list[Column]:
    known = "exists(_values, v -> v.hash = e.hash)"
    lacking = f"exists(_log_adds, e -> e.op != 'D' AND NOT {known}) OR exists(_adds, e -> e.kept = 1 AND NOT {known})"
    return [
        F.expr("count(1) AS keys"),
        F.expr(f"count_if({lacking}) AS lacking"),
        *(F.expr(f"sum(size(_{name})) AS {name}") for name in ("log_adds", "log_gone", "adds", "gone")),
        F.expr("count_if(_moved) AS moved"),
        *(F.expr(f"sum(size(filter(_verdicts, v -> v = '{word}'))) AS {word}") for word in _VERDICTS),
    ]
