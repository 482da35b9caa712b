"""Change feeds as DMS and Debezium write them, staged whole: in order, out of order, and with what says nothing."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

from contracts.model import Check, Column, Source, Table
from contracts.presets import expanded, with_defaults

COLUMNS = (Column("id", "bigint", reads=("id",)), Column("city", "string", reads=("city",)))


def feed(format_: str, preset: str, name: str = "planes", **words) -> Table:
    source = Source(prefix="planes/", format=format_, preset=preset, **words)
    return expanded(with_defaults(Table(name, "changes", source, COLUMNS, key=("id",)), {}))


def dms(bench, key: str, *rows: str, at: str = "2014-10-30T00:00:00Z"):
    return bench.land("".join(f"{row}\n" for row in rows), f"planes/{key}", at)


@pytest.mark.long(little=True)
def test_a_dms_task_full_load_first_then_changes_by_the_time_in_their_names(bench):
    logs = []
    for number, order in enumerate(itertools.permutations(range(3))):
        if number % 3:  # two of the six orders
            continue
        table = feed("csv", "dms", f"planes{number}")
        files = [
            dms(bench, "LOAD00000001.csv", "101,New York", "102,Reno", '103,"Fargo, ND"', at="2014-10-29T08:00:00Z"),
            dms(bench, "20141029-1134010000.csv", "U,101,Los Angeles", "I,104,", 'I,105,""', "U,101,Dallas"),
            dms(bench, "20141029-1134012500.csv", "D,102,Reno", "I,106,Ely", "D,106,Ely", "D,999,Nowhere"),
        ]
        for place in order:
            bench.stage(table, files[place])
        logs.append(bench.log(table))
    loaded, first, second = "2014-10-29 08:00:00", "2014-10-29 11:34:01", "2014-10-29 11:34:01.25"
    assert (
        logs
        == [
            [
                (101, "New York", "I", loaded),
                (101, "Dallas", "U", first),
                (102, "Reno", "I", loaded),
                (102, None, "D", second),
                (103, "Fargo, ND", "I", loaded),
                (104, None, "I", first),
                (105, "", "I", first),
            ]
        ]
        * 2
    )


@pytest.mark.long(little=True)
def test_dms_with_column_names_and_with_op_in_the_full_load(bench):
    table = feed("csv", "dms", options={"header": True})
    bench.stage(table, dms(bench, "LOAD00000001.csv", "id,city", "1,Reno", at="2014-10-29T08:00:00Z"))
    bench.stage(table, dms(bench, "LOAD00000002.csv", "Op,id,city", "I,2,Ely", at="2014-10-29T08:00:00Z"))
    books = bench.stage(table, dms(bench, "20141029-113401.csv", "Op,id,city", "D,1,Reno", "U,2,Elko")).books
    assert bench.log(table) == [
        (1, "Reno", "I", "2014-10-29 08:00:00"),
        (1, None, "D", "2014-10-29 11:34:01"),
        (2, "Ely", "I", "2014-10-29 08:00:00"),
        (2, "Elko", "U", "2014-10-29 11:34:01"),
    ]
    assert (books.read, books.updated, books.deleting, books.deleted, books.balanced) == (2, 1, 1, 1, True)


def envelope(op: str, ts: int, before: dict | None = None, after: dict | None = None) -> str:
    source = {"version": "2.5", "connector": "postgresql", "name": "shop", "ts_ms": ts, "snapshot": "false", "lsn": ts}
    return json.dumps({"before": before, "after": after, "source": source, "op": op, "ts_ms": ts + 5})


def row(id_: int, city: str | None) -> dict:
    return {"id": id_, "city": city}


ENVELOPES = [
    envelope("r", 1000, after=row(1, "Reno")),
    envelope("r", 1000, after=row(2, "Ely")),
    envelope("c", 2000, after=row(9_007_199_254_740_993, 'Fargo "ND"\n')),
    envelope("u", 3000, before=row(1, "Reno"), after=row(1, None)),
    envelope("d", 4000, before=row(2, "Ely")),
    "null",
    envelope("m", 4500),
    envelope("u", 5000, before=row(1, None), after=row(3, "Elko")),
    envelope("d", 6000, before=row(77, "Nowhere")),
]
STAGED = [
    (1, "Reno", "I", "1970-01-01 00:00:01"),
    (1, None, "U", "1970-01-01 00:00:03"),
    (1, None, "D", "1970-01-01 00:00:05"),
    (2, "Ely", "I", "1970-01-01 00:00:01"),
    (2, None, "D", "1970-01-01 00:00:04"),
    (3, "Elko", "I", "1970-01-01 00:00:05"),
    (9_007_199_254_740_993, 'Fargo "ND"\n', "I", "1970-01-01 00:00:02"),
]


def jsonl(bench, name: str, *lines: str):
    return bench.land("".join(f"{line}\n" for line in lines), f"planes/{name}.jsonl", "2020-01-01T00:00:00Z")


def test_debezium_creates_reads_updates_deletes_and_moves_keys(bench):
    table = feed("jsonl", "debezium")
    books = bench.stage(table, jsonl(bench, "a", *ENVELOPES)).books
    assert bench.log(table, "id", "city") == STAGED
    assert (books.read, books.rejected, books.deleting, books.balanced) == (8, 0, 3, True)


@pytest.mark.long(little=True)
def test_debezium_out_of_order_wrapped_and_in_pieces(bench):
    table = feed("jsonl", "debezium")
    wrapped = [f'{{"schema": {{"type": "struct"}}, "payload": {line}}}' for line in ENVELOPES]
    bench.stage(table, jsonl(bench, "c", *wrapped[6:]))
    bench.stage(table, jsonl(bench, "b", *wrapped[:2], *reversed(wrapped[2:4])))
    bench.stage(table, jsonl(bench, "a", *wrapped[4:6]))
    assert bench.log(table, "id", "city") == STAGED


@pytest.mark.long(little=True)
def test_a_key_change_whose_new_row_is_refused_is_what_a_delete_and_a_refused_create_are(bench):
    one = [envelope("u", 3000, before=row(1, "Reno"), after=row(2, "x"))]
    two = [envelope("d", 3000, before=row(1, "Reno")), envelope("c", 3000, after=row(2, "x"))]
    check = Check("no_x", rule="city <> 'x'")
    for name, change in (("one", one), ("two", two)):
        table = replace(feed("jsonl", "debezium", name), checks=(check,))
        lines = [ENVELOPES[0], *change, envelope("u", 4000, before=row(2, "x"), after=row(2, "Ely"))]
        books = bench.stage(table, jsonl(bench, name, *lines)).books
        assert bench.log(table, "id", "city") == [
            (1, "Reno", "I", "1970-01-01 00:00:01"),
            (1, None, "D", "1970-01-01 00:00:03"),
            (2, "Ely", "I", "1970-01-01 00:00:04"),
        ]
        assert (books.read, books.rejected, books.deleting, books.balanced) == (4, 1, 1, True)


@pytest.mark.long(little=True)
def test_debezium_lines_that_are_no_envelopes_are_refused_with_their_line(bench):
    table = replace(feed("jsonl", "debezium"), missing_columns="null")
    staged = bench.stage(table, jsonl(bench, "a", ENVELOPES[0], '{"id": 5}', envelope("c", 9, after={"city": "x"})))
    assert bench.log(table, "id", "city") == STAGED[:1]
    assert [(one.row, one.column, one.reason) for one in staged.rejected] == [
        (2, "op", "is missing: no envelope of Debezium"),
        (3, "id", "is NULL"),
    ]


@pytest.mark.long(little=True)
def test_operations_that_nobody_knows_are_refused_and_change_nothing(bench):
    table = feed("jsonl", "debezium")
    wrapped = f'{{"payload": {envelope("D", 3000, before=row(1, "Reno"), after=row(1, "x"))}}}'
    staged = bench.stage(table, jsonl(bench, "a", ENVELOPES[0], envelope("x", 2000, after=row(1, "x")), wrapped))
    assert bench.log(table, "id", "city") == STAGED[:1]
    assert [(one.row, one.column, one.reason) for one in staged.rejected] == [
        (2, "op", "'x' is none of c, u, d, r, t"),
        (3, "op", "'D' is none of c, u, d, r, t"),
    ]
    table = feed("csv", "dms", "ships")
    staged = bench.stage(table, dms(bench, "20141029-113401.csv", "I,1,Reno", "d,1,Reno", "U ,1,x"))
    assert bench.log(table) == [(1, "Reno", "I", "2014-10-29 11:34:01")]
    assert [(one.row, one.column, one.reason) for one in staged.rejected] == [
        (2, "Op", "'d' is none of I, U, D"),
        (3, "Op", "'U ' is none of I, U, D"),
    ]


@pytest.mark.long(little=True)
def test_debezium_truncates_end_what_lives(bench):
    table = feed("jsonl", "debezium")
    bench.stage(table, jsonl(bench, "b", envelope("t", 3000), envelope("c", 4000, after=row(1, "Elko"))))
    books = bench.stage(table, jsonl(bench, "a", *ENVELOPES[:2])).books
    assert bench.log(table, "id", "city") == [
        (1, "Reno", "I", "1970-01-01 00:00:01"),
        (1, None, "D", "1970-01-01 00:00:03"),
        (1, "Elko", "I", "1970-01-01 00:00:04"),
        (2, "Ely", "I", "1970-01-01 00:00:01"),
        (2, None, "D", "1970-01-01 00:00:03"),
    ]
    assert books.balanced


@pytest.mark.long
def test_a_key_that_a_dms_file_deletes_and_inserts_again_lives_and_the_other_way_round_is_gone(bench):
    table = feed("csv", "dms")
    bench.stage(table, dms(bench, "LOAD00000001.csv", "1,Reno", "2,Ely", at="2014-10-29T08:00:00Z"))
    books = bench.stage(
        table, dms(bench, "20141029-113401.csv", "D,1,Reno", "I,1,Elko", "I,3,Fargo", "D,3,Fargo")
    ).books
    assert bench.log(table) == [
        (1, "Reno", "I", "2014-10-29 08:00:00"),
        (1, "Elko", "U", "2014-10-29 11:34:01"),
        (2, "Ely", "I", "2014-10-29 08:00:00"),
    ]
    assert (books.read, books.updated, books.deleted, books.balanced) == (4, 1, 0, True)


@pytest.mark.long(little=True)
def test_debezium_events_of_one_transaction_count_in_its_order_whatever_is_staged_first(bench):
    files = [
        [envelope("r", 1000, after=row(1, "Reno")), envelope("r", 1000, after=row(2, "Ely"))],
        [envelope("d", 2000, before=row(1, "Reno")), envelope("c", 2000, after=row(1, "Elko"))],
        [envelope("t", 3000), envelope("c", 3000, after=row(2, "Ely")), envelope("c", 3000, after=row(3, "Fargo"))],
    ]
    landings = [jsonl(bench, str(number), *lines) for number, lines in enumerate(files)]
    for number, order in enumerate(((0, 1, 2), (2, 1, 0))):
        table = feed("jsonl", "debezium", f"planes{number}")
        books = [bench.stage(table, landings[place]).books for place in order]
        assert bench.log(table, "id", "city") == [
            (1, "Reno", "I", "1970-01-01 00:00:01"),
            (1, "Elko", "U", "1970-01-01 00:00:02"),
            (1, None, "D", "1970-01-01 00:00:03"),
            (2, "Ely", "I", "1970-01-01 00:00:01"),
            (2, "Ely", "U", "1970-01-01 00:00:03"),
            (3, "Fargo", "I", "1970-01-01 00:00:03"),
        ]
        assert all(one.balanced for one in books)


@pytest.mark.long(little=True)
def test_a_tie_break_of_the_contract_orders_the_events_of_a_feed_and_its_deletes_come_last(bench):
    columns = (*COLUMNS, Column("n", "int", source="source.lsn"))
    source = Source(prefix="planes/", format="jsonl", preset="debezium")
    told = Table("planes", "changes", source, columns, key=("id",), tie_break=("n",))
    table = expanded(with_defaults(told, {}))
    bench.stage(
        table, jsonl(bench, "a", envelope("d", 2000, before=row(1, "Reno")), envelope("c", 2000, after=row(1, "Elko")))
    )
    assert bench.log(table, "id", "city") == []
