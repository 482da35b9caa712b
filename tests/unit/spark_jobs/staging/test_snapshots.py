"""Snapshots: what changed is stored once, absent keys are closed, late snapshots are put right."""

from __future__ import annotations

import dataclasses

import pytest

from contracts.model import Column, EffectiveAt, Parts, Source
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.staging import capture, newest
from spark_jobs.layers.staging.state import log_schema, state_schema
from tests.unit.spark_jobs.staging.conftest import snapshot_table


def at(day: int) -> str:
    return f"2020-01-{day:02d} 00:00:00"


def snapshot(bench, day: int, *rows: str):
    return bench.land("k,v\n" + "".join(f"{row}\n" for row in rows), f"planes/2020-01-{day:02d}/planes.csv")


def test_only_inserted_changed_and_deleted_rows_are_stored(bench):
    table = snapshot_table()
    bench.stage(table, snapshot(bench, 1, "1,a", "2,b", "3,c"))
    staged = bench.stage(table, snapshot(bench, 2, "1,a", "2,B", "4,d"))
    assert bench.log(table) == [
        (1, "a", "I", at(1)),
        (2, "b", "I", at(1)),
        (2, "B", "U", at(2)),
        (3, "c", "I", at(1)),
        (3, None, "D", at(2)),
        (4, "d", "I", at(2)),
    ]
    assert staged.books.as_dict() == {
        "read": 3,
        "inserted": 1,
        "updated": 1,
        "unchanged": 1,
        "duplicate": 0,
        "rejected": 0,
        "deleting": 0,
        "deleted": 1,
        "warned": 0,
    }


@pytest.mark.long
def test_a_late_snapshot_is_put_between_its_neighbours(bench):
    table = snapshot_table()
    bench.stage(table, snapshot(bench, 1, "1,a", "2,b", "3,c"))
    bench.stage(table, snapshot(bench, 3, "1,a", "2,B", "3,c"))
    bench.stage(table, snapshot(bench, 2, "1,x", "2,B"))
    assert bench.log(table) == [
        (1, "a", "I", at(1)),
        (1, "x", "U", at(2)),
        (1, "a", "U", at(3)),
        (2, "b", "I", at(1)),
        (2, "B", "U", at(2)),
        (3, "c", "I", at(1)),
        (3, None, "D", at(2)),
        (3, "c", "I", at(3)),
    ]


@pytest.mark.long(little=True)
def test_several_snapshots_in_one_batch_equal_one_by_one(bench):
    table = snapshot_table()
    bench.stage(table, snapshot(bench, 2, "1,b", "2,b"), snapshot(bench, 1, "1,a"), snapshot(bench, 3, "2,b"))
    assert bench.log(table) == [
        (1, "a", "I", at(1)),
        (1, "b", "U", at(2)),
        (1, None, "D", at(3)),
        (2, "b", "I", at(2)),
    ]


def test_null_and_empty_differ_and_a_name_that_goes_null_and_back_is_two_changes(bench):
    table = snapshot_table()
    bench.stage(table, snapshot(bench, 1, "1,a", '2,""'))
    bench.stage(table, snapshot(bench, 2, "1,", "2,"))
    bench.stage(table, snapshot(bench, 3, "1,a", "2,"))
    assert bench.log(table) == [
        (1, "a", "I", at(1)),
        (1, None, "U", at(2)),
        (1, "a", "U", at(3)),
        (2, "", "I", at(1)),
        (2, None, "U", at(2)),
    ]


def test_a_refused_row_still_counts_as_present(bench):
    table = snapshot_table(columns=(Column("k", "bigint"), Column("v", "int")))
    bench.stage(table, snapshot(bench, 1, "1,10", "2,20"))
    staged = bench.stage(table, snapshot(bench, 2, "1,ten", "2,20", "3,x,y", ",5"))
    assert bench.log(table) == [(1, 10, "I", at(1)), (2, 20, "I", at(1))]
    assert (staged.books.read, staged.books.rejected, staged.books.unchanged) == (4, 3, 1)
    refused = bench.lake.read(bench.lake.table("quarantine", "planes"))
    assert [tuple(r) for r in refused.select("_row_number", "_column", "_reason").orderBy("_row_number").collect()] == [
        (1, "v", "'ten' is no int"),
        (3, None, "has 3 fields, the header has 2"),
        (4, "k", "is NULL"),
    ]


