"""What must be stored of keys for what is said of them: rows of the change log and entries that come and go."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.shaping import literal, quoted
from spark_jobs.layers.staging import timeline
from spark_jobs.layers.staging.capture import KIND, Instant
from spark_jobs.layers.staging.computed import small
from spark_jobs.layers.staging.state import ENTRY, GONE, PART, key_columns, value_if


def recompute(told: DataFrame, table: Table, instant: Instant | None) -> DataFrame:
    """Return for each key of `gathered` what must change: arrays of log rows and of entries that come and go.

    `_log_adds`, `_log_gone`, `_adds`, `_gone`; `_verdicts`; `_values`: the payloads at hand, by hash; `_is`: the
    last that is seen of the key (NULL: gone), and `_moved`: whether that is new.
    """
    new = "filter(_all, o -> o.fresh > 0)"
    split = told.selectExpr(
        *key_columns(table),
        "_values",
        "_leaving",
        "sort_array(filter(_all, o -> o.fresh = 0)) AS _old",
        f"{new if instant else timeline.last_of_each_landing(new)} AS _new",
    )
    together = _with_snapshot(table, instant) if instant else "concat(array_except(_old, _leaving), _new)"
    remembered = "_walk.entries" if instant else "_sorted"
    walked = (
        split.withColumn("_sorted", F.expr(f"sort_array({together})"))
        .withColumn("_walk", F.expr(timeline.walk(timeline.last_of_each_instant("_sorted"), table)))
        .withColumn("_log", F.expr(timeline.log_rows("_walk.events")))
        .withColumn("_entries", F.expr(timeline.marked(remembered, "_log", table)))
        .withColumn("_old_log", F.expr(timeline.logged("_old")))
    )
    return walked.selectExpr(
        *key_columns(table),
        "array_except(_log, _old_log) AS _log_adds",
        "array_except(_old_log, _log) AS _log_gone",
        "array_except(_entries, _old) AS _adds",
        "array_except(_old, _entries) AS _gone",
        "_walk.verdicts AS _verdicts",
        "_values",
        f"{_last_seen('_entries')} AS _is",
        f"NOT ({_last_seen('_entries')} <=> {_last_seen('_old')}) AS _moved",
    )


def _with_snapshot(table: Table, instant: Instant) -> str:
    """Put what a snapshot says (nothing, where it is taken back) in place, and state again what the next one saw."""
    at = timeline.instant(instant.at)
    together = f"concat(filter(_old, o -> o.at != {at}), _new)"
    if instant.next_at is None:
        return together
    following = timeline.instant(instant.next_at)
    cut = timeline.cut(following, table)
    order = literal(instant.next_order or "")
    gone = timeline.observation(table, at=following, order=order, kind=f"'{GONE}'", cut=cut)
    stated = "l.stated" if table.effective_at.column else cut
    again = timeline.changed(
        "l", table, at=following, order=order, number="NULL", stated=stated, cut=cut, logged="NULL", op="NULL", kept="0"
    )
    last = f"try_element_at(filter(_old, o -> o.at <= {at}), -1)"
    restated = f"transform(array({last}), l -> if(l IS NULL, {gone}, {again}))"
    return f"if(exists(_old, o -> o.at = {following}), {together}, concat({together}, {restated}))"


def _last_seen(entries: str) -> str:
    last = f"try_element_at({entries}, -1)"
    return f"if({last}.kind != '{GONE}', named_struct('kind', {last}.kind, 'hash', {last}.hash), NULL)"


def with_logged_values(changes: DataFrame, count: int, log: DataFrame, table: Table) -> DataFrame:
    """Add to `_values` the payloads that the change log has of these keys (`count` of them)."""
    logged = log.join(small(changes.select(*key_columns(table)), count), on=list(table.key), how="left_semi")
    older = logged.selectExpr(*key_columns(table), value_if(table, "_row_hash IS NOT NULL"))
    gathered = older.groupBy(*key_columns(table)).agg(F.expr("collect_list(_value) AS _older"))
    joined = changes.join(gathered, on=list(table.key), how="left")
    return joined.withColumn("_values", F.expr("if(_older IS NULL, _values, concat(_values, _older))")).drop("_older")


def _come(changes: DataFrame, table: Table, name: str, has_value: str) -> DataFrame:
    """Return (key, `_e`: an element of an array, `_payload`: the value of its hash, if it has one)."""
    one = changes.selectExpr(*key_columns(table), "_values", f"explode({name}) AS _e")
    value = f"if({has_value}, get(filter(_values, v -> v.hash = _e.hash), 0).payload, NULL) AS _payload"
    return one.selectExpr(*key_columns(table), "_e", value)


def moved(changes: DataFrame, table: Table) -> DataFrame:
    """Return (key, `_kind`, `_row_hash`) of the keys of which `recompute` found that they are seen otherwise."""
    seen = (f"coalesce(_is.kind, '{GONE}') AS {KIND}", "_is.hash AS _row_hash")
    return changes.filter("_moved").selectExpr(*key_columns(table), *seen)


def log_rows(changes: DataFrame, table: Table) -> DataFrame:
    """Return the rows of the change log that must be added: business columns, `_op`, `_effective_from` and the like."""
    business = (
        quoted(c.name) if c.name in table.key else f"_payload.{quoted(c.name)} AS {quoted(c.name)}"
        for c in table.columns
    )
    return _come(changes, table, "_log_adds", "_e.op != 'D'").selectExpr(
        *business, "_e.op AS _op", "_e.effective AS _effective_from", "_e.hash AS _row_hash", "_e.order AS _order"
    )


def new_entries(changes: DataFrame, table: Table) -> DataFrame:
    """Return the state rows that must be added."""
    return _come(changes, table, "_adds", "_e.kept = 1").selectExpr(
        *key_columns(table),
        f"'{ENTRY}' AS {PART}",
        "_e.at AS _at",
        "_e.tie AS _tie",
        "_e.order AS _order",
        "_e.number AS _row_number",
        "_e.kind AS _kind",
        "_e.hash AS _row_hash",
        "_e.stated AS _stated",
        "_e.logged AS _effective_from",
        "_e.op AS _op",
        "_payload",
    )
