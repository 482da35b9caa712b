"""`extra_columns: add`: what files have and the contract has not is kept as text, and the plan stays the truth."""

from __future__ import annotations

import dataclasses
import json

import duckdb
import pytest

from contracts.model import Column, Source
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.staging.extras import extra_columns, with_extras
from tests.unit.spark_jobs.staging.conftest import snapshot_table


def at(day: int) -> str:
    return f"2020-01-{day:02d} 00:00:00"


def snapshot(bench, day: int, header: str, *rows: str):
    return bench.land(f"{header}\n" + "".join(f"{row}\n" for row in rows), f"planes/2020-01-{day:02d}/planes.csv")


OPEN = snapshot_table(extra_columns="add")


def test_extra_columns_have_names_of_their_own_and_keep_them():
    found = ["K", "V", "Total Amount", "_op", "2nd", "%", "v ", "TOTAL AMOUNT"]
    extras = extra_columns(OPEN, found, {"total": "total amount"})
    assert extras == {"total": "total amount", "op": "_op", "c_2nd": "2nd", "c": "%", "v_extra": "v "}
    declared = snapshot_table(columns=(*OPEN.columns, Column("amount", "int", "Total Amount")))
    assert extra_columns(declared, ["total amount"], extras) == {
        "op": "_op",
        "c_2nd": "2nd",
        "c": "%",
        "v_extra": "v ",
    }


def test_names_of_any_length_become_such_as_glues_catalog_takes():
    first, second = f"{'x' * 300} 1", f"{'X' * 300} 2"
    assert extra_columns(OPEN, [first, second], {}) == {"x" * 120: first, f"{'x' * 120}_extra": second}


def test_a_table_with_extras_reads_them_where_a_file_has_them():
    wide = with_extras(OPEN, {"b": "B", "a": "A"})
    assert (wide.column_names, wide.source.optional) == (("k", "v", "a", "b"), ("B", "A"))


@pytest.mark.long
def test_columns_come_and_go_with_the_files_and_late_files_are_put_right(bench):
    bench.stage(OPEN, snapshot(bench, 1, "k,v", "1,a"))
    bench.stage(OPEN, snapshot(bench, 4, "Seat Count,k,v", "7,1,a"))
    assert bench.log(OPEN, "k", "v", "seat_count") == [(1, "a", None, "I", at(1)), (1, "a", "7", "U", at(4))]
    bench.stage(OPEN, snapshot(bench, 5, "k,v", "1,a"), snapshot(bench, 2, "k,v,seat count", "1,a,6"))
    assert bench.log(OPEN, "k", "v", "seat_count") == [
        (1, "a", None, "I", at(1)),
        (1, "a", "6", "U", at(2)),
        (1, "a", "7", "U", at(4)),
        (1, "a", None, "U", at(5)),
    ]


@pytest.mark.long(little=True)
def test_an_extra_column_that_is_declared_as_text_goes_on_as_it_is(bench):
    bench.stage(OPEN, snapshot(bench, 1, "k,v,w", "1,a,x"))
    declared = dataclasses.replace(OPEN, columns=(*OPEN.columns, Column("w", "string")))
    staged = bench.stage(declared, snapshot(bench, 2, "k,v,w,z", "1,a,x,"))
    assert staged.books.unchanged == 1
    assert bench.log(declared, "k", "w", "z") == [(1, "x", None, "I", at(1))]


def test_a_column_that_jobs_could_not_tell_from_their_own_is_refused(bench):
    with pytest.raises(ContractViolationError, match="column _RAW has a name that jobs keep for themselves"):
        bench.stage(OPEN, snapshot(bench, 1, "k,v,_RAW", "1,a,x"))


def test_an_append_table_keeps_extra_columns_too(bench):
    table = dataclasses.replace(OPEN, load="append", key=())
    bench.stage(table, snapshot(bench, 1, "k,v,w", "1,a,x"), snapshot(bench, 2, "k,v", "2,b"))
    assert bench.log(table, "k", "v", "w") == [(1, "a", "x", "I", at(1)), (2, "b", None, "I", at(2))]


LINES = snapshot_table(extra_columns="add", source=Source("planes/", "jsonl"))
ROWS = snapshot_table(
    extra_columns="add",
    source=Source("planes/", "xml", options={"row_tag": "p"}),
    columns=(Column("k", "bigint", "@k"), Column("v", "string")),
)


