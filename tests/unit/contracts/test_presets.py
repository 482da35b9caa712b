"""Presets: one word in a contract stands for all that the shape of a change feed asks for."""

from __future__ import annotations

import pytest

from contracts.compile import check, compile_plan
from contracts.model import Column, EffectiveAt, Plan, Table

FEED = """\
table: orders
source: {{format: {format}, preset: {preset}}}
load: changes
key: [id]
schema:
  columns:
    - {{name: id, type: bigint}}
    - {{name: note, type: string, from: NOTE}}
"""


def compiled(write, text: str) -> Table:
    plan = compile_plan(write({"tables/orders.yaml": text}))
    assert Plan.from_json(plan.to_json()) == plan
    return plan.tables["orders"]


def test_dms_files_have_no_header_begin_with_op_and_are_named_by_their_time(write):
    table = compiled(write, FEED.format(format="csv", preset="dms"))
    assert table.source.options == {"header": False}
    assert (table.source.names, table.source.optional) == (("Op", "id", "NOTE"), ("Op",))
    assert (table.source_names, table.column_names) == (("id", "NOTE", "Op"), ("id", "note"))
    assert table.delete_when == "Op = 'D'"
    assert table.effective_at == EffectiveAt(
        from_key=r"(?P<date>\d{8})-(?P<time>\d{6})(?P<fraction>\d*)\.[^/]*$", unmatched="event_time"
    )


def test_a_dms_file_without_op_is_known_by_its_number_of_fields(write):
    table = compiled(write, FEED.format(format="csv", preset="dms"))
    assert [table.columns_of_file(fields) for fields in (3, 2, 1)] == [
        ("Op", "id", "NOTE"),
        ("id", "NOTE"),
        ("Op", "id", "NOTE"),
    ]


def test_what_a_contract_says_goes_before_what_its_preset_knows(write):
    text = FEED.format(format="csv", preset="dms").replace("preset: dms", "preset: dms, options: {header: true}")
    text += "delete_when: Op IN ('D', 'X')\neffective_at: {event_time: true}\n"
    text = text.replace("type: string, from: NOTE}", "type: string, from: NOTE}\n  unstored: [Op]")
    table = compiled(write, text)
    assert table.source.options == {"header": True}
    assert table.delete_when == "Op IN ('D', 'X')"
    assert table.effective_at == EffectiveAt(event_time=True)


def test_debezium_rows_are_read_from_their_envelope_bare_or_wrapped(write):
    table = compiled(write, FEED.format(format="jsonl", preset="debezium"))
    keys = ("after.id", "payload.after.id", "before.id", "payload.before.id")
    times = ("source.ts_ms", "payload.source.ts_ms")
    assert table.columns == (
        Column("id", "bigint", expr=f"coalesce({', '.join(f'`{key}`' for key in keys)})", reads=keys),
        Column(
            "note",
            "string",
            expr="coalesce(`after.NOTE`, `payload.after.NOTE`)",
            reads=("after.NOTE", "payload.after.NOTE"),
        ),
        Column(
            "changed_at",
            "timestamp",
            expr="coalesce(`source.ts_ms`, `payload.source.ts_ms`)",
            format="epoch_millis",
            reads=times,
        ),
    )
    assert table.effective_at == EffectiveAt(column="changed_at")
    assert (table.delete_when, table.truncate_when) == (
        "coalesce(`op`, `payload.op`) = 'd'",
        "coalesce(`op`, `payload.op`) = 't'",
    )
    assert table.source_names == (*keys, "after.NOTE", "payload.after.NOTE", *times, "op", "payload.op")


def test_debezium_may_be_ordered_by_a_field_of_the_envelope(write):
    text = FEED.format(format="jsonl", preset="debezium") + "    - {name: lsn, type: bigint, from: source.lsn}\n"
    table = compiled(write, text + "effective_at: {column: lsn}\n")
    assert table.column_names == ("id", "note", "lsn")
    assert table.column("lsn").reads == ("source.lsn", "payload.source.lsn")


def test_fields_of_the_envelope_are_told_from_columns_whose_names_only_begin_alike(write):
    names = ("ts_ms", "transaction.id", "source.ts_ms", "ts_ms_created", "sources", "transaction", "source")
    columns = "".join(f"    - {{name: c{i}, type: string, from: {name}}}\n" for i, name in enumerate(names))
    table = compiled(write, FEED.format(format="jsonl", preset="debezium") + columns)
    assert [table.column(f"c{i}").reads[0] for i in range(7)] == [
        "ts_ms",
        "transaction.id",
        "source.ts_ms",
        "after.ts_ms_created",
        "after.sources",
        "after.transaction",
        "after.source",
    ]


def test_what_a_contract_says_of_deletes_goes_before_what_debezium_says_and_its_unstored_columns_stay(write):
    text = FEED.format(format="jsonl", preset="debezium").replace("schema:\n", "schema:\n  unstored: [source.gone]\n")
    text += "delete_when: \"`source.gone` = 'y'\"\ntruncate_when: \"`source.gone` = 'all'\"\n"
    table = compiled(write, text)
    assert (table.delete_when, table.truncate_when) == ("`source.gone` = 'y'", "`source.gone` = 'all'")
    assert table.unstored == ("source.gone", "op", "payload.op")


def test_dms_files_in_parquet_have_no_header_to_speak_of(write):
    text = FEED.format(format="parquet", preset="dms").replace("schema:\n", "schema:\n  unstored: [x]\n")
    table = compiled(write, text + "    - {name: changed_at, type: string, expr: upper(NOTE)}\n")
    assert (table.source.options, table.unstored) == ({}, ("x", "Op"))


def test_debezium_reads_fields_and_no_expressions(write):
    text = FEED.format(format="jsonl", preset="debezium") + "    - {name: x, type: string, expr: upper(NOTE)}\n"
    message = "schema.columns[2].expr: does not go with preset debezium: name the field by from"
    assert f"shop/tables/orders.yaml:9: {message}" in [str(m) for m in check(write({"tables/orders.yaml": text}))]


def test_a_contract_that_dates_its_changes_may_call_a_column_changed_at(write):
    text = FEED.format(format="jsonl", preset="debezium") + "    - {name: changed_at, type: date}\n"
    assert compiled(write, text + "effective_at: {column: changed_at}\n").column("changed_at").reads == (
        "after.changed_at",
        "payload.after.changed_at",
    )


MISTAKES = {
    "snapshot": (("load: changes", "load: snapshot"), "3: load: preset dms is a feed of changes: load must be changes"),
    "format": (("format: csv", "format: xml"), "2: source.format: preset dms comes as csv, parquet, not as xml"),
    "preset": (
        ("preset: dms", "preset: goldengate"),
        "2: source.preset: 'goldengate' is not one of debezium, dms",
    ),
}


@pytest.mark.parametrize(("edit", "message"), MISTAKES.values(), ids=MISTAKES)
def test_what_a_preset_cannot_be(write, edit, message):
    text = FEED.format(format="csv", preset="dms").replace(*edit)
    assert f"shop/tables/orders.yaml:{message}" in [str(m) for m in check(write({"tables/orders.yaml": text}))]


def test_the_column_that_a_preset_adds_is_its_own(write):
    text = FEED.format(format="jsonl", preset="debezium").replace("name: note", "name: changed_at")
    message = "changed_at is the column that the preset adds; give this one another name"
    found = [str(m) for m in check(write({"tables/orders.yaml": text}))]
    assert f"shop/tables/orders.yaml:8: schema.columns[1].name: {message}" in found
