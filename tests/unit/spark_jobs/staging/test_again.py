"""Landings that are staged again: what they had brought before leaves, whatever it was, and nothing is doubled."""

from __future__ import annotations

import re

import pytest

from contracts.model import Check, Column
from spark_jobs.layers.errors import ContractViolationError, StaleLeaseError
from spark_jobs.layers.lake import Lake
from spark_jobs.layers.staging import stage
from tests.unit.spark_jobs.staging.conftest import snapshot_table

COLUMNS = (Column("k", "bigint"), Column("v", "string"))


def at(day: int) -> str:
    return f"2020-01-{day:02d} 00:00:00"


def daily(bench, day: int, *rows: str):
    text = "k,v\n" + "".join(f"{row}\n" for row in rows)
    return bench.land(text, f"planes/2020-01-{day:02d}/x.csv", f"2020-01-{day:02d}T06:00:00Z")


def refused(bench, table):
    rows = bench.lake.read(bench.lake.table("quarantine", table.name)).orderBy("_order", "_row_number")
    return [tuple(row) for row in rows.select("_row_number", "_reason").collect()]


@pytest.mark.long(little=True)
def test_a_landing_that_counts_no_more_takes_its_events_with_it_and_those_behind_come_back(bench):
    table = snapshot_table(load="upsert")
    first, copy = daily(bench, 5, "1,a", "2,x"), daily(bench, 5, "1,b", "3,y")
    bench.stage(table, first, copy, daily(bench, 7, "1,c"))
    assert bench.log(table) == [(1, "b", "I", at(5)), (1, "c", "U", at(7)), (2, "x", "I", at(5)), (3, "y", "I", at(5))]
    bench.stage(table, daily(bench, 8, "2,z"), retired=[copy])
    assert bench.log(table) == [(1, "a", "I", at(5)), (1, "c", "U", at(7)), (2, "x", "I", at(5)), (2, "z", "U", at(8))]


@pytest.mark.long(little=True)
def test_a_snapshot_that_counts_no_more_is_as_if_it_had_not_come(bench):
    table = snapshot_table()
    second = daily(bench, 2, "1,b", "4,d")
    bench.stage(table, daily(bench, 1, "1,a", "2,a"), second, daily(bench, 3, "1,b", "2,a"))
    bench.stage(table, daily(bench, 4, "1,b"), retired=[second])
    assert bench.log(table) == [
        (1, "a", "I", at(1)),
        (1, "b", "U", at(3)),
        (2, "a", "I", at(1)),
        (2, None, "D", at(4)),
    ]


@pytest.mark.long(little=True)
def test_a_replay_through_another_contract_replaces_rows_and_quarantine(bench):
    table = snapshot_table(load="upsert")
    landing = daily(bench, 1, "1,a", "2,bad", "x,c")
    bench.stage(table, landing, daily(bench, 2, "2,d"))
    assert refused(bench, table) == [(3, "'x' is no bigint")]
    stricter = snapshot_table(load="upsert", checks=(Check("v_good", rule="v <> 'bad'"),))
    bench.stage(stricter, landing, mode="replay")
    assert bench.log(table) == [(1, "a", "I", at(1)), (2, "d", "I", at(2))]
    assert [number for number, _ in refused(bench, table)] == [2, 3]
    bench.stage(table, landing, mode="replay")
    assert bench.log(table) == [(1, "a", "I", at(1)), (2, "bad", "I", at(1)), (2, "d", "U", at(2))]
    assert refused(bench, table) == [(3, "'x' is no bigint")]


@pytest.mark.long
def test_a_rebuild_begins_with_empty_tables_and_is_published_in_one_step(bench):
    table = snapshot_table()
    landings = [daily(bench, day, f"1,{day}", f"{day},x", "z,z") for day in (1, 2, 3)]
    bench.stage(table, *landings)
    log = bench.log(table)
    bench.stage(table, *landings, mode="rebuild")
    assert bench.log(table) == log
    assert len(refused(bench, table)) == 3
    bench.stage(table, landings[1], mode="rebuild")
    assert bench.log(table) == [(1, "2", "I", at(2)), (2, "x", "I", at(2))]
    assert len(refused(bench, table)) == 1


@pytest.mark.long(little=True)
def test_a_rebuild_goes_without_files_that_are_gone_where_it_may(bench):
    table = snapshot_table()
    first, _ = landings = [daily(bench, day, f"1,{day}") for day in (1, 2)]
    bench.stage(table, *landings)
    bench.s3.path("test-raw", first["key"], first["version_id"]).unlink()
    version = f"its version {first['version_id']} from the raw bucket"
    gone = f"file {first['key']}: is gone: somebody deleted {version}; send it again as it was, under the same key"
    with pytest.raises(ContractViolationError, match=re.escape(gone)):
        bench.stage(table, *landings, mode="rebuild")
    assert bench.log(table) == [(1, "1", "I", at(1)), (1, "2", "U", at(2))]
    manifest = bench.manifest(table, *landings, mode="rebuild", allow=["missing_files"])
    for _ in ("the run that publishes", "its repetition"):
        assert bench.run(table, manifest).left_out == {first["id"]: f"{table.name}: {gone}"}
        assert bench.log(table) == [(1, "2", "I", at(2))]


@pytest.mark.long(little=True)
def test_a_run_that_is_overtaken_as_it_opens_its_branches_leaves_those_alone_that_overtook_it(bench, monkeypatch):
    table, texts = snapshot_table(), snapshot_table(columns=(Column("k", "string"), Column("v", "string")))
    landings = [daily(bench, day, "1,a", f"2,{day}") for day in (1, 2, 3)]
    bench.stage(table, landings[0])
    late, anew = bench.manifest(table, landings[1]), bench.manifest(texts, *landings[:2], mode="rebuild")
    open_branch = Lake.branch

    def overtaken(*asked, **words):
        monkeypatch.setattr(Lake, "branch", open_branch)
        with monkeypatch.context() as dying:
            dying.setattr(stage, "_settled", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                bench.run(texts, anew)
        return open_branch(*asked, **words)

    monkeypatch.setattr(Lake, "branch", overtaken)
    with pytest.raises(StaleLeaseError):
        bench.run(table, late)
    bench.stage(texts, landings[2])
    assert bench.log(texts) == [
        ("1", "a", "I", at(1)),
        ("2", "1", "I", at(1)),
        ("2", "2", "U", at(2)),
        ("2", "3", "U", at(3)),
    ]


@pytest.mark.long(little=True)
def test_a_kept_snapshot_that_is_read_again_with_a_later_one_of_its_time_refuses_its_rows_once(bench):
    table = snapshot_table(on_missing="keep")
    bench.stage(table, daily(bench, 1, "1,a", "x,b"))
    bench.stage(table, daily(bench, 1, "2,c"))
    assert bench.log(table) == [(1, "a", "I", at(1)), (2, "c", "I", at(1))]
    assert refused(bench, table) == [(2, "'x' is no bigint")]
