"""A contract changes while its table holds rows: old rows stay, new ones follow, late ones are still put right."""

from __future__ import annotations

import dataclasses

import pytest

from contracts.model import Column
from spark_jobs.layers.errors import SchemaChangeError
from tests.unit.spark_jobs.staging.conftest import snapshot_table


def at(day: int) -> str:
    return f"2020-01-{day:02d} 00:00:00"


def snapshot(bench, day: int, header: str, *rows: str):
    return bench.land(f"{header}\n" + "".join(f"{row}\n" for row in rows), f"planes/2020-01-{day:02d}/planes.csv")


OLD = snapshot_table(columns=(Column("k", "int"), Column("v", "string"), Column("n", "int")))
NEW = snapshot_table(columns=(Column("k", "bigint"), Column("n", "bigint"), Column("w", "string")))


@pytest.mark.parametrize("load", ["snapshot", "upsert"])
def test_columns_are_added_widened_and_dropped_under_living_rows(bench, load):
    old, new = dataclasses.replace(OLD, load=load), dataclasses.replace(NEW, load=load)
    bench.stage(old, snapshot(bench, 1, "k,v,n", "1,a,1", "2,b,2"))
    staged = bench.stage(new, snapshot(bench, 3, "k,n,w", "1,1,x", "2,5000000000,", "3000000000,3,"))
    assert bench.log(new, "k", "v", "n", "w") == [
        (1, "a", 1, None, "I", at(1)),
        (1, None, 1, "x", "U", at(3)),
        (2, "b", 2, None, "I", at(1)),
        (2, None, 5000000000, None, "U", at(3)),
        (3000000000, None, 3, None, "I", at(3)),
    ]
    assert (staged.books.updated, staged.books.inserted) == (2, 1)


def test_a_late_file_brings_back_a_row_that_was_staged_under_the_old_contract(bench):
    old, new = dataclasses.replace(OLD, load="upsert"), dataclasses.replace(NEW, load="upsert")
    bench.stage(old, snapshot(bench, 1, "k,v,n", "1,a,1"))
    bench.stage(old, snapshot(bench, 5, "k,v,n", "1,a,1"))
    bench.stage(new, snapshot(bench, 3, "k,n,w", "1,9,x"))
    assert bench.log(new, "k", "v", "n", "w") == [
        (1, "a", 1, None, "I", at(1)),
        (1, None, 9, "x", "U", at(3)),
        (1, None, 1, None, "U", at(5)),
    ]


def test_a_column_that_is_added_and_empty_changes_no_row(bench):
    wide = snapshot_table(columns=(*OLD.columns, Column("w", "string")), missing_columns="null")
    bench.stage(OLD, snapshot(bench, 1, "k,v,n", "1,a,1"))
    staged = bench.stage(wide, snapshot(bench, 2, "k,v,n", "1,a,1"), snapshot(bench, 3, "k,v,n,w", "1,a,1,"))
    assert bench.log(wide, "k", "v", "n", "w") == [(1, "a", 1, None, "I", at(1))]
    assert staged.books.unchanged == 2


def test_a_narrower_type_fails_with_both_types_and_the_way_out(bench):
    bench.stage(NEW, snapshot(bench, 1, "k,n,w", "1,1,x"))
    narrow = snapshot_table(columns=(Column("k", "bigint"), Column("n", "int"), Column("w", "string")))
    with pytest.raises(SchemaChangeError) as raised:
        bench.stage(narrow, snapshot(bench, 2, "k,n,w", "1,1,y"))
    assert str(raised.value) == (
        "planes: column n is bigint in the table and int in the contract; a type may only widen: int to bigint, float "
        "to double, decimal(p,s) to more digits before the point. Keep the type, or declare a column of another name. "
        'Or else: Stage the table anew from its raw files: start {"table": "planes", "mode": "rebuild", '
        '"layer": "staging"}'
    )
    assert bench.log(NEW, "k", "n", "w") == [(1, 1, "x", "I", at(1))]


def test_words_on_which_every_row_depends_cannot_change_under_staged_rows(bench):
    landing = snapshot(bench, 1, "k,v,n", "1,a,1", "2,a,2")
    bench.stage(OLD, landing)
    other = dataclasses.replace(OLD, key=("k", "v"), on_missing="keep")
    with pytest.raises(SchemaChangeError) as raised:
        bench.stage(other, snapshot(bench, 2, "k,v,n", "1,a,1"))
    assert str(raised.value) == (
        "planes: key was [k] and is [k, v]; on_missing was close and is keep: rows staged before would mean something "
        'else now. Stage the table anew from its raw files: start {"table": "planes", "mode": "rebuild", "layer": '
        '"staging"}'
    )
    bench.stage(other, landing, mode="rebuild")
    assert bench.log(other, "k", "v", "n") == [(1, "a", 1, "I", at(1)), (2, "a", 2, "I", at(1))]


def test_a_rebuild_takes_any_type(bench):
    landing = snapshot(bench, 1, "k,v,n", "1,a,1")
    bench.stage(OLD, landing)
    texts = dataclasses.replace(OLD, columns=(Column("k", "string"), Column("v", "string"), Column("n", "double")))
    bench.stage(texts, landing, mode="rebuild")
    assert bench.log(texts, "k", "v", "n") == [("1", "a", 1.0, "I", at(1))]
