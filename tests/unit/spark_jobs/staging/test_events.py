"""Upsert, changes and append: events in any order, duplicates, deletes, and objects that land again."""

from __future__ import annotations

import pytest

from contracts.model import Check, Column, EffectiveAt, Limits, Source
from spark_jobs.layers.errors import ContractViolationError, LimitExceededError, StaleLeaseError
from tests.unit.spark_jobs.staging.conftest import snapshot_table

COLUMNS = (Column("k", "bigint"), Column("v", "string"))


def at(day: int) -> str:
    return f"2020-01-{day:02d} 00:00:00"


def daily(bench, day: int, *rows: str, header: str = "k,v"):
    text = header + "\n" + "".join(f"{row}\n" for row in rows)
    return bench.land(text, f"planes/2020-01-{day:02d}/x.csv", f"2020-01-{day:02d}T06:00:00Z")


def changes_table(**words):
    columns = (*COLUMNS, Column("op", "string"), Column("ts", "int"), Column("n", "int"))
    defaults = {
        "load": "changes",
        "columns": columns,
        "effective_at": EffectiveAt(column="ts"),
        "tie_break": ("n",),
        "delete_when": "op = 'D'",
    }
    return snapshot_table(**{**defaults, **words})


@pytest.mark.long(little=True)
def test_an_observation_that_only_confirmed_comes_back_when_a_late_one_makes_it_a_change(bench):
    table = snapshot_table(load="upsert")
    bench.stage(table, daily(bench, 1, "1,v"))
    confirmed = bench.stage(table, daily(bench, 5, "1,v"))
    assert bench.log(table) == [(1, "v", "I", at(1))]
    assert confirmed.books.unchanged == 1
    bench.stage(table, daily(bench, 3, "1,w"))
    assert bench.log(table) == [(1, "v", "I", at(1)), (1, "w", "U", at(3)), (1, "v", "U", at(5))]


@pytest.mark.long(little=True)
def test_changes_end_the_same_in_any_order(bench):
    header = "k,v,op,ts,n"
    files = [
        ("1,a,U,10,1", "2,x,U,10,1", "2,,D,30,1"),
        ("1,b,U,20,1", "1,c,U,20,2", "1,,D,20,2"),
        ("1,d,U,40,", "2,y,U,20,1", "3,,D,5,1"),
    ]
    logs = []
    for name, order in (("one", (0, 1, 2)), ("two", (2, 1, 0))):
        table = changes_table(name=name)
        for place in order:
            bench.stage(table, daily(bench, 1, *files[place], header=header))
        logs.append(bench.log(table, "v", "n"))
    assert (
        logs[0]
        == logs[1]
        == [
            ("a", 1, "I", "10"),
            (None, None, "D", "20"),
            ("d", None, "I", "40"),
            ("x", 1, "I", "10"),
            ("y", 1, "U", "20"),
            (None, None, "D", "30"),
        ]
    )


def test_a_deleting_row_needs_its_key_and_its_sequence_only(bench):
    columns = (Column("k", "bigint"), Column("v", "int", required=True), Column("op", "string"), Column("ts", "int"))
    table = changes_table(columns=columns, tie_break=())
    staged = bench.stage(table, daily(bench, 1, "1,7,U,1", "1,,D,2", "2,,D,2", "x,1,U,1", "4,1,U,", header="k,v,op,ts"))
    assert bench.log(table, "v") == [(7, "I", "1"), (None, "D", "2")]
    books = staged.books
    assert (books.read, books.inserted, books.deleting, books.deleted, books.rejected) == (5, 1, 2, 1, 2)
    assert books.balanced


def append_table(**words):
    return snapshot_table(**{"load": "append", "key": (), **words})


def test_append_keeps_every_row_with_its_file_and_number(bench):
    table = append_table()
    staged = bench.stage(table, daily(bench, 1, "1,a", "1,a"), daily(bench, 2, "2,b", "x,y"))
    rows = bench.lake.read(bench.lake.table("staging", "planes")).orderBy("_order", "_row_number")
    assert [tuple(r) for r in rows.select("k", "v", "_op", "_source_file", "_row_number").collect()] == [
        (1, "a", "I", "s3://test-raw/planes/2020-01-01/x.csv", 1),
        (1, "a", "I", "s3://test-raw/planes/2020-01-01/x.csv", 2),
        (2, "b", "I", "s3://test-raw/planes/2020-01-02/x.csv", 1),
    ]
    assert (staged.books.read, staged.books.inserted, staged.books.rejected) == (4, 3, 1)


