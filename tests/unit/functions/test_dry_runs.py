"""What a dry run tells, and that it touches nothing: files, batches, marts, what a limit stopped, what was left."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import pytest

from contracts.model import EffectiveAt, Parts
from functions.close_batch import closing
from functions.open_batch import opening
from functions.shared import actions
from functions.shared.landings import REBUILD, STAGED
from functions.shared.settling import again
from tests.unit.functions.conftest import Pipeline, dry_run, failed, opened, s3_event, staged, stopped, task_failed
from tests.unit.functions.test_holding import held_up


def test_a_dry_run_tells_what_would_be_staged_and_built_and_touches_nothing(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv", size=300)
    pipeline.land("crm/planes/b.csv", size=200, at="2013-01-03T00:00:00.000Z")
    pipeline.land("crm/planes/b.csv", "v2", size=200, etag="etag-v1", at="2013-01-04T00:00:00.000Z")
    plan = dry_run(pipeline)
    assert (plan["mode"], plan["landings"], plan["bytes"], plan["batches"]) == ("incremental", 2, 500, [2])
    assert [file["key"] for file in plan["files"]] == ["crm/planes/a.csv", "crm/planes/b.csv"]
    [copy] = plan["settled_without_staging"]
    assert (copy["key"], copy["version_id"], copy["state"], copy["becomes"], copy["because"]) == (
        "crm/planes/b.csv",
        "v2",
        "pending",
        "duplicate",
        "the same content as version v1 before it",
    )
    assert (plan["waiting"], "left_behind" in plan) == ([], False)
    assert plan["marts"] == [["dim_planes", "latest_planes"], ["fct_flights"], ["daily"]]
    assert plan["estimate"]["dpu_minutes"] == 2 + 1 + 4 * 4
    assert plan["worked_on_by"] == ""


def test_the_whole_of_a_dry_run(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv", size=700_000_000)
    plan = dry_run(pipeline, marts=["dim_planes"])
    how = plan["estimate"].pop("how")
    assert how.startswith("one minute for a job to start and one for each 600 MB and DPU that it stages; at least two")
    assert plan == {
        "table": "planes",
        "mode": "incremental",
        "nothing_was_touched": True,
        "landings": 1,
        "bytes": 700_000_000,
        "batches": [1],
        "files": [
            {
                "key": "crm/planes/a.csv",
                "version_id": "v1",
                "event_time": "2013-01-02T05:00:00.000000Z",
                "size": 700_000_000,
                "state": "pending",
                "attempts": 0,
            }
        ],
        "settled_without_staging": [],
        "waiting": [],
        "marts": [["dim_planes"]],
        "estimate": {"dpu_minutes": 2 + 2 + 4},  # a start of two DPUs, 1.2 DPU-minutes of files, a mart
        "worked_on_by": "",
    }


def test_a_dry_run_of_a_replay_or_a_rebuild(pipeline: Pipeline) -> None:
    batch_id = staged(pipeline, "crm/planes/a.csv", "crm/planes/b.csv")
    for words in ({"from": "2013-01-02"}, {"to": "2013-01-02"}, {"prefix": "crm/"}, {"batch_id": batch_id}):
        assert dry_run(pipeline, **words)["mode"] == "replay"
    assert [file["key"] for file in dry_run(pipeline, to="2013-01-01")["files"]] == ["crm/planes/a.csv"]
    assert dry_run(pipeline, layer="staging")["landings"] == 2
    pipeline.land("crm/planes/c.csv")
    assert dry_run(pipeline, layer="staging")["batches"] == [3]
    marts = dry_run(pipeline, layer="marts", marts=["daily"])
    assert (marts["mode"], marts["landings"], marts["batches"], marts["marts"]) == ("rebuild", 0, [], [["daily"]])


def test_a_file_whose_replay_waits_is_staged_anew_once(pipeline: Pipeline) -> None:
    staged(pipeline, "crm/planes/a.csv", "crm/planes/b.csv")
    caller = pipeline.start("replay")
    batch = pipeline.open(caller, mode="replay", prefix="crm/planes/a")
    pipeline.close(batch, caller, stage_error=task_failed("OutOfMemoryError: heap"))
    pipeline.stop("replay")
    assert dry_run(pipeline)["batches"] == [1]
    assert dry_run(pipeline, layer="staging")["batches"] == [2]


def test_a_dry_run_tells_which_batches_an_allow_would_let_through(pipeline: Pipeline) -> None:
    stopped(pipeline)
    batch = {"batch_id": "planes-1-0-0", "limit": "max_deleted", "files": ["crm/planes/a.csv"]}
    plan = dry_run(pipeline)
    assert (plan["landings"], plan["stopped_by_limits"]) == (0, [batch | {"let_through": False}])
    plan = dry_run(pipeline, allow=["max_rejected"])
    assert (plan["landings"], plan["stopped_by_limits"]) == (0, [batch | {"let_through": False}])
    plan = dry_run(pipeline, allow=["max_deleted"])
    assert (plan["landings"], plan["stopped_by_limits"]) == (1, [batch | {"let_through": True}])
    assert [file["key"] for file in plan["files"]] == ["crm/planes/a.csv"]


def test_a_dry_run_knows_that_content_counts_again(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv", etag="x", at="2013-01-01T00:00:00.000Z")
    pipeline.land("crm/planes/a.csv", "v3", etag="x", at="2013-01-03T00:00:00.000Z")
    batch = pipeline.open(pipeline.caller("planes-1-0"))
    pipeline.stage(batch)
    assert pipeline.close(batch, pipeline.caller("planes-1-0"))["more"] is True
    assert pipeline.open(pipeline.caller("planes-1-0", 1))["action"] == "nothing"
    assert pipeline.states() == {"crm/planes/a.csv v1": "staged", "crm/planes/a.csv v3": "duplicate"}
    pipeline.land("crm/planes/a.csv", "v2", etag="y", at="2013-01-02T00:00:00.000Z")
    plan = dry_run(pipeline)
    assert [file["version_id"] for file in plan["files"]] == ["v2", "v3"]
    assert (plan["settled_without_staging"], plan["waiting"]) == ([], [])


def test_a_dry_run_tells_each_whole_snapshot_in_parts_as_a_batch_and_which_files_wait(pipeline: Pipeline) -> None:
    source = replace(pipeline.world.plan.tables["planes"].source, parts=Parts(marker="_SUCCESS$"))
    pipeline.with_table("planes", source=source, effective_at=EffectiveAt(from_key=r"(?P<date>\d{4}-\d{2}-\d{2})"))
    names = (
        "2013-01-01/a",
        "2013-01-01/_SUCCESS",
        "2013-01-02/a",
        "2013-01-02/b",
        "2013-01-02/_SUCCESS",
        "2013-01-03/a",
    )
    for hour, name in enumerate(names):
        pipeline.land(f"crm/planes/{name}", at=f"2013-01-04T0{hour}:00:00.000Z")
    plan = dry_run(pipeline)
    assert plan["batches"] == [2, 3]
    assert [file["key"] for file in plan["files"]] == [f"crm/planes/{name}" for name in names[:5]]
    assert [file["key"] for file in plan["waiting"]] == ["crm/planes/2013-01-03/a"]
    assert dry_run(pipeline, layer="staging")["batches"] == []  # what is staged anew does not wait, and this does


def test_a_replay_of_snapshots_in_parts_is_planned_and_done_snapshot_by_snapshot(pipeline: Pipeline) -> None:
    source = replace(pipeline.world.plan.tables["planes"].source, parts=Parts(count=r"-of-(?P<parts>\d+)$"))
    pipeline.with_table("planes", source=source, effective_at=EffectiveAt(from_key=r"(?P<date>\d{4}-\d{2}-\d{2})"))
    small = replace(pipeline.world.environment, max_landings=1)
    pipeline.world = replace(pipeline.world, environment=small)
    for names in (("2013-01-01/1-of-1",), ("2013-01-02/1-of-2", "2013-01-02/2-of-2")):
        staged(pipeline, *(f"crm/planes/{name}" for name in names))
    request = {"mode": "replay", "prefix": "crm/planes/"}
    assert dry_run(pipeline, prefix="crm/planes/")["batches"] == [1, 2]
    caller = pipeline.start("replay")
    first = pipeline.open(caller, **request)
    pipeline.stage(first)
    assert pipeline.close(first, caller)["more"] is True
    second = pipeline.open(pipeline.caller("replay", 1))
    assert [len(pipeline.manifest(batch)["landings"]) for batch in (first, second)] == [1, 2]


def test_a_dry_run_tells_what_an_execution_that_died_has_left(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    plan = dry_run(pipeline)
    assert (plan["worked_on_by"], "left_behind" in plan) == (caller.id, False)
    pipeline.stop(caller.name)
    pipeline.land("crm/planes/b.csv")
    plan = dry_run(pipeline)
    assert (plan["worked_on_by"], plan["left_behind"]) == ("", [batch["batch_id"]])
    assert [file["key"] for file in plan["files"]] == ["crm/planes/b.csv"]


def test_a_dry_run_names_batches_that_were_left_and_no_others(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.stop(caller.name)
    with monkeypatch.context() as dying:
        dying.setattr(opening, "recover_orphans", mock.Mock(side_effect=MemoryError))
        with pytest.raises(MemoryError):
            pipeline.open(pipeline.start("second"))
    pipeline.stop("second")
    assert dry_run(pipeline)["left_behind"] == [batch["batch_id"]]
    third = pipeline.open(pipeline.start("third"))
    pipeline.stage(third)
    with monkeypatch.context() as dying:
        dying.setattr(closing, "_go_on", mock.Mock(side_effect=MemoryError))
        with pytest.raises(MemoryError):
            pipeline.close(third, pipeline.caller("third"))
    pipeline.stop("third")
    assert "left_behind" not in dry_run(pipeline)


def test_a_file_on_its_last_attempt_goes_alone_and_a_rebuild_that_died_leaves_files_as_they_were(
    pipeline: Pipeline,
) -> None:
    pipeline.world = replace(pipeline.world, environment=replace(pipeline.world.environment, max_attempts=2))
    staged(pipeline, "crm/planes/a.csv")
    batch, caller = opened(pipeline, "crm/planes/b.csv")
    pipeline.close(batch, caller, stage_error=task_failed("OutOfMemoryError: heap"))
    pipeline.stop(caller.name)
    for name in ("c", "d"):
        pipeline.land(f"crm/planes/{name}.csv", at="2013-01-09T00:00:00.000Z")
    ledger = pipeline.world.ledger
    [a] = [one for one in ledger.all_landings("planes") if one.state == STAGED]
    for action in actions.change("planes", a, again(a, "now", mode=REBUILD, was=STAGED)):
        ledger.write(action)
    plan = dry_run(pipeline)
    assert (plan["batches"], [file["attempts"] for file in plan["files"]]) == ([1, 2], [1, 0, 0])
    assert [(one["key"], one["becomes"]) for one in plan["settled_without_staging"]] == [("crm/planes/a.csv", "staged")]


def test_what_a_limit_stopped_is_let_through_in_batches_of_its_own(pipeline: Pipeline) -> None:
    stopped(pipeline)
    pipeline.land("crm/planes/b.csv")
    plan = dry_run(pipeline, allow=["max_deleted"])
    assert (plan["batches"], [file["key"] for file in plan["files"]]) == (
        [1, 1],
        ["crm/planes/b.csv", "crm/planes/a.csv"],
    )


def test_a_dry_run_cuts_files_into_the_batches_that_an_execution_makes_of_them(pipeline: Pipeline) -> None:
    small = replace(pipeline.world.environment, max_landings=2, max_bytes=1000)
    pipeline.world = replace(pipeline.world, environment=small)
    sizes = (400, 600, 1, 999, 1, 1000)
    pipeline.deliver(
        *(s3_event(f"crm/planes/{n}.csv", size=size, at=f"2013-01-02T0{n}:00:00.000Z") for n, size in enumerate(sizes))
    )
    planned = dry_run(pipeline)["batches"]
    [name] = pipeline.executions()
    made, more = [], True
    while more:
        caller = pipeline.caller(name, len(made))
        batch = pipeline.open(caller)
        made.append(len(pipeline.manifest(batch)["landings"]))
        pipeline.stage(batch)
        more = pipeline.close(batch, caller)["more"]
    assert planned == made == [2, 2, 1, 1]


def test_a_dry_run_tells_what_goes_on_when_a_failed_file_is_replayed_or_sent_again(pipeline: Pipeline) -> None:
    held_up(pipeline)
    assert [one["key"] for one in dry_run(pipeline, table="weather")["waiting"]] == ["ops/c.csv"]
    for words in ({"prefix": "ops/b"}, {}):
        plan = dry_run(pipeline, table="weather", **words)
        files = [(one["key"], one["version_id"], one["state"]) for one in plan["files"]]
        if words:
            assert files == [
                ("ops/b.csv", "v1", "staged"),
                ("ops/b.csv", "v2", "failed"),
                ("ops/c.csv", "v1", "pending"),
            ]
            assert plan["batches"] == [2, 1]
            pipeline.land("ops/b.csv", "v3", at="2013-01-05T00:00:00.000Z")
        else:
            assert files == [("ops/b.csv", "v3", "pending"), ("ops/c.csv", "v1", "pending")]
            assert (plan["batches"], plan["waiting"]) == ([1, 1], [])


def test_a_replay_of_a_snapshot_takes_the_part_along_that_was_sent_again(pipeline: Pipeline) -> None:
    source = replace(pipeline.world.plan.tables["planes"].source, parts=Parts(marker="_SUCCESS$"))
    pipeline.with_table("planes", source=source, effective_at=EffectiveAt(from_key=r"(?P<date>\d{4}-\d{2}-\d{2})"))
    day = "crm/planes/2013-01-01"
    batch, caller = opened(pipeline, f"{day}/a", f"{day}/b", f"{day}/_SUCCESS")
    all_parts = {one["id"]: ("no int", "seats") for one in pipeline.manifest(batch)["landings"]}
    pipeline.write(batch, "stage", failed(batch["batch_id"], "ContractViolationError", "no int", **all_parts))
    pipeline.close(batch, caller, stage_error=task_failed("ContractViolationError: no int"))
    pipeline.stop(caller.name)
    pipeline.land(f"{day}/b", "v2", at="2013-01-05T00:00:00.000Z")
    pipeline.stop(pipeline.executions()[-1])
    plan = dry_run(pipeline, prefix=day)
    assert (plan["batches"], len(plan["waiting"])) == ([], 4)
    caller = pipeline.start("replay")
    answer = pipeline.open(caller, mode="replay", prefix=day)
    assert (answer["action"], answer["reason"]) == (
        "nothing",
        f"waits for the rest of the snapshot of {day}/a: {day}/b landed after the marker: a newer marker must follow",
    )
    pipeline.stop("replay")
    pipeline.land(f"{day}/_SUCCESS", "v2", at="2013-01-06T00:00:00.000Z")
    assert dry_run(pipeline)["batches"] == [5]
