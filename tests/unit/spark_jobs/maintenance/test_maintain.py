"""Maintenance changes no row, whatever it rewrites and expires, and no batch that comes after it notices."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta

import pytest

from contracts.model import EffectiveAt
from spark_jobs.layers.errors import StaleLeaseError
from spark_jobs.layers.maintenance import maintain as module
from spark_jobs.layers.maintenance.maintain import MaintenanceFailedError, refuse_failures
from spark_jobs.layers.maintenance.policy import Policy, Tended
from spark_jobs.layers.staging import crawled
from tests.unit.spark_jobs.maintenance.conftest import MARTS, PLANES
from tests.unit.spark_jobs.marts.bench import Bench, mart, plan, table


def a_week(p):
    """Stage seven days: key 1 changes daily, key 2 stays, key 3 goes on the fourth day."""
    for number in range(1, 8):
        p.snapshot(number, k1=f"v{number}", k2="same", **({"k3": "c"} if number < 4 else {}))


@pytest.mark.long
def test_many_small_files_become_few_and_batches_go_on_from_there(pipeline):
    p = pipeline(*MARTS)
    a_week(p)
    for name in p.plan.marts:
        p.build(name)
    log, marts = p.log(), {name: p.rows("mart", name) for name in p.plan.marts}
    done = p.maintain()
    assert (done["staging.planes"].files_rewritten, done["staging.planes"].files_written) == (7, 1)
    # Of the state the listing and the entries are one file each; what stayed current and what moved are too few for it.
    assert (p.files("staging"), p.files("state"), p.files("audit", "batches")) == (1, 4, 1)
    assert (p.log(), {name: p.rows("mart", name) for name in p.plan.marts}) == (log, marts)
    assert {p.build(name).status for name in p.plan.marts} == {"unchanged"}
    p.snapshot(8, k1="v7", k2="same", k4="new")
    p.snapshot(5, k1="late", k2="same")
    for name in p.plan.marts:
        assert p.build(name).status == "published"
        assert p.build(name, rebuild=True).status == "unchanged"
    expected = [(1, f"v{n}" if n != 5 else "late", "I" if n == 1 else "U", n) for n in range(1, 8)]
    found = [(k, v, op, int(at[8:10])) for k, v, op, at in p.log() if k == 1]
    assert found == expected
    assert [row[:2] for row in p.rows("mart", "latest_planes")] == [(1, "v7"), (2, "same"), (4, "new")]


@pytest.mark.long
def test_a_second_maintenance_finds_nothing_to_do(pipeline):
    p = pipeline(*MARTS)
    a_week(p)
    p.maintain()
    before = {layer: p.snapshots(layer) for layer in ("staging", "state", "quarantine")}
    assert {
        name: one.as_dict().keys() - {"table"} for name, one in p.maintain().items() if one.as_dict().keys() - {"table"}
    } == {}
    assert {layer: p.snapshots(layer) for layer in ("staging", "state", "quarantine")} == before


@pytest.mark.long
def test_snapshots_go_when_they_are_old_but_never_those_that_a_mart_has_not_read(pipeline):
    p = pipeline(*MARTS)
    p.snapshot(1, k1="a", k2="b")
    for name in p.plan.marts:
        p.build(name)
    seen = p.snapshots("staging")[0]
    p.snapshot(2, k1="a2", k2="b")
    p.snapshot(3, k1="a3", k2="b")
    p.build("latest_planes")
    done = p.maintain(later=30)
    assert seen in p.snapshots("staging") and done["staging.planes"].held_by == "dim_planes"
    changed = p.lake.changed_keys(p.table("staging"), ["k"], seen)
    assert [tuple(row) for row in changed.collect()] == [(1,)]
    assert p.build("dim_planes").counts.inserted == 2
    done = p.maintain(later=30)
    assert (done["staging.planes"].held_by, len(p.snapshots("staging"))) == ("", 1)
    assert done["staging.planes"].snapshots_expired > 0
    assert {p.build(name, rebuild=True).status for name in p.plan.marts} == {"unchanged"}


@pytest.mark.long
def test_a_mart_whose_snapshot_is_gone_after_all_is_rebuilt(pipeline):
    p = pipeline(*MARTS)
    p.snapshot(1, k1="a", k2="b")
    for name in p.plan.marts:
        p.build(name)
    p.snapshot(2, k1="a2")
    handle = p.lake.handle(p.table("staging"))
    handle.expireSnapshots().expireOlderThan(2**53).retainLast(1).commit()
    assert len(p.snapshots("staging")) == 1
    assert p.build("latest_planes").counts.deleted == 1
    p.build("dim_planes")
    assert p.rows("mart", "latest_planes") == [(1, "a2")]
    assert {p.build(name, rebuild=True).status for name in p.plan.marts} == {"unchanged"}


@pytest.mark.long
def test_the_fence_the_state_and_the_answer_of_a_published_batch_outlive_every_snapshot(pipeline):
    p = pipeline()
    a_week(p)
    landing = p.bench.land("k,v\n1,v8\n", "planes/2020-01-08.csv")
    stale = p.bench.manifest(PLANES, p.bench.land("k,v\n1,old\n", "planes/2020-01-09.csv"))
    manifest = p.bench.manifest(PLANES, landing)
    first = p.bench.run(PLANES, manifest)
    p.maintain(later=30)
    p.maintain(later=60)
    assert len(p.snapshots("state")) == 1
    log = p.log()
    assert p.bench.run(PLANES, manifest).books == first.books
    with pytest.raises(StaleLeaseError, match="must not publish"):
        p.bench.run(PLANES, stale)
    assert p.log() == log
    p.snapshot(9, k1="v9")
    assert [(k, op) for k, _, op, _ in p.log()][-1] == (3, "D") and p.log()[8] == (1, "v9", "U", "2020-01-09 00:00:00")


@pytest.mark.long
def test_branches_of_dead_runs_go_and_those_on_which_one_may_work_keep_the_table_from_being_compacted(pipeline):
    p = pipeline(MARTS[0])
    a_week(p)
    p.build("latest_planes")
    branch = p.lake.branch(p.table("staging"), "b_dead")
    branch.append(p.lake.read(p.table("staging")))
    done = p.maintain()
    assert (done["staging.planes"].note, done["staging.planes"].files_rewritten) == (module.BUSY, 0)
    assert branch.read().count() == 20
    done = p.maintain(later=4)
    assert (done["staging.planes"].branches_dropped, done["staging.planes"].files_rewritten) == (1, 7)
    assert list(dict(p.lake.handle(p.table("staging")).refs())) == ["main"]


@pytest.mark.long
def test_a_state_that_its_batch_could_not_settle_stays_whole(pipeline, monkeypatch):
    """The log is published and names a state that stands on the dead batch's branch alone."""
    p = pipeline()
    a_week(p)
    with monkeypatch.context() as patch:
        patch.setattr(type(p.lake), "settle", lambda *_: None)
        p.snapshot(8, k1="v8")
    done = p.maintain(later=30)
    assert (done["state.planes"].branches_dropped, done["state.planes"].note) == (0, module.BUSY)
    p.snapshot(9, k1="v9", k2="again")
    assert [row for row in p.log() if row[3] >= "2020-01-09"] == [
        (1, "v9", "U", "2020-01-09 00:00:00"),
        (2, "again", "I", "2020-01-09 00:00:00"),
    ]


