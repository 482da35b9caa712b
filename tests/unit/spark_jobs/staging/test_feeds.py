"""Debezium's envelopes become events: one each, but two where a key changes, and none where nothing is said."""

from __future__ import annotations

from contracts.model import Column, EffectiveAt, Source, Table
from contracts.presets import expanded, with_defaults
from spark_jobs.layers.staging.feeds import events

ENVELOPES = (
    Column("id", "bigint", reads=("id",)),
    Column("part", "string", reads=("part",)),
    Column("note", "string", reads=("note",)),
)


def debezium(**words) -> Table:
    table = Table(
        "orders", "changes", Source(format="jsonl", preset="debezium"), ENVELOPES, key=("id", "part"), **words
    )
    return expanded(with_defaults(table, {}))


def records(spark, *rows: dict[str, str]):
    """Return records with the columns that a reader would give, from the few that a test names."""
    names = debezium().source_names
    schema = ", ".join(f"`{name}` string" for name in names)
    full = [(*(row.get(name) for name in names), row.get("_raw", "{}")) for row in rows]
    frame = spark.createDataFrame(full, f"{schema}, _raw string")
    return frame.selectExpr("*", "CAST(NULL AS struct<column:string,rule:string,reason:string>) AS _broken")


def told(spark, *rows: dict[str, str]) -> list[tuple[str | None, ...]]:
    shown = ("op", "payload.op", "after.id", "after.part", "before.id", "before.part", "payload.before.id")
    found = events(records(spark, *rows), debezium())
    return [tuple(row) for row in found.select(*(f"`{name}`" for name in shown)).collect()]


def test_creates_updates_and_deletes_stay_one_event_each(spark):
    row = {"after.id": "1", "after.part": "a"}
    same = {"before.id": "1", "before.part": "a"}
    assert told(spark, {"op": "c", **row}, {"op": "u", **row, **same}, {"op": "u", **row}, {"op": "d", **same}) == [
        ("c", None, "1", "a", None, None, None),
        ("u", None, "1", "a", "1", "a", None),
        ("u", None, "1", "a", None, None, None),
        ("d", None, None, None, "1", "a", None),
    ]


def test_an_update_that_changes_the_key_deletes_the_old_and_creates_the_new(spark):
    moved = {"op": "u", "before.id": "1", "before.part": "a", "after.id": "1", "after.part": "b"}
    assert told(spark, moved) == [
        ("d", None, None, None, "1", "a", None),
        ("u", None, "1", "b", "1", "a", None),
    ]


def test_envelopes_may_be_wrapped_in_a_payload(spark):
    moved = {
        "payload.op": "u",
        "payload.before.id": "1",
        "payload.before.part": "a",
        "payload.after.id": "2",
        "payload.after.part": "a",
    }
    assert told(spark, moved) == [
        (None, "d", None, None, None, None, "1"),
        (None, "u", None, None, None, None, "1"),
    ]


def test_tombstones_and_messages_say_nothing_but_what_is_no_envelope_stays_to_be_refused(spark):
    rows = [
        {"_raw": "null"},
        {"_raw": '{"schema": null, "payload": null}'},
        {"op": "m"},
        {"_raw": '{"some": "thing"}'},
        {"op": "t"},
    ]
    assert [row[0] for row in told(spark, *rows)] == [None, "t"]


def test_a_feed_without_a_preset_is_left_as_it_is(spark):
    table = Table("t", "changes", Source(), ENVELOPES, effective_at=EffectiveAt(event_time=True))
    given = records(spark, {"op": "c"})
    assert events(given, table) is given