def test_the_last_row_of_a_key_wins_and_the_others_are_duplicates(bench):
    table = snapshot_table()
    staged = bench.stage(table, snapshot(bench, 1, "1,a", "1,b", "2,x"))
    assert bench.log(table) == [(1, "b", "I", at(1)), (2, "x", "I", at(1))]
    assert (staged.books.inserted, staged.books.duplicate, staged.books.balanced) == (2, 1, True)


@pytest.mark.long(little=True)
def test_a_key_that_repeats_is_refused_with_its_records_where_the_contract_says_so(bench):
    table = snapshot_table(on_duplicate_key="fail", columns=(Column("k", "bigint"), Column("v", "int")))
    with pytest.raises(ContractViolationError) as raised:
        bench.stage(table, snapshot(bench, 1, "9,9", "7,x", "7,1", "8,1", "8,2", "7,2", "7,3"))
    assert str(raised.value) == (
        "planes: file planes/2020-01-01/planes.csv: record 6 repeats the key k=7 of record 3, and on_duplicate_key is "
        "fail"
    )
    assert bench.log(table) == []
    parted = dataclasses.replace(table, source=Source(prefix="planes/", parts=Parts(quiet="1s")))
    parts = [bench.land(f"k,v\n1,{name}\n", f"planes/2020-01-01/{name}.csv") for name in (1, 2)]
    with pytest.raises(
        ContractViolationError, match="record 1 of .*/2.csv repeats the key k=1 of record 1 of .*/1.csv, "
    ):
        bench.stage(parted, *parts)


@pytest.mark.long
def test_of_two_snapshots_of_one_time_that_are_united_each_may_hold_a_key(bench):
    table = snapshot_table(on_duplicate_key="fail", on_missing="keep")
    first, second = (bench.land(f"k,v\n1,{v}\n{v},{v}\n", f"planes/2020-01-01/{v}.csv") for v in (2, 3))
    bench.stage(table, first, second)
    united = [(1, "3", "I", at(1)), (2, "2", "I", at(1)), (3, "3", "I", at(1))]
    assert bench.log(table) == united
    bad = bench.land("k,v\n1,4\n4,4\n4,5\n", "planes/2020-01-01/4.csv")
    with pytest.raises(
        ContractViolationError, match=r"record 3 of .*/4.csv repeats the key k=4 of record 2 of"
    ) as raised:
        bench.stage(table, bad)
    assert (list(raised.value.landings), bench.log(table)) == ([bad["id"]], united)


@pytest.mark.long(little=True)
def test_of_two_snapshots_of_one_time_the_last_landing_is_the_snapshot(bench):
    table = snapshot_table()
    first, second = snapshot(bench, 1, "1,a", "2,b"), snapshot(bench, 1, "1,A", "3,c")
    bench.stage(table, second)
    staged = bench.stage(table, first)
    assert staged.superseded == (first["id"],)
    assert bench.log(table) == [(1, "A", "I", at(1)), (3, "c", "I", at(1))]


@pytest.mark.long(little=True)
def test_a_later_landing_of_a_staged_time_replaces_that_snapshot(bench):
    table = snapshot_table()
    bench.stage(table, snapshot(bench, 1, "1,a", "2,b"))
    bench.stage(table, snapshot(bench, 2, "1,x", "2,x", "4,x"))
    bench.stage(table, snapshot(bench, 2, "1,a", "3,c"))
    assert bench.log(table) == [
        (1, "a", "I", at(1)),
        (2, "b", "I", at(1)),
        (2, None, "D", at(2)),
        (3, "c", "I", at(2)),
    ]


