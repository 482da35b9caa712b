"""`extra_columns: add`: what files have and the contract has not is kept as text, and the plan stays the truth."""

from __future__ import annotations

import dataclasses

from contracts.model import Column
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


def test_a_table_with_extras_reads_them_where_a_file_has_them():
    wide = with_extras(OPEN, {"b": "B", "a": "A"})
    assert (wide.column_names, wide.source.optional) == (("k", "v", "a", "b"), ("B", "A"))


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


def test_an_extra_column_that_is_declared_as_text_goes_on_as_it_is(bench):
    bench.stage(OPEN, snapshot(bench, 1, "k,v,w", "1,a,x"))
    declared = dataclasses.replace(OPEN, columns=(*OPEN.columns, Column("w", "string")))
    staged = bench.stage(declared, snapshot(bench, 2, "k,v,w,z", "1,a,x,"))
    assert staged.books.unchanged == 1
    assert bench.log(declared, "k", "w", "z") == [(1, "x", None, "I", at(1))]


def test_an_append_table_keeps_extra_columns_too(bench):
    table = dataclasses.replace(OPEN, load="append", key=())
    bench.stage(table, snapshot(bench, 1, "k,v,w", "1,a,x"), snapshot(bench, 2, "k,v", "2,b"))
    assert bench.log(table, "k", "v", "w") == [(1, "a", "x", "I", at(1)), (2, "b", None, "I", at(2))]