def test_objects_of_json_bring_their_fields_as_text_and_may_lack_them(bench):
    first = '{"k": 1, "v": "a", "n": 1.50, "o": {"x": [1, null]}}\n{"k": 2, "v": "b", "a.b": "text"}\n'
    bench.stage(LINES, bench.land(first, "planes/2020-01-01/planes.jsonl"))
    bench.stage(LINES, bench.land('{"k": 1, "v": "a", "n": 1.5}\n', "planes/2020-01-02/planes.jsonl"))
    assert bench.log(LINES, "k", "n", "o", "a_b") == [
        (1, "1.50", '{"x":[1,null]}', None, "I", at(1)),
        (1, "1.5", None, None, "U", at(2)),
        (2, None, None, "text", "I", at(1)),
        (2, None, None, None, "D", at(2)),
    ]


@pytest.mark.long(little=True)
def test_a_document_of_json_is_followed_like_its_lines(bench):
    documents = dataclasses.replace(LINES, source=Source("planes/", "json", options={"row_path": "rows"}))
    bench.stage(documents, bench.land('{"rows": [{"k": 1, "v": "a", "n": true}]}', "planes/2020-01-01/planes.json"))
    assert bench.log(documents, "k", "n") == [(1, "true", "I", at(1))]


def test_a_field_that_another_differs_from_by_case_alone_is_refused_and_not_lost(bench):
    staged = bench.stage(LINES, bench.land('{"k": 1, "v": "a", "N": 1, "n": 2}\n', "planes/2020-01-01/planes.jsonl"))
    assert [one.reason for one in staged.rejected] == ["has a field twice"]


@pytest.mark.long(little=True)
def test_columns_of_parquet_become_text_whatever_their_type(bench, tmp_path):
    table = dataclasses.replace(OPEN, source=Source("planes/", "parquet"))
    duckdb.sql(
        "COPY (SELECT 1 k, 'a' v, 7 n, 1.50 d, true f, TIMESTAMP_NS '2020-02-29 01:02:03.5' t, [1, NULL] l, "
        "{'x': NULL, 'y': 'z'} s, 'b'::BLOB b, [TIMESTAMP '2020-02-29 01:02:03.000001'] m, "
        f"{{'at': TIMESTAMPTZ '2020-02-29 01:02:03.000002+01'}} z) TO '{tmp_path}/p' (FORMAT parquet)"
    )
    bench.stage(table, bench.land((tmp_path / "p").read_bytes(), "planes/2020-01-01/planes.parquet"))
    assert bench.log(table, "k", "n", "d", "f", "t", "l", "s", "b") == [
        (1, "7", "1.50", "true", "2020-02-29 01:02:03.5", "[1,null]", '{"x":null,"y":"z"}', "b", "I", at(1))
    ]
    moments = ('["2020-02-29T01:02:03.000001"]', '{"at":"2020-02-29T00:02:03.000002Z"}')
    assert bench.log(table, "m", "z") == [(*moments, "I", at(1))]


def test_a_file_with_very_many_fields_is_refused(bench):
    many = json.dumps({"k": 1, "v": "a", **{f"f{i}": i for i in range(1000)}})
    with pytest.raises(ContractViolationError, match="more than 1,000 different fields; declare a map"):
        bench.stage(LINES, bench.land(many, "planes/2020-01-01/planes.jsonl"))


@pytest.mark.long(little=True)
def test_rows_of_xml_bring_attributes_text_and_elements(bench):
    rows = '<ps><p k="1" w="x"><v>a</v><t u="m">5</t></p><p k="2">own<v>b</v><t>6</t><t/><s><d>1</d></s></p></ps>'
    bench.stage(ROWS, bench.land(rows, "planes/2020-01-01/planes.xml"))
    bench.stage(ROWS, bench.land('<ps><p k="1"><v>a</v></p></ps>', "planes/2020-01-02/planes.xml"))
    assert bench.log(ROWS, "k", "w", "t", "text", "s") == [
        (1, "x", '{"@u": "m", "#text": "5"}', None, None, "I", at(1)),
        (1, None, None, None, None, "U", at(2)),
        (2, None, '["6", ""]', "own", '{"d": "1"}', "I", at(1)),
        (2, None, None, None, None, "D", at(2)),
    ]