@pytest.mark.long(little=True)
def test_keep_leaves_absent_keys_and_unites_snapshots_of_one_time(bench):
    table = snapshot_table(on_missing="keep")
    bench.stage(table, snapshot(bench, 1, "1,a", "2,b"))
    bench.stage(table, snapshot(bench, 2, "1,A"))
    staged = bench.stage(table, snapshot(bench, 2, "3,c", "1,AA"))
    assert bench.log(table) == [
        (1, "a", "I", at(1)),
        (1, "AA", "U", at(2)),
        (2, "b", "I", at(1)),
        (3, "c", "I", at(2)),
    ]
    assert staged.books.deleted == 0


@pytest.mark.long(little=True)
@pytest.mark.long(little=True)
def test_a_file_fails_by_name_when_another_of_its_snapshot_that_was_staged_is_gone(bench):
    table = snapshot_table(on_missing="keep")
    first = snapshot(bench, 1, "1,a")
    bench.stage(table, first)
    bench.s3.path("test-raw", first["key"], first["version_id"]).unlink()
    second = bench.land("k,v\n2,b\n", "planes/2020-01-01/more.csv")
    with pytest.raises(ContractViolationError) as refused:
        bench.stage(table, second)
    why = (
        f"a file of the same snapshot, staged before, cannot be read again: file {first['key']}: is gone: somebody "
        f"deleted its version {first['version_id']} from the raw bucket; send it again as it was, under the same key; "
        "then replay both"
    )
    assert (str(refused.value), refused.value.landings) == (
        f"planes: file {second['key']}: {why}",
        {second["id"]: (why, None)},
    )
    assert bench.log(table) == [(1, "a", "I", at(1))]


@pytest.mark.long
def test_a_row_dates_its_own_change_and_a_correction_keeps_the_earlier_state_safe(bench):
    table = snapshot_table(
        columns=(Column("k", "bigint"), Column("v", "string"), Column("u", "date")),
        effective_at=EffectiveAt(column="u"),
    )

    def land(day, *rows):
        text = "k,v,u\n" + "".join(f"{row}\n" for row in rows)
        return bench.land(text, "planes/p.csv", f"2020-01-{day:02d}T00:00:00Z")

    bench.stage(table, land(10, "1,A,2020-01-05"))
    bench.stage(table, land(20, "1,B,2020-01-05"))
    assert bench.log(table, "v") == [("B", "I", "2020-01-05")]
    bench.stage(table, land(15, "1,C,2020-01-12"))
    assert bench.log(table, "v") == [
        ("A", "I", "2020-01-05"),
        ("C", "U", "2020-01-12"),
        ("B", "U", "2020-01-20"),
    ]


def test_the_same_batch_again_changes_nothing(bench):
    table = snapshot_table()
    manifest = bench.manifest(table, snapshot(bench, 1, "1,a"))
    first, again = bench.run(table, manifest), bench.run(table, manifest)
    assert first == again
    assert bench.lake.read(bench.lake.table("audit", "batches")).count() == 1


@pytest.mark.long(little=True)
def test_what_a_newest_snapshot_changes_is_told_without_the_history_of_its_keys(bench, monkeypatch):
    table = snapshot_table()
    for day, rows in enumerate((["1,a", "2,b", "3,c"], ["1,A", "2,b"], ["1,a", "2,b", "3,c"]), start=1):
        bench.stage(table, snapshot(bench, day, *rows))

    def looked_up(*_):
        raise AssertionError("the history of keys was read")

    with monkeypatch.context() as patched:
        patched.setattr(capture, "said_before", looked_up)
        staged = bench.stage(table, snapshot(bench, 5, "1,A", "3,c", "4,d"))
        with pytest.raises(AssertionError, match="was read"):
            bench.stage(table, snapshot(bench, 4, "1,a"))
    assert bench.log(table) == [
        (1, "a", "I", at(1)),
        (1, "A", "U", at(2)),
        (1, "a", "U", at(3)),
        (1, "A", "U", at(5)),
        (2, "b", "I", at(1)),
        (2, None, "D", at(5)),
        (3, "c", "I", at(1)),
        (3, None, "D", at(2)),
        (3, "c", "I", at(3)),
        (4, "d", "I", at(5)),
    ]
    counted = {name: count for name, count in staged.books.as_dict().items() if count}
    assert counted == {"read": 3, "inserted": 1, "updated": 1, "unchanged": 1, "deleted": 1}


