"""Files of the raw bucket that the ledger does not know of are taken up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.model import Parts
from functions.open_batch import reconciling
from functions.open_batch.planning import plan
from functions.open_batch.reconciling import reconcile
from functions.open_batch.request import read_request
from functions.shared.arriving import write_down
from functions.shared.landings import landing_id
from tests.unit.functions.conftest import FIRST_TOKEN, Pipeline, failed, task_failed


@pytest.fixture
def raw(pipeline: Pipeline) -> Any:
    """What puts an object into the raw bucket and tells its version; no event comes of it."""
    return lambda key, body=b"x": pipeline.s3.put_object(Bucket="raw", Key=key, Body=body)["VersionId"]


def test_versions_whose_events_were_lost_are_staged_and_those_that_are_known_are_not_again(
    pipeline: Pipeline, raw: Any
) -> None:
    told, lost = raw("crm/planes/a.csv"), raw("crm/planes/a.csv", b"other")
    new = raw("crm/planes/2013/b c+d.csv")
    for key in ("crm/planes/_SUCCESS", "crm/planes/x.tmp", "ops/weather.csv"):
        raw(key)
    pipeline.s3.delete_object(Bucket="raw", Key="crm/planes/a.csv")
    pipeline.land("crm/planes/a.csv", told)
    before = datetime.now(UTC) - timedelta(seconds=2)
    caller = pipeline.start("reconcile")
    batch = pipeline.open(caller, mode="reconcile")
    found = {(one["key"], one["version_id"]): one for one in pipeline.manifest(batch)["landings"]}
    assert found.keys() == {
        ("crm/planes/a.csv", told),
        ("crm/planes/a.csv", lost),
        ("crm/planes/2013/b c+d.csv", new),
    }
    one = found["crm/planes/a.csv", lost]
    assert (one["etag"], one["size"]) == ("795f3202b17cb6bc3d4b771d8c6c9eaf", 5)
    written = datetime.fromisoformat(one["event_time"])
    assert before <= written <= datetime.now(UTC)
    assert one["sequencer"] == f"00{int(written.timestamp()):08X}FFFF"
    assert found["crm/planes/2013/b c+d.csv", new]["sequencer"].endswith("FFFF")
    assert (pipeline.open(caller, mode="reconcile"), pipeline.states("weather")) == (batch, {})
    pipeline.stage(batch)
    assert pipeline.close(batch, caller)["more"] is False
    pipeline.stop("reconcile")
    again = pipeline.open(pipeline.start("again"), mode="reconcile")
    assert (again["action"], again["reason"]) == ("nothing", "nothing is pending")
    assert set(pipeline.states().values()) == {"staged"}


def test_what_landed_before_a_contract_claimed_it_comes_with_the_time_of_its_event(
    pipeline: Pipeline, raw: Any
) -> None:
    version = raw("crm/planes/a.csv")
    world = pipeline.world
    without = {name: table for name, table in world.plan.tables.items() if name != "planes"}
    pipeline.world = replace(world, plan=replace(world.plan, tables=without, marts={}))
    assert pipeline.land("crm/planes/a.csv", version, at="2013-01-02T05:00:00.123Z") == ([], {"UnroutedObjects": 1})
    pipeline.world = world
    batch = pipeline.open(pipeline.start("reconcile"), mode="reconcile")
    [one] = pipeline.manifest(batch)["landings"]
    assert (one["id"], one["event_time"], one["state"]) == (
        landing_id("crm/planes/a.csv", version),
        "2013-01-02T05:00:00.123000Z",
        "pending",
    )
    assert pipeline.items("", "UNROUTED") == []


def test_what_was_noted_of_an_object_goes_also_where_its_event_has_come_again(pipeline: Pipeline, raw: Any) -> None:
    versions = {key: raw(key) for key in ("crm/planes/a.csv", "crm/planes/b.csv", "lost/c.csv")}
    world = pipeline.world
    without = {name: table for name, table in world.plan.tables.items() if name != "planes"}
    pipeline.world = replace(world, plan=replace(world.plan, tables=without, marts={}))
    for key, version in versions.items():
        pipeline.land(key, version)
    pipeline.world = world
    for key in ("crm/planes/a.csv", "crm/planes/b.csv"):
        pipeline.land(key, versions[key])
    assert reconcile(world, "planes") == 0
    assert [one["key"] for one in pipeline.items("", "UNROUTED")] == ["lost/c.csv"]
    assert set(pipeline.states().values()) == {"pending"}


def test_what_was_noted_of_an_object_goes_where_it_was_moved_or_deleted(pipeline: Pipeline, raw: Any) -> None:
    keys = ("lost/a.csv", "lost/b", "lost/b.csv", "lost/c.csv")
    for key in keys:
        pipeline.land(key, raw(key))
    for key in ("lost/a.csv", "lost/b", "lost/c.csv"):
        pipeline.s3.delete_object(Bucket="raw", Key=key)
    pipeline.land("lost/c.csv", raw("lost/c.csv"))
    assert reconcile(pipeline.world, "planes") == 0
    left = sorted(one["key"] for one in pipeline.items("", "UNROUTED"))
    assert left == ["lost/b.csv", "lost/c.csv", "lost/c.csv"]


def test_more_files_are_taken_up_than_dynamodb_writes_at_once(
    pipeline: Pipeline, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, count = pipeline.world, reconciling.MAX_ACTIONS // 3 + 1
    for number in range(count):
        raw(f"crm/planes/{number:03}.csv")
    unrouted = [replace(one, event_time="2013-01-02T05:00:00.123000Z") for one in world.raw.versions("crm/")]
    for taken in (count, 0):
        for one in unrouted:
            write_down(world.ledger, None, one)
        assert reconcile(world, "planes") == taken
        assert pipeline.items("", "UNROUTED") == []
        monkeypatch.setattr(reconciling, "MAX_ACTIONS", count // 2)
    assert [one["event_time"] for one in pipeline.items("PENDING#")] == ["2013-01-02T05:00:00.123000Z"] * count


def test_a_table_takes_up_its_own_files_alone_and_the_markers_that_it_waits_for(pipeline: Pipeline, raw: Any) -> None:
    for key in ("ops/a.csv", "ops/flights/a.csv", "ops/_SUCCESS", "ops/_temporary/a.csv"):
        raw(key)
    assert reconcile(pipeline.world, "weather") == 1
    assert [one["key"] for one in pipeline.items("LANDING#", "TABLE#weather")] == ["ops/a.csv"]
    parts = replace(pipeline.world.plan.tables["weather"].source, parts=Parts(marker="_SUCCESS$"))
    pipeline.with_table("weather", source=parts)
    assert reconcile(pipeline.world, "weather") == 1
    assert {one["key"] for one in pipeline.items("LANDING#", "TABLE#weather")} == {"ops/a.csv", "ops/_SUCCESS"}


def test_what_no_table_had_claimed_keeps_the_time_of_its_event_when_reconciling_is_cut_off_and_repeated(
    pipeline: Pipeline, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {key: raw(key) for key in ("crm/planes/a.csv", "crm/planes/b.csv", "crm/planes/c.csv")}
    at = "2013-01-02T05:00:00.123Z"
    world = pipeline.world
    without = {name: table for name, table in world.plan.tables.items() if name != "planes"}
    pipeline.world = replace(world, plan=replace(world.plan, tables=without, marts={}))
    for key, version in versions.items():
        pipeline.land(key, version, at=at)
    pipeline.world = world
    listed, transact, left = type(world.raw).versions, type(world.ledger).transact, [5]

    def and_an_event_comes(self: Any, prefix: str) -> Any:
        yield from listed(self, prefix)
        pipeline.land("crm/planes/a.csv", versions["crm/planes/a.csv"], at=at)

    def for_a_while(self: Any, actions: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise TimeoutError
        transact(self, actions)

    with monkeypatch.context() as patched:
        patched.setattr(type(world.raw), "versions", and_an_event_comes)
        patched.setattr(type(world.ledger), "transact", for_a_while)
        with pytest.raises(TimeoutError):
            reconcile(world, "planes")
    reconcile(world, "planes")
    assert {one["key"]: one["event_time"] for one in pipeline.items("LANDING#")} == dict.fromkeys(
        versions, "2013-01-02T05:00:00.123000Z"
    )
    assert pipeline.items("", "UNROUTED") == []


def test_a_file_whose_event_comes_meanwhile_is_taken_up_once_and_hinders_no_other(
    pipeline: Pipeline, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {key: raw(key) for key in ("crm/planes/a.csv", "crm/planes/b.csv", "crm/planes/c.csv")}
    listed = type(pipeline.world.raw).versions

    def and_an_event_comes(self: Any, prefix: str) -> Any:
        yield from listed(self, prefix)
        pipeline.land("crm/planes/b.csv", versions["crm/planes/b.csv"])

    with monkeypatch.context() as patched:
        patched.setattr(type(pipeline.world.raw), "versions", and_an_event_comes)
        reconcile(pipeline.world, "planes")
    found = {one["key"]: one["event_time"] for one in pipeline.items("LANDING#")}
    assert (found.keys(), len(pipeline.items("PENDING#"))) == (versions.keys(), 3)
    assert found["crm/planes/b.csv"] == "2013-01-02T05:00:00.000000Z"


def test_whoever_works_on_the_table_takes_what_was_found(pipeline: Pipeline, raw: Any) -> None:
    pipeline.land("crm/planes/a.csv", raw("crm/planes/a.csv"))
    raw("crm/planes/b.csv")
    [name] = pipeline.executions()
    batch = pipeline.open(pipeline.caller(name))
    answer = pipeline.open(pipeline.start("reconcile"), mode="reconcile")
    assert answer["reason"] == f"the execution {name} works on planes and takes what is pending"
    pipeline.stage(batch)
    assert pipeline.close(batch, pipeline.caller(name))["more"] is True
    second = pipeline.open(pipeline.caller(name, 1))
    assert [one["key"] for one in pipeline.manifest(second)["landings"]] == ["crm/planes/b.csv"]
    assert second["token"] == FIRST_TOKEN + 1


def test_a_rebuild_of_staging_takes_what_counts_of_the_files_that_the_ledger_had_forgotten(
    pipeline: Pipeline, raw: Any
) -> None:
    known = raw("ops/flights/a.csv", b"a")
    pipeline.land("ops/flights/a.csv", known, etag="0cc175b9c0f1b6a831c399e269772661", sequencer="00")
    caller = pipeline.caller(pipeline.executions()[-1])
    batch = pipeline.open(caller, table="flights")
    pipeline.stage(batch)
    pipeline.close(batch, caller)
    pipeline.stop(caller.name)
    copy, bad = raw("ops/flights/a.csv", b"a"), raw("ops/flights/b.csv")
    old, new = raw("ops/flights/c.csv", b"c"), raw("ops/flights/c.csv", b"C")
    caller = pipeline.start("rebuild")
    batch = pipeline.open(caller, table="flights", mode="rebuild", layer="staging")
    manifest = pipeline.manifest(batch)
    found = {(one["key"], one["version_id"]): one["id"] for one in manifest["landings"]}
    assert (manifest["mode"], found.keys()) == (
        "rebuild",
        {("ops/flights/a.csv", known), ("ops/flights/b.csv", bad), ("ops/flights/c.csv", new)},
    )
    words = {found["ops/flights/b.csv", bad]: ("no header", None)}
    message = "flights: file ops/flights/b.csv: no header"
    pipeline.write(batch, "stage", failed(batch["batch_id"], "ContractViolationError", message, **words))
    answer = pipeline.close(batch, caller, stage_error=task_failed(f"ContractViolationError: {message}"))
    assert answer["more"] is False
    states = {
        f"ops/flights/a.csv {known}": "staged",
        f"ops/flights/a.csv {copy}": "duplicate",
        f"ops/flights/b.csv {bad}": "failed",
    }
    newest = dict.fromkeys((f"ops/flights/c.csv {old}", f"ops/flights/c.csv {new}"), "pending")
    assert pipeline.states("flights") == states | newest
    pipeline.stop("rebuild")
    caller = pipeline.start("again")
    planned = read_request({"table": "flights", "mode": "dry_run", "layer": "staging"}, pipeline.world.plan)
    assert [one["key"] for one in plan(pipeline.world, planned, caller.id)["files"]] == [
        "ops/flights/a.csv",
        "ops/flights/c.csv",
    ]
    batch = pipeline.open(caller, table="flights", mode="rebuild", layer="staging")
    assert {one["key"] for one in pipeline.manifest(batch)["landings"]} == {"ops/flights/a.csv", "ops/flights/c.csv"}
    pipeline.stage(batch)
    assert pipeline.close(batch, caller)["more"] is True
    assert pipeline.open(pipeline.caller("again", 1), table="flights")["action"] == "nothing"
    newest = {f"ops/flights/c.csv {old}": "superseded", f"ops/flights/c.csv {new}": "staged"}
    assert pipeline.states("flights") == states | newest
