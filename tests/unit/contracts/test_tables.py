"""Each word of a table's contract reaches the model and changes nothing else; what it does not say is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.compile import compile_plan
from contracts.model import Check, Column, EffectiveAt, Limits, Parts, Source, Table
from tests.unit.contracts.conftest import ORDERS

COLUMNS = tuple(
    Column(name, kind, reads=(name,)) for name, kind in (("id", "bigint"), ("note", "string"), ("at", "timestamp"))
)
PLAIN = Table("orders", "upsert", Source("orders/"), COLUMNS, key=("id",), effective_at=EffectiveAt(event_time=True))
DAILY = r"(?P<date>\d{4}-\d{2}-\d{2})"


def compiled(write: Any, text: str) -> Table:
    return compile_plan(write({"tables/orders.yaml": text})).tables["orders"]


def test_what_a_contract_does_not_say(write):
    assert compiled(write, ORDERS) == PLAIN


@pytest.mark.parametrize(
    ("load", "words", "changes"),
    [
        ("snapshot", "on_missing: keep", {"on_missing": "keep"}),
        ("snapshot", "on_duplicate_key: fail", {"on_duplicate_key": "fail"}),
        ("append", "on_overwrite: fail", {"on_overwrite": "fail"}),
        ("append", "on_overwrite: add", {"on_overwrite": "add"}),
        ("upsert", "updates: partial", {"updates": "partial", "missing_columns": "null"}),
        ("changes", "delete_when: id < 0", {"delete_when": "id < 0"}),
        (
            "changes",
            "delete_when: id < 0\ntruncate_when: id = 0",
            {"delete_when": "id < 0", "truncate_when": "id = 0"},
        ),
        ("upsert", "on_failed_file: hold", {"on_failed_file": "hold"}),
        ("upsert", "on_bad_key: fail", {"on_bad_key": "fail"}),
        ("upsert", "tie_break: [note]", {"tie_break": ("note",)}),
        ("upsert", "effective_at: {event_time: true}", {}),
        ("upsert", "effective_at: {column: at}", {"effective_at": EffectiveAt(column="at")}),
        (
            "upsert",
            f"effective_at: {{from_key: '{DAILY}', unmatched: event_time}}",
            {"effective_at": EffectiveAt(from_key=DAILY, unmatched="event_time")},
        ),
        (
            "snapshot",
            f"effective_at: {{from_key: '{DAILY}'}}\nsource: {{parts: {{quiet: 15m}}}}",
            {"effective_at": EffectiveAt(from_key=DAILY), "source": Source("orders/", parts=Parts(quiet="15m"))},
        ),
        ("upsert", "source: {prefix: a/, format: jsonl}", {"source": Source("a/", "jsonl")}),
        ("snapshot", "limits: {max_deleted: 5%}", {"limits": Limits(max_deleted=0.05)}),
        ("upsert", "limits: {max_rejected: 5}", {"limits": Limits(max_rejected=5)}),
        ("upsert", "limits: {min_rows: 5}", {"limits": Limits(min_rows=5)}),
        ("upsert", "checks: [{name: a, rule: id > 0}]", {"checks": (Check("a", "id > 0"),)}),
    ],
)
def test_a_word_that_it_says(write, load, words, changes):
    said = compiled(write, f"{ORDERS.replace('load: upsert', f'load: {load}')}{words}\n")
    assert said == replace(PLAIN, load=load, **changes)


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("extra_columns: add", {"extra_columns": "add"}),
        ("missing_columns: null", {"missing_columns": "null"}),
        ('missing_columns: "null"', {"missing_columns": "null"}),
        ("unstored: [raw]", {"unstored": ("raw",)}),
    ],
)
def test_a_word_of_its_schema(write, words, changes):
    assert compiled(write, f"{ORDERS}  {words}\n") == replace(PLAIN, **changes)


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("required: true", {"required": True}),
        ("from: WHEN", {"source": "WHEN", "reads": ("WHEN",)}),
        ("format: dd.MM.yyyy HH:mm", {"format": "dd.MM.yyyy HH:mm"}),
        ("time_zone: Europe/Berlin", {"time_zone": "Europe/Berlin"}),
        ("expr: to_timestamp(note)", {"expr": "to_timestamp(note)", "reads": ("note",)}),
        ("from: x, expr: to_timestamp(note)", {"source": "x", "expr": "to_timestamp(note)", "reads": ("x", "note")}),
    ],
)
def test_a_word_of_a_column(write, words, changes):
    said = compiled(write, ORDERS.replace("{name: at, type: timestamp}", f"{{name: at, type: timestamp, {words}}}"))
    assert said == replace(PLAIN, columns=(*COLUMNS[:2], replace(COLUMNS[2], **changes)))


def test_where_the_columns_of_a_line_stand(write):
    text = ORDERS.partition("schema")[0] + (
        "source: {format: fixed_width}\nschema: {columns: [{name: id, type: int, start: 3, width: 8}]}\n"
    )
    [column] = compiled(write, text).columns
    assert (column.start, column.width) == (3, 8)
