"""Partial updates: what a record lacks keeps its value, NULL is a value, and late records count from their instant."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

from contracts.model import Column, EffectiveAt, Source
from spark_jobs.layers.errors import ContractViolationError
from tests.cases import few
from tests.unit.spark_jobs.staging.conftest import snapshot_table
from tests.unit.spark_jobs.staging.test_change_feeds import envelope, feed, jsonl

COLUMNS = (
    Column("k", "bigint"),
    Column("a", "string"),
    Column("b", "int"),
    Column("op", "string"),
    Column("ts", "int"),
)


def table(**words):
    defaults = {
        "load": "changes",
        "source": Source(prefix="planes/", format="jsonl"),
        "columns": COLUMNS,
        "effective_at": EffectiveAt(column="ts"),
        "delete_when": "op = 'D'",
        "truncate_when": "op = 'T'",
        "updates": "partial",
        "missing_columns": "null",
    }
    return snapshot_table(**{**defaults, **words})


def land(bench, name: str, *records: dict):
    return bench.land("".join(json.dumps(record) + "\n" for record in records), f"planes/2020-01-01/{name}.jsonl")


ORDERS = [*itertools.permutations(range(3))]
FILES = [
    ({"k": 1, "a": "x", "b": 1, "op": "I", "ts": 10}, {"k": 2, "a": "y", "op": "I", "ts": 10}),
    ({"k": 1, "b": 2, "op": "U", "ts": 20}, {"k": 1, "a": None, "op": "U", "ts": 40}),
    (
        {"k": 1, "a": "z", "op": "U", "ts": 30},
        {"k": 2, "op": "D", "ts": 30, "a": "old"},
        {"k": 2, "b": 7, "op": "I", "ts": 50},
    ),
]
LOG = [
    (1, "x", 1, "I", "10"),
    (1, "x", 2, "U", "20"),
    (1, "z", 2, "U", "30"),
    (1, None, 2, "U", "40"),
    (2, "y", None, "I", "10"),
    (2, None, None, "D", "30"),
    (2, None, 7, "I", "50"),
]


@pytest.mark.long
@pytest.mark.parametrize("orders", few([ORDERS[::2], ORDERS[1::2]]))
def test_rows_are_folded_in_the_order_of_their_instants_whatever_came_first(bench, orders):
    for number, order in enumerate(orders):
        partial = table(name=f"planes{number}")
        landings = [land(bench, str(place), *records) for place, records in enumerate(FILES)]
        books = [bench.stage(partial, landings[place]).books for place in order]
        assert bench.log(partial, "k", "a", "b") == LOG, order
        assert all(book.balanced for book in books)
        bench.stage(partial, landings[order[0]])
        assert bench.log(partial, "k", "a", "b") == LOG, order


@pytest.mark.long(little=True)
def test_a_record_without_its_tie_break_has_no_place_among_the_others(bench):
    partial = table(tie_break=("b",))
    first, second = ({"k": 1, "a": "x", "b": None, "op": "I", "ts": 10}, {"k": 1, "a": "y", "op": "U", "ts": 10})
    assert bench.stage(partial, land(bench, "x", first, second)).books.rejected == 1
    assert bench.log(partial, "k", "a", "b") == [(1, "x", None, "I", "10")]
    files = replace(partial, source=Source(prefix="planes/"))
    with pytest.raises(ContractViolationError, match="column b is missing"):
        bench.stage(files, bench.land("k,op,ts\n1,U,10\n", "planes/2020-01-02/x.csv"))


@pytest.mark.long(little=True)
def test_a_constant_is_said_by_every_record(bench):
    partial = table(columns=(*COLUMNS, Column("region", "string", expr="'EU'")))
    bench.stage(partial, land(bench, "x", *FILES[0]))
    assert bench.log(partial, "k", "region") == [(1, "EU", "I", "10"), (2, "EU", "I", "10")]


@pytest.mark.long(little=True)
def test_the_last_file_may_come_first(bench):
    partial = table()
    landings = [land(bench, str(place), *records) for place, records in enumerate(FILES)]
    for place in (2, 1, 0):
        bench.stage(partial, landings[place])
    assert bench.log(partial, "k", "a", "b") == LOG


@pytest.mark.long(little=True)
def test_several_records_of_one_instant_add_up(bench):
    partial = table()
    staged = bench.stage(partial, land(bench, "a", {"k": 1, "a": "x", "ts": 10}, {"k": 1, "b": 1, "ts": 10}))
    assert bench.log(partial, "k", "a", "b") == [(1, "x", 1, "I", "10")]
    assert (staged.books.inserted, staged.books.duplicate, staged.books.balanced) == (1, 1, True)


@pytest.mark.long(little=True)
def test_a_truncation_ends_the_life_that_patches_build_on(bench):
    for number, order in enumerate(((0, 1), (1, 0))):
        partial = table(name=f"planes{number}")
        landings = [
            land(bench, "a", {"k": 1, "a": "x", "b": 1, "ts": 10}, {"k": 1, "b": 2, "ts": 30}),
            land(bench, "b", {"op": "T", "ts": 20}),
        ]
        for place in order:
            bench.stage(partial, landings[place])
        assert bench.log(partial, "k", "a", "b") == [
            (1, "x", 1, "I", "10"),
            (1, None, None, "D", "20"),
            (1, None, 2, "I", "30"),
        ]


@pytest.mark.long(little=True)
def test_csv_files_hold_the_columns_of_their_headers(bench):
    source = Source(prefix="planes/", options={"absent_value": "?"})
    partial = table(source=source, load="upsert", delete_when=None, truncate_when=None)
    bench.stage(partial, bench.land("k,a,b,ts\n1,x,1,10\n", "planes/2020-01-01/a.csv"))
    bench.stage(partial, bench.land("k,ts,a\n1,30,\n", "planes/2020-01-01/c.csv"))
    bench.stage(partial, bench.land("ts,K,B,a\n20,1,5,?\n", "planes/2020-01-01/b.csv"))
    assert bench.log(partial, "k", "a", "b") == [
        (1, "x", 1, "I", "10"),
        (1, "x", 5, "U", "20"),
        (1, None, 5, "U", "30"),
    ]


@pytest.mark.long(little=True)
def test_rows_of_xml_hold_what_stands_in_them(bench):
    source = Source(prefix="planes/", format="xml", options={"row_tag": "p", "namespaces": {"n": "urn:n"}})
    columns = (Column("k", "bigint", "@k"), Column("a", "string", "n:a"), *COLUMNS[2:])
    partial = table(source=source, columns=columns)
    nil = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    rows = [
        '<p k="1"><n:a>x</n:a><b>1</b><op>I</op><ts>10</ts></p>',
        '<p k="1"><b>2</b><ts>20</ts></p>',
        f'<p k="1" {nil}><n:a xsi:nil="true"/><ts>30</ts></p><p k="1"><n:a/><ts>40</ts></p>',
    ]
    for number in (2, 0, 1):
        bench.stage(partial, bench.land(f'<ps xmlns:n="urn:n">{rows[number]}</ps>', f"planes/2020-01-01/{number}.xml"))
    assert bench.log(partial, "k", "a", "b") == [
        (1, "x", 1, "I", "10"),
        (1, "x", 2, "U", "20"),
        (1, None, 2, "U", "30"),
        (1, "", 2, "U", "40"),
    ]


@pytest.mark.long(little=True)
def test_debezium_says_by_a_word_what_it_does_not_send(bench):
    options = {"absent_value": "__debezium_unavailable_value"}
    partial = replace(feed("jsonl", "debezium", options=options), updates="partial", missing_columns="null")
    first = envelope("c", 1000, after={"id": 1, "city": "a long text"})
    second = envelope("u", 2000, after={"id": 1, "city": "__debezium_unavailable_value"})
    third = envelope("u", 3000, after={"id": 1, "city": None})
    bench.stage(partial, jsonl(bench, "b", second))
    staged = bench.stage(partial, jsonl(bench, "a", first), jsonl(bench, "c", third))
    assert bench.log(partial, "id", "city") == [
        (1, "a long text", "I", "1970-01-01 00:00:01"),
        (1, "a long text", "U", "1970-01-01 00:00:02"),
        (1, None, "U", "1970-01-01 00:00:03"),
    ]
    assert staged.books.balanced


@pytest.mark.long(little=True)
def test_a_key_that_is_deleted_and_created_in_one_transaction_keeps_nothing_of_before(bench):
    debezium = replace(feed("jsonl", "debezium"), updates="partial")
    absent = {"absent_value": "__absent"}
    debezium = replace(debezium, source=replace(debezium.source, options=absent))
    bench.stage(debezium, jsonl(bench, "a", envelope("c", 1000, after={"id": 1, "city": "Reno"})))
    again = [envelope("d", 2000, before={"id": 1, "city": "Reno"}), envelope("c", 2000, after={"id": 1, "city": "Ely"})]
    bench.stage(debezium, jsonl(bench, "b", *again))
    bench.stage(debezium, jsonl(bench, "c", envelope("u", 3000, after={"id": 1, "city": "__absent"})))
    assert bench.log(debezium, "id", "city") == [
        (1, "Reno", "I", "1970-01-01 00:00:01"),
        (1, "Ely", "U", "1970-01-01 00:00:02"),
        (1, "Ely", "U", "1970-01-01 00:00:03"),
    ]


XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
NESTED = (
    Column("k", "bigint"),
    Column("street", "string", source="a.street", reads=("a.street",)),
    Column("city", "string", source="a.`the city`", reads=("a.`the city`",)),
    Column("ts", "int"),
)


def test_a_nested_field_that_a_record_lacks_keeps_its_value(bench):
    nested = table(columns=NESTED, load="upsert", delete_when=None, truncate_when=None)
    bench.stage(nested, land(bench, "a", {"k": 1, "a": {"street": "S", "the city": "C"}, "ts": 10}))
    later = [
        {"k": 1, "a": {"the city": "D"}, "ts": 20},
        {"k": 1, "ts": 30},
        {"k": 1, "a": {"street": None}, "ts": 40},
        {"k": 1, "a": None, "ts": 50},
    ]
    bench.stage(nested, land(bench, "b", *later))
    assert bench.log(nested) == [
        (1, "S", "C", 10, "I", "10"),
        (1, "S", "D", 20, "U", "20"),
        (1, "S", "D", 30, "U", "30"),
        (1, None, "D", 40, "U", "40"),
        (1, None, None, 50, "U", "50"),
    ]


@pytest.mark.long(little=True)
def test_a_nested_element_that_a_row_of_xml_lacks_keeps_its_value(bench):
    columns = tuple(replace(c, source=c.source.replace("`the city`", "@city"), reads=()) for c in NESTED)
    source = Source(prefix="planes/", format="xml", options={"row_tag": "row"})
    nested = table(columns=columns, source=source, load="upsert", delete_when=None, truncate_when=None)
    rows = (
        '<row><k>1</k><ts>10</ts><a city="C"><street>S</street></a></row>'
        '<row><k>1</k><ts>20</ts><a city="D"/></row>'
        '<row><k>1</k><ts>30</ts><a><street xsi:nil="true"/></a></row>'
    )
    bench.stage(nested, bench.land(f"<rows {XSI}>{rows}</rows>", "planes/2020-01-01/a.xml"))
    assert bench.log(nested) == [
        (1, "S", "C", 10, "I", "10"),
        (1, "S", "D", 20, "U", "20"),
        (1, None, "D", 30, "U", "30"),
    ]
