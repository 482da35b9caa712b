"""The timeline of one key: from its observations to its changes (SEMANTICS 5, 6, 11-14), as Spark SQL.

Everything here works on one row per key with an array of observations (`state.observation_type`). The functions
return SQL text, which Spark parses in one step: as Columns these expressions would be thousands of calls to the JVM.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pyspark.sql.types import DataType, DateType, StructField, TimestampType

from contracts.model import Table
from spark_jobs.layers.shaping import sql_type
from spark_jobs.layers.staging.state import GONE, HELD, ROW, effective_type, observation_type

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def observation(table: Table, **fields: str) -> str:
    """Return an observation; fields that are not given are NULL, but `deleted`, `fresh` and `kept`, which are 0."""
    given = {"deleted": "0", "fresh": "0", "kept": "0", **fields}
    return _struct({f.name: f"CAST({given.get(f.name, 'NULL')} AS {sql_type(f.dataType)})" for f in _fields(table)})


def changed(variable: str, table: Table, **fields: str) -> str:
    """Return the observation in a variable with some of its fields changed."""
    same = {f.name: f"{variable}.{f.name}" for f in _fields(table)}
    cast = {f.name: f"CAST({fields[f.name]} AS {sql_type(f.dataType)})" for f in _fields(table) if f.name in fields}
    return _struct({**same, **cast})


def last_of_each_landing(observations: str) -> str:
    """Return the last observation (rule 5) of each instant and landing: a landing's others never count."""
    landing = _struct({"at": "o.at", "order": "o.order", "o": "o"})
    by_landing = f"sort_array(transform({observations}, o -> {landing}))"
    following = "get(x, i + 1)"
    is_last = f"coalesce({following}.at != s.at OR {following}.order != s.order, true)"
    return _let("x", by_landing, f"transform(filter(x, (s, i) -> {is_last}), s -> s.o)")


def last_of_each_instant(ordered: str) -> str:
    """Return the last of each instant of observations that are in order."""
    return f"filter({ordered}, (o, i) -> coalesce(get({ordered}, i + 1).at != o.at, true))"


def walk(observations: str, table: Table) -> str:
    """Walk observations in order, one an instant; return struct(kind, hash, seen, seen_hash, events, …).

    `events`: array<struct<effective, kind, hash, at, order>>, the changes in force, confirmations included.
    `entries`: of a snapshot load, the observations that the state must remember. `verdicts`: for each fresh
    observation how it differs from the one before it: inserted, updated, unchanged, deleted, or nothing.
    """
    return f"aggregate({observations}, {_start(table)}, (acc, o) -> {_step(table)})"


def _start(table: Table) -> str:
    effective, at = sql_type(effective_type(table)), sql_type(observation_type(table)["at"].dataType)
    event = f"struct<effective:{effective},kind:string,hash:string,at:{at},order:string>"
    return _struct(
        {
            "kind": f"'{GONE}'",
            "hash": "CAST(NULL AS string)",
            "seen": f"'{GONE}'",
            "seen_hash": "CAST(NULL AS string)",
            "events": f"CAST(array() AS array<{event}>)",
            "entries": f"CAST(array() AS array<{sql_type(observation_type(table))}>)",
            "verdicts": "CAST(array() AS array<string>)",
        }
    )


def _step(table: Table) -> str:
    """Return the accumulator after one observation; what is held says nothing of its key."""
    snapshots = table.load == "snapshot"
    same = f"(acc.kind = '{ROW}' AND o.kind = '{ROW}' AND acc.hash <=> o.hash)"
    changes = f"(o.kind = '{ROW}' AND NOT {same})"
    closes = f"(o.kind = '{GONE}' AND acc.kind = '{ROW}')" if not snapshots or table.on_missing == "close" else "false"
    verdict = (
        f"CASE WHEN {same} THEN 'unchanged' WHEN {changes} AND acc.kind = '{ROW}' THEN 'updated' "
        f"WHEN {changes} THEN 'inserted' WHEN {closes} THEN 'deleted' END"
    )
    seen_again = "acc.seen = o.kind AND acc.seen_hash <=> o.hash"
    return _struct(
        {
            "kind": f"if(o.kind = '{HELD}', acc.kind, o.kind)",
            "hash": f"if(o.kind = '{HELD}', acc.hash, o.hash)",
            "seen": "o.kind",
            "seen_hash": "o.hash",
            "events": f"CASE WHEN {changes} THEN {_with_row()} WHEN {closes} THEN {_with_end()} ELSE acc.events END",
            "entries": f"if({seen_again}, acc.entries, concat(acc.entries, array(o)))" if snapshots else "acc.entries",
            "verdicts": f"if(o.fresh = 1, concat(acc.verdicts, array_compact(array({verdict}))), acc.verdicts)",
        }
    )