@pytest.mark.long(little=True)
def test_a_newest_snapshot_stores_what_the_history_of_its_keys_would(bench, monkeypatch):
    words = {"columns": (Column("k", "bigint"), Column("v", "int"))}
    table, by_history = snapshot_table(**words), snapshot_table(name="by_history", **words)
    days = (["1,1", "2,2", "3,3"], ["1,10", "3,3", "4,x"], ["1,1", "2,", "4,4", "5,5", "5,6"], ["6,6"])
    landed = [snapshot(bench, number, *rows) for number, rows in enumerate(days, start=1)]
    for landing in landed:
        bench.stage(table, landing)
    monkeypatch.setattr(newest, "tells_all", lambda _: False)
    for landing in landed:
        bench.stage(by_history, landing)

    def stored(of, layer, *columns):
        rows = bench.lake.read(bench.lake.table(layer, of.name)).select(*columns)
        return sorted(map(repr, rows.collect()))

    entries = [name for name in state_schema(table).names if not name.endswith(("_high", "_low"))]
    log = [name for name in log_schema(table).names if name not in ("_batch_id", "_staged_at")]
    for layer, columns in (("state", entries), ("staging", log)):
        assert stored(table, layer, *columns) == stored(by_history, layer, *columns)
    assert bench.log(table) == [
        (1, 1, "I", at(1)), (1, 10, "U", at(2)), (1, 1, "U", at(3)), (1, None, "D", at(4)),
        (2, 2, "I", at(1)), (2, None, "D", at(2)), (2, None, "I", at(3)), (2, None, "D", at(4)),
        (3, 3, "I", at(1)), (3, None, "D", at(3)),
        (4, 4, "I", at(3)), (4, None, "D", at(4)),
        (5, 6, "I", at(3)), (5, None, "D", at(4)),
        (6, 6, "I", at(4)),
    ]  # fmt: skip


@pytest.mark.long(little=True)
def test_a_key_that_was_held_last_is_told_by_its_history(bench):
    table = snapshot_table(columns=(Column("k", "bigint"), Column("v", "int")))
    bench.stage(table, snapshot(bench, 1, "1,1", "2,2", "3,3"))
    bench.stage(table, snapshot(bench, 2, "1,x", "2,x", "3,3"))
    staged = bench.stage(table, snapshot(bench, 3, "1,1", "2,20", "3,30"))
    assert bench.log(table) == [
        (1, 1, "I", at(1)),
        (2, 2, "I", at(1)),
        (2, 20, "U", at(3)),
        (3, 3, "I", at(1)),
        (3, 30, "U", at(3)),
    ]
    assert (staged.books.updated, staged.books.unchanged) == (2, 1)


@pytest.mark.long(little=True)
def test_rows_that_state_their_own_instant_are_told_by_their_history(bench):
    table = snapshot_table(
        columns=(Column("k", "bigint"), Column("v", "string"), Column("since", "date")),
        effective_at=EffectiveAt(column="since", from_key=r"(?P<date>\d{4}-\d{2}-\d{2})"),
    )
    for day, row in enumerate(("1,a,2020-01-01", "1,b,2020-03-01", "1,c,2020-02-01"), start=1):
        bench.stage(table, bench.land(f"k,v,since\n{row}\n", f"planes/2020-01-{day:02d}/planes.csv"))
    assert bench.log(table, "k", "v") == [(1, "a", "I", "2020-01-01"), (1, "c", "U", "2020-02-01")]