def test_an_append_object_that_lands_again_replaces_its_rows(bench):
    table = append_table()
    first = daily(bench, 1, "1,a", "2,b")
    bench.stage(table, first, daily(bench, 2, "9,z"))
    retired = {name: first[name] for name in ("id", "key", "version_id", "sequencer")}
    bench.stage(table, daily(bench, 1, "1,A"), retired=[retired])
    assert bench.log(table) == [(1, "A", "I", at(1)), (9, "z", "I", at(2))]


def test_staging_a_landing_again_in_another_batch_does_not_double_it(bench):
    table = append_table()
    landing = daily(bench, 1, "1,a", "2,b")
    bench.stage(table, landing)
    bench.stage(table, landing)
    assert bench.log(table) == [(1, "a", "I", at(1)), (2, "b", "I", at(1))]


def test_a_file_that_breaks_its_schema_publishes_nothing_and_is_named(bench):
    table = append_table()
    good, bad = daily(bench, 1, "1,a"), daily(bench, 2, "1,a", header="k,w")
    with pytest.raises(ContractViolationError) as raised:
        bench.stage(table, good, bad)
    assert str(raised.value) == (
        "planes: file planes/2020-01-02/x.csv: column v is missing (the file has k, w); send it, or allow it "
        "with missing_columns: null"
    )
    assert list(raised.value.landings) == [bad["id"]]
    assert bench.log(table) == []


def test_a_check_that_fails_names_the_file_and_the_record(bench):
    table = append_table(checks=(Check("v_known", "v IN ('a', 'b')", "fail"),))
    bad = daily(bench, 2, "1,a", "2,q")
    with pytest.raises(ContractViolationError, match=r"2020-01-02/x.csv: record 2: fails the check v_known") as raised:
        bench.stage(table, daily(bench, 1, "1,b"), bad)
    assert list(raised.value.landings) == [bad["id"]]


@pytest.mark.long(little=True)
def test_a_breaker_stops_the_batch_and_allow_lets_it_through_once(bench):
    table = snapshot_table(limits=Limits(max_deleted=0.2))
    bench.stage(table, daily(bench, 1, "1,a", "2,b", "3,c"))
    cut_off = daily(bench, 2, "1,a")
    with pytest.raises(LimitExceededError) as raised:
        bench.stage(table, cut_off, daily(bench, 3, "1,a", "2,b", "3,c"))
    reason = "max_deleted: 2 of 3 living keys would be deleted, the limit is 20%"
    assert raised.value.landings == {cut_off["id"]: (reason, None)}
    assert str(raised.value) == (
        "planes: max_deleted: 2 of 3 living keys would be deleted, the limit is 20%; nothing was published. "
        'To let it through once, start {"table": "planes", "allow": ["max_deleted"]}'
    )
    assert len(bench.log(table)) == 3
    bench.stage(table, daily(bench, 2, "1,a"), allow=["max_deleted"])
    assert [row[2] for row in bench.log(table)] == ["I", "I", "D", "I", "D"]


def test_a_run_whose_lease_was_taken_over_cannot_publish(bench):
    table = append_table()
    stale = bench.manifest(table, daily(bench, 1, "1,a"))
    bench.stage(table, daily(bench, 2, "2,b"))
    with pytest.raises(StaleLeaseError, match="must not publish"):
        bench.run(table, stale)
    assert bench.log(table) == [(2, "b", "I", at(2))]


def test_a_ledger_that_is_new_to_the_table_may_use_the_id_of_a_batch_again(bench):
    table = append_table()
    first = bench.manifest(table, daily(bench, 1, "1,a"))
    bench.run(table, first)
    new = bench.manifest(table, daily(bench, 2, "2,b"), batch_id=first.batch_id, token=first.token + 1)
    for _ in range(2):
        bench.run(table, new)
    assert bench.log(table) == [(1, "a", "I", at(1)), (2, "b", "I", at(2))]


def test_an_object_whose_key_holds_no_time_is_left_out_with_a_reason(bench):
    table = append_table(source=Source(prefix="planes/"))
    manifest = bench.manifest(table, bench.land("k,v\n1,a\n", "planes/x.csv"))
    assert manifest.landings == ()
    assert manifest.unmatched[0][1].startswith("planes: key planes/x.csv: does not match from_key")


def test_gzip_that_ends_early_fails_its_landing_by_name(bench):
    import gzip

    table = append_table()
    body = gzip.compress(b"k,v\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(200_000)))
    bad = bench.land(body[: len(body) // 2], "planes/2020-01-01/x.csv", "2020-01-01T06:00:00Z")
    with pytest.raises(
        ContractViolationError, match="x.csv: cannot be unpacked to its end .the archive is cut off"
    ) as raised:
        bench.stage(table, bad, daily(bench, 2, "1,a"))
    assert list(raised.value.landings) == [bad["id"]]