def _with_row() -> str:
    """Add an upsert where it begins (rules 12, 13); what was announced for that instant and later goes."""
    begins = (
        f"if(coalesce((f.kind = '{ROW}' AND o.stated < f.effective) "
        f"OR (f.kind = '{GONE}' AND o.stated <= f.effective), false), o.cut, o.stated)"
    )
    kept = "filter(acc.events, e -> e.effective < b)"
    return _let("b", _let("f", _in_force(), begins), f"concat({kept}, array({_event('b')}))")


def _in_force() -> str:
    """Return the last event at or before the observation's instant, or NULL."""
    return "try_element_at(filter(acc.events, e -> e.effective <= o.cut), -1)"


def _with_end() -> str:
    """Add a deletion at the observation's instant (rule 14); what was announced for it and later goes."""
    return f"concat(filter(acc.events, e -> e.effective < o.cut), array({_event('o.cut')}))"


def _event(effective: str) -> str:
    return _struct({"effective": effective, **{name: f"o.{name}" for name in ("kind", "hash", "at", "order")}})


def log_rows(events: str) -> str:
    """Return the change-log rows of events: array<struct<effective, op, hash, at, order>>.

    What confirms the row before it is left out, and so is a deletion of a key that is gone (rule 6).
    """
    before = f"get({events}, i - 1)"
    alive = f"coalesce(i > 0 AND {before}.kind = '{ROW}', false)"
    op = f"CASE WHEN e.kind = '{GONE}' THEN 'D' WHEN {alive} THEN 'U' ELSE 'I' END"
    keeps = f"if({alive}, NOT (e.kind = '{ROW}' AND e.hash <=> {before}.hash), e.kind = '{ROW}')"
    row = _struct({"effective": "e.effective", "op": op, "hash": "e.hash", "at": "e.at", "order": "e.order"})
    return f"array_compact(transform({events}, (e, i) -> if({keeps}, {row}, NULL)))"


def marked(entries: str, log: str, table: Table) -> str:
    """Return the entries, each with the log row it stands behind and whether it must keep its payload."""
    row = f"get(filter({log}, e -> e.at = o.at AND e.order <=> o.order AND e.hash <=> o.hash), 0)"
    in_log = f"exists({log}, e -> e.op != 'D' AND e.hash = o.hash)"
    kept = f"if(o.kind = '{ROW}' AND NOT coalesce({in_log}, false), 1, 0)"
    entry = changed("o", table, fresh="0", logged=f"{row}.effective", op=f"{row}.op", kept=kept)
    return f"transform({entries}, o -> {entry})"


def logged(entries: str) -> str:
    """Return the log rows that entries stand behind."""
    row = _struct({"effective": "o.logged", "op": "o.op", "hash": "o.hash", "at": "o.at", "order": "o.order"})
    return f"transform(filter({entries}, o -> o.logged IS NOT NULL), o -> {row})"


def instant(at: datetime) -> str:
    """Return an instant exactly."""
    return f"timestamp_micros({(at - _EPOCH) // timedelta(microseconds=1)})"


def cut(at: str, table: Table) -> str:
    """Return a file time in the type of effective_at; NULL where that is a number (rule 15)."""
    kind: DataType = effective_type(table)
    return f"CAST({at if isinstance(kind, DateType | TimestampType) else 'NULL'} AS {sql_type(kind)})"


def _fields(table: Table) -> list[StructField]:
    return list(observation_type(table).fields)


def _struct(fields: dict[str, str]) -> str:
    return f"named_struct({', '.join(f'{name!r}, {value}' for name, value in fields.items())})"


def _let(name: str, value: str, body: str) -> str:
    """Return `body` with a name for a value, which is computed once."""
    return f"get(transform(array({value}), {name} -> {body}), 0)"