@pytest.mark.long
def test_history_keeps_its_promise_to_forget_where_nothing_lands_any_more(pipeline):
    p = pipeline(mart("planes_history", "history", "planes", keep_for="30d"), MARTS[0])
    p.snapshot(1, k1="a", k2="b")
    p.snapshot(9, k1="a2", k2="b")
    p.build("planes_history", now=datetime(2020, 1, 20, tzinfo=UTC))
    assert len(p.rows("mart", "planes_history")) == 3
    later = (datetime(2020, 2, 5, tzinfo=UTC) - datetime.now(UTC)) / timedelta(days=1)
    done = p.maintain(later, "planes_history")
    assert {name: one.rows_forgotten for name, one in done.items()} == {"mart.planes_history": 2}
    assert [row[:3] for row in p.rows("mart", "planes_history")] == [(1, "a2", "U")]
    p.snapshot(10, k1="a3", k2="b")
    p.build("planes_history", now=datetime(2020, 2, 5, tzinfo=UTC))
    assert [row[:3] for row in p.rows("mart", "planes_history")] == [(1, "a2", "U"), (1, "a3", "U")]


def test_history_forgets_by_dates_that_a_crawler_keeps(lake):
    day = EffectiveAt(column="day")
    found = table("t", "k int, day date", load="changes", key=("k",), effective_at=day)
    kept = mart("h", "history", "t", keep_for="30d")
    bench = Bench(lake, plan([found], [kept]))
    bench.log("t", [(1, date(2024, 1, number), op, date(2024, 1, number)) for number, op in ((1, "I"), (9, "D"))])
    bench.build("h", now=datetime(2024, 1, 20, tzinfo=UTC))
    crawled.remember(lake, lake.table("staging", "t"), found)
    crawls = plan([dataclasses.replace(found, columns=(), crawled=True)], [kept])
    done = module.maintain(lake, crawls, Policy(datetime(2024, 2, 5, tzinfo=UTC)))
    assert [(one.rows_forgotten, one.error) for one in done] == [(0, ""), (1, "")]
    assert bench.rows("h", "k", "_op") == [(1, "D")]


def test_what_one_table_lacks_does_not_keep_the_others_waiting(pipeline, monkeypatch):
    p = pipeline(MARTS[0])
    p.snapshot(1, k1="a")
    plain = module.tend

    def tend(lake, plan, item, policy):
        if item.table == p.table("state"):
            raise OSError("no space\nat all")
        return plain(lake, plan, item, policy)

    monkeypatch.setattr(module, "tend", tend)
    done = p.maintain()
    assert {name: one.error for name, one in done.items()} == {
        "staging.planes": "",
        "state.planes": "OSError: no space",
        "quarantine.planes": "",
        "audit.batches": "",
    }
    with pytest.raises(MaintenanceFailedError, match=f"{p.table('state')}: OSError: no space"):
        refuse_failures(list(done.values()))
    refuse_failures([Tended("a")])
