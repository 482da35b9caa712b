"""`on_failed_file: hold`: what later files wait for, and what lets them go on."""

from __future__ import annotations

from functions.shared.lease import Caller
from tests.unit.functions.conftest import Pipeline, opened, task_failed
from tests.unit.functions.test_closing import blame


def held_up(pipeline: Pipeline) -> Pipeline:
    """Stage `b`; of its second version, which fails, and `c`, which is later, the one holds up the other."""
    batch, caller = opened(pipeline, "ops/b.csv", table="weather")
    pipeline.stage(batch)
    pipeline.close(batch, caller)
    pipeline.stop(caller.name)
    pipeline.land("ops/b.csv", "v2", at="2013-01-03T00:00:00.000Z")
    pipeline.land("ops/c.csv", at="2013-01-04T00:00:00.000Z")
    caller = pipeline.caller(pipeline.executions()[-1])
    batch = pipeline.open(caller, table="weather")
    pipeline.close(batch, caller, **blame(pipeline, batch, "ops/b.csv"))
    pipeline.stop(caller.name)
    assert pipeline.states("weather") == {"ops/b.csv v1": "staged", "ops/b.csv v2": "failed", "ops/c.csv v1": "pending"}
    return pipeline


def worked(pipeline: Pipeline, name: str, **request: str) -> str:
    """Work on all that an execution finds; return the state of the later file."""
    caller = pipeline.start(name)
    batch = pipeline.open(caller, table="weather", **request)
    while batch["action"] == "stage":
        pipeline.stage(batch)
        if not pipeline.close(batch, caller)["more"]:
            break
        caller = Caller(caller.id, caller.name, caller.iteration + 1)
        batch = pipeline.open(caller, table="weather")
    pipeline.stop(name)
    return pipeline.states("weather")["ops/c.csv v1"]


def test_a_failed_version_is_mended_by_the_content_that_was_there_before(pipeline: Pipeline) -> None:
    held_up(pipeline).land("ops/b.csv", "v3", etag="etag-v1", at="2013-01-05T00:00:00.000Z")
    pipeline.stop(pipeline.executions()[-1])
    assert worked(pipeline, "by-hand") == "staged"
    assert pipeline.states("weather")["ops/b.csv v3"] == "duplicate"


def test_a_failed_version_is_mended_by_one_whose_execution_died_after_it_had_published(pipeline: Pipeline) -> None:
    held_up(pipeline).land("ops/b.csv", "v3", at="2013-01-05T00:00:00.000Z")
    caller = pipeline.caller(pipeline.executions()[-1])
    pipeline.stage(pipeline.open(caller, table="weather"))
    pipeline.stop(caller.name)
    assert worked(pipeline, "by-hand") == "staged"


def test_nothing_goes_on_while_the_replay_of_a_failed_version_is_to_be_tried_again(pipeline: Pipeline) -> None:
    caller = held_up(pipeline).start("replays")
    batch = pipeline.open(caller, table="weather", mode="replay", prefix="ops/b.csv")
    assert pipeline.close(batch, caller, stage_error=task_failed("OutOfMemoryError: heap"))["more"] is False
    pipeline.stop(caller.name)
    assert worked(pipeline, "by-hand") == "staged"


def test_nobody_waits_for_an_overwrite_that_is_refused(pipeline: Pipeline) -> None:
    pipeline.with_table("weather", load="append", key=(), on_overwrite="fail")
    batch, caller = opened(pipeline, "ops/b.csv", table="weather")
    pipeline.stage(batch)
    pipeline.close(batch, caller)
    pipeline.stop(caller.name)
    pipeline.land("ops/b.csv", "v0", at="2012-12-31T00:00:00.000Z")  # S3 tells of the first late
    caller = pipeline.caller(pipeline.executions()[-1])
    batch = pipeline.open(caller, table="weather")
    pipeline.stage(batch)
    pipeline.close(batch, caller)
    pipeline.stop(caller.name)
    assert pipeline.states("weather") == {"ops/b.csv v0": "staged", "ops/b.csv v1": "failed"}
    assert "held" not in pipeline.items("LEASE", "TABLE#weather")[0]


def test_nobody_waits_once_the_contract_says_continue(pipeline: Pipeline) -> None:
    held_up(pipeline).with_table("weather", on_failed_file="continue")
    assert worked(pipeline, "by-hand") == "staged"
    assert "held" not in pipeline.items("LEASE", "TABLE#weather")[0]


def test_the_version_before_the_failed_one_mends_nothing_when_it_is_staged_again(pipeline: Pipeline) -> None:
    held_up(pipeline)
    assert worked(pipeline, "replayed", mode="replay", to="2013-01-02") == "pending"
    assert worked(pipeline, "rebuilt", mode="rebuild", layer="staging") == "pending"


def test_later_files_wait_for_one_that_executions_died_over(pipeline: Pipeline) -> None:
    pipeline.land("ops/b.csv")
    pipeline.stop(pipeline.executions()[-1])
    for number in range(3):
        caller = pipeline.start(f"dies-{number}")
        pipeline.open(caller, table="weather")
        pipeline.stop(caller.name)
    pipeline.land("ops/c.csv", at="2013-01-04T00:00:00.000Z")
    pipeline.stop(pipeline.executions()[-1])
    assert worked(pipeline, "by-hand") == "pending"
    assert pipeline.states("weather") == {"ops/b.csv v1": "failed", "ops/c.csv v1": "pending"}
