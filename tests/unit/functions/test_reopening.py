"""What an operator asks for: replay, rebuild, a way through a limit, a plan; and what a busy table answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.model import EffectiveAt, Parts, Source
from functions.shared.errors import InvalidRequestError, TableBusyError
from tests.unit.functions.conftest import (
    ARTIFACTS,
    LIMIT,
    Pipeline,
    dry_run,
    failed,
    s3_event,
    staged,
    stopped,
    task_failed,
)

PREFIXES = {"planes": "crm/planes", "flights": "ops/flights"}


def run(pipeline: Pipeline, name: str, **request: Any) -> dict[str, Any]:
    """Start an execution with a request and open its first batch."""
    return pipeline.open(pipeline.start(name), **request)


def keys(pipeline: Pipeline, batch: dict[str, Any]) -> list[str]:
    return [one["key"] for one in pipeline.manifest(batch)["landings"]]


def test_a_replay_takes_landings_of_a_time_up_again(pipeline: Pipeline) -> None:
    staged(pipeline, "crm/planes/a.csv", "crm/planes/b.csv", "crm/planes/c.csv")
    batch = run(pipeline, "again", mode="replay", **{"from": "2013-01-02T05:00:00Z", "to": "2013-01-02T05:00:00Z"})
    assert (keys(pipeline, batch), pipeline.manifest(batch)["mode"]) == (["crm/planes/b.csv"], "replay")
    pipeline.stage(batch)
    pipeline.close(batch, pipeline.caller("again"))
    assert set(pipeline.states().values()) == {"staged"}
    assert pipeline.items("PENDING#") == []
    [replayed] = [one for one in pipeline.items("LANDING#") if one["key"] == "crm/planes/b.csv"]
    assert {"mode", "was"}.isdisjoint(replayed)


def test_a_replay_finds_landings_by_prefix_and_by_batch(pipeline: Pipeline) -> None:
    first = staged(pipeline, "crm/planes/2013/a.csv")
    staged(pipeline, "crm/planes/2014/b.csv")
    batch = run(pipeline, "one", mode="replay", prefix="crm/planes/2014/")
    assert keys(pipeline, batch) == ["crm/planes/2014/b.csv"]
    pipeline.stage(batch)
    pipeline.close(batch, pipeline.caller("one"))
    pipeline.stop("one")
    assert keys(pipeline, run(pipeline, "two", mode="replay", batch_id=first)) == ["crm/planes/2013/a.csv"]
    pipeline.stop("two")
    with pytest.raises(InvalidRequestError, match="batch_id 'none': planes has no batch of landings of this id"):
        run(pipeline, "three", mode="replay", batch_id="none")
    assert pipeline.items("LEASE")[0]["taken_by"] == pipeline.caller("two").id


def test_a_replay_takes_up_what_is_in_quarantine_and_a_snapshot_that_another_covers(pipeline: Pipeline) -> None:
    files = {table: [f"{prefix}/{name}.csv" for name in "abc"] for table, prefix in PREFIXES.items()}
    for table, three in files.items():
        pipeline.deliver(*(s3_event(key) for key in three))
        batch = pipeline.open(pipeline.start(f"{table}-first"), table=table)
        staged, covered, timeless = (one["id"] for one in pipeline.manifest(batch)["landings"])
        undated = [{"id": timeless, "reason": "no date in the key"}]
        pipeline.stage(batch, superseded_landings=[covered], quarantined_landings=undated)
        pipeline.close(batch, pipeline.caller(f"{table}-first"))
        pipeline.stop(f"{table}-first")
        again = run(pipeline, f"{table}-again", table=table, mode="replay", prefix=PREFIXES[table])
        found = {one["id"] for one in pipeline.manifest(again)["landings"]}
        assert found == {staged, timeless} | ({covered} if table == "planes" else set())


def test_a_file_that_failed_is_taken_up_by_a_replay_and_by_nothing_else(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    caller = pipeline.caller("planes-1-0")
    batch = pipeline.open(caller)
    [landing] = pipeline.manifest(batch)["landings"]
    error = failed(batch["batch_id"], "ContractViolationError", "no int", **{landing["id"]: ("no int", "seats")})
    pipeline.write(batch, "stage", error)
    pipeline.close(batch, caller, stage_error=task_failed("ContractViolationError: no int"))
    pipeline.stop("planes-1-0")
    assert run(pipeline, "plain")["action"] == "nothing"
    again = run(pipeline, "again", mode="replay", batch_id=batch["batch_id"])
    [anew] = pipeline.manifest(again)["landings"]
    assert (anew["key"], anew["mode"], anew["attempts"]) == ("crm/planes/a.csv", "replay", 0)
    assert {"reason", "column"}.isdisjoint(anew)


def test_a_staged_file_whose_replay_fails_keeps_its_rows_and_says_so(pipeline: Pipeline) -> None:
    staged(pipeline, "crm/planes/a.csv")
    batch = run(pipeline, "again", mode="replay", prefix="crm/")
    [landing] = pipeline.manifest(batch)["landings"]
    error = failed(batch["batch_id"], "ContractViolationError", "no int", **{landing["id"]: ("no int", "seats")})
    pipeline.write(batch, "stage", error)
    answer = pipeline.close(batch, pipeline.caller("again"), stage_error=task_failed("x"))
    assert len(answer["failures"]) == 1
    [item] = pipeline.items("LANDING#")
    assert (item["state"], item["reason"], item["column"]) == ("staged", "the replay failed: no int", "seats")


@pytest.mark.parametrize("published", [True, False])
def test_a_staged_file_that_a_replay_finds_no_time_for_is_in_quarantine_once_its_rows_have_left(
    pipeline: Pipeline, published: bool
) -> None:
    staged(pipeline, "crm/planes/a.csv", "crm/planes/b.csv")
    batch = run(pipeline, "again", mode="replay", prefix="crm/")
    timeless, broken = (one["id"] for one in pipeline.manifest(batch)["landings"])
    undated = [{"id": timeless, "reason": "no date in the key"}]
    if published:
        pipeline.stage(batch, quarantined_landings=undated)
    else:
        error = failed(batch["batch_id"], "ContractViolationError", "no int", **{broken: ("no int", "seats")})
        pipeline.write(batch, "stage", error | {"quarantined_landings": undated})
    pipeline.close(batch, pipeline.caller("again"), stage_error=None if published else task_failed("x"))
    told = {one["key"]: (one["state"], one.get("reason")) for one in pipeline.items("LANDING#")}
    assert told["crm/planes/a.csv"] == (
        ("quarantined", "no date in the key") if published else ("staged", "the replay failed: no date in the key")
    )


def test_the_same_replay_twice_is_harmless(pipeline: Pipeline) -> None:
    staged(pipeline, "crm/planes/a.csv")
    for name in ("one", "two"):
        batch = run(pipeline, name, mode="replay", prefix="crm/")
        pipeline.stage(batch)
        assert pipeline.close(batch, pipeline.caller(name))["more"] is False
        pipeline.stop(name)
        assert pipeline.states() == {"crm/planes/a.csv v1": "staged"}


def test_a_rebuild_of_marts_builds_them_all_anew_and_stages_nothing(pipeline: Pipeline) -> None:
    staged(pipeline, "crm/planes/a.csv")
    pipeline.land("crm/planes/new.csv")
    pipeline.stop(pipeline.executions()[-1])
    batch = run(pipeline, "again", mode="rebuild")
    assert (batch["action"], pipeline.states()["crm/planes/new.csv v1"]) == ("marts", "pending")
    jobs = [mart for wave in batch["waves"] for mart in wave]
    assert {mart["arguments"]["--build_mode"] for mart in jobs} == {"rebuild"}
    assert [mart["mart"] for mart in jobs] == ["dim_planes", "latest_planes", "fct_flights", "daily"]
    only = run(pipeline, "again", mode="rebuild")
    assert only == batch


def test_a_rebuild_of_some_marts_leaves_the_others(pipeline: Pipeline) -> None:
    staged(pipeline, "crm/planes/a.csv")
    batch = run(pipeline, "again", mode="rebuild", marts=["latest_planes"])
    assert [[mart["mart"] for mart in wave] for wave in batch["waves"]] == [["latest_planes"]]


def test_a_rebuild_of_staging_claims_all_that_was_staged_or_waits_in_one_batch(pipeline: Pipeline) -> None:
    staged(pipeline, "crm/planes/a.csv", "crm/planes/b.csv")
    pipeline.land("crm/planes/new.csv", at="2013-01-09T00:00:00.000Z")
    pipeline.stop(pipeline.executions()[0])
    batch = run(pipeline, "again", mode="rebuild", layer="staging")
    assert pipeline.manifest(batch)["mode"] == "rebuild"
    assert keys(pipeline, batch) == ["crm/planes/a.csv", "crm/planes/b.csv", "crm/planes/new.csv"]
    pipeline.land("crm/planes/newer.csv", at="2013-01-10T00:00:00.000Z")
    pipeline.stage(batch)
    assert pipeline.close(batch, pipeline.caller("again"))["more"] is True
    rebuilt = [one for one in pipeline.items("LANDING#") if one["key"] in keys(pipeline, batch)]
    assert {(one["state"], one.get("reason")) for one in rebuilt} == {("staged", None)}
    following = pipeline.open(pipeline.caller("again", 1))
    assert (keys(pipeline, following), pipeline.manifest(following)["mode"]) == (
        ["crm/planes/newer.csv"],
        "incremental",
    )


def test_a_rebuild_of_staging_takes_a_landing_once_that_was_gone_and_whose_content_came_again(
    pipeline: Pipeline,
) -> None:
    staged(pipeline, "crm/planes/a.csv", "crm/planes/b.csv")
    batch = run(pipeline, "without", mode="rebuild", layer="staging", allow=["missing_files"])
    first = pipeline.manifest(batch)["landings"][0]["id"]
    pipeline.stage(batch, quarantined_landings=[{"id": first, "reason": "is gone"}])
    pipeline.close(batch, pipeline.caller("without"))
    pipeline.stop("without")
    assert pipeline.states() == {"crm/planes/a.csv v1": "quarantined", "crm/planes/b.csv v1": "staged"}
    pipeline.land("crm/planes/a.csv", "v2", etag="etag-v1", at="2013-01-04T00:00:00.000Z")
    pipeline.stop(pipeline.executions()[-1])
    assert dry_run(pipeline, layer="staging")["batches"] == [2]
    batch = run(pipeline, "again", mode="rebuild", layer="staging")
    assert keys(pipeline, batch) == ["crm/planes/a.csv", "crm/planes/b.csv"]
    pipeline.stage(batch)
    assert pipeline.close(batch, pipeline.caller("again"))["more"] is True
    assert pipeline.open(pipeline.caller("again", 1))["action"] == "nothing"
    assert pipeline.states() == {
        "crm/planes/a.csv v1": "staged",
        "crm/planes/a.csv v2": "duplicate",
        "crm/planes/b.csv v1": "staged",
    }


def test_a_rebuild_of_staging_that_fails_leaves_everything_as_it_was(pipeline: Pipeline) -> None:
    staged(pipeline, "crm/planes/a.csv", "crm/planes/b.csv")
    batch = run(pipeline, "again", mode="rebuild", layer="staging")
    answer = pipeline.close(batch, pipeline.caller("again"), stage_error=task_failed("OutOfMemoryError: heap"))
    assert (answer["more"], answer["failures"][0]["cause"]) == (False, "heap")
    assert set(pipeline.states().values()) == {"staged"}
    assert {one["reason"] for one in pipeline.items("LANDING#")} == {"the rebuild failed: heap"}


def test_a_rebuild_of_staging_that_fails_leaves_a_file_in_quarantine_its_reason(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/keyless.csv")
    name = pipeline.executions()[-1]
    batch = pipeline.open(pipeline.caller(name))
    [landing] = pipeline.manifest(batch)["landings"]
    keyless = [{"id": landing["id"], "reason": "no date in the key"}]
    pipeline.stage(batch, quarantined_landings=keyless)
    pipeline.close(batch, pipeline.caller(name))
    pipeline.stop(name)
    again = run(pipeline, "again", mode="rebuild", layer="staging")
    result = failed(again["batch_id"], "OutOfMemoryError", "heap") | {"quarantined_landings": keyless}
    pipeline.write(again, "stage", result)
    answer = pipeline.close(again, pipeline.caller("again"), stage_error=task_failed("OutOfMemoryError: heap"))
    assert answer["summary"]["quarantined_files"] == [{"key": "crm/planes/keyless.csv", "reason": "no date in the key"}]


def test_a_rebuild_of_staging_whose_execution_died_is_given_up(pipeline: Pipeline) -> None:
    staged(pipeline, "crm/planes/a.csv", "crm/planes/b.csv")
    run(pipeline, "again", mode="rebuild", layer="staging")
    pipeline.stop("again")
    assert run(pipeline, "next")["action"] == "nothing"
    assert set(pipeline.states().values()) == {"staged"}


def test_a_batch_that_a_limit_stopped_waits_for_an_operator_and_holds_nobody_up(pipeline: Pipeline) -> None:
    answer = stopped(pipeline)
    assert (answer["more"], answer["failures"][0]["error"], answer["failures"][0]["cause"]) == (
        False,
        "LimitExceededError",
        LIMIT,
    )
    assert pipeline.states() == {"crm/planes/a.csv v1": "failed"}
    pipeline.land("crm/planes/b.csv")
    assert keys(pipeline, pipeline.open(pipeline.caller(pipeline.executions()[0]))) == ["crm/planes/b.csv"]


def test_a_limit_lets_through_what_it_stopped_and_only_that(pipeline: Pipeline) -> None:
    stopped(pipeline)
    pipeline.land("crm/planes/b.csv", at="2013-01-09T00:00:00.000Z")
    pipeline.stop(pipeline.executions()[0])
    batch = run(pipeline, "let", allow=["max_deleted"])
    manifest = pipeline.manifest(batch)
    assert (keys(pipeline, batch), manifest["mode"], manifest["allow"]) == (
        ["crm/planes/a.csv"],
        "incremental",
        ["max_deleted"],
    )
    pipeline.stage(batch)
    assert pipeline.close(batch, pipeline.caller("let"))["more"] is True
    following = pipeline.open(pipeline.caller("let", 1))
    assert (keys(pipeline, following), pipeline.manifest(following)["allow"]) == (["crm/planes/b.csv"], [])
    [lease] = pipeline.items("LEASE")
    assert "stopped" not in lease


def test_a_stopped_batch_whose_files_have_expired_is_forgotten(pipeline: Pipeline) -> None:
    batch_id = stopped(pipeline)["summary"]["batch_id"]
    pipeline.s3.delete_object(Bucket=ARTIFACTS, Key=f"batches/planes/{batch_id}/manifest.json")
    answer = run(pipeline, "let", allow=["max_deleted"])
    assert (answer["action"], "stopped" in pipeline.items("LEASE")[0]) == ("nothing", False)


def test_a_replay_that_means_no_landing_says_so(pipeline: Pipeline) -> None:
    staged(pipeline, "crm/planes/a.csv")
    answer = run(pipeline, "again", mode="replay", prefix="crm/planse/")
    assert (answer["action"], answer["reason"]) == (
        "nothing",
        "no landing is meant by from, to, prefix and batch_id together",
    )


def stop(pipeline: Pipeline, batch: dict[str, Any], execution: str, *blamed: str) -> dict[str, Any]:
    """End a batch as a limit stops it; `blamed` are the files to blame."""
    landings = [one for one in pipeline.manifest(batch)["landings"] if one["key"] in blamed]
    guilty = {one["id"]: (LIMIT.partition("; ")[0], None) for one in landings}
    pipeline.write(batch, "stage", failed(batch["batch_id"], "LimitExceededError", LIMIT, **guilty))
    error = task_failed(f"LimitExceededError: {LIMIT}")
    return pipeline.close(batch, pipeline.caller(execution), stage_error=error)


def test_a_replay_that_a_limit_stopped_is_let_through_by_the_limit_and_keeps_its_rows_till_then(
    pipeline: Pipeline,
) -> None:
    staged(pipeline, "crm/planes/a.csv", "crm/planes/b.csv")
    stop(pipeline, run(pipeline, "again", mode="replay", prefix="crm/"), "again", "crm/planes/b.csv")
    rest = pipeline.open(pipeline.caller("again", 1))
    pipeline.stage(rest)
    pipeline.close(rest, pipeline.caller("again", 1))
    pipeline.stop("again")
    assert keys(pipeline, rest) == ["crm/planes/a.csv"]
    assert set(pipeline.states().values()) == {"staged"}
    plan = dry_run(pipeline, allow=["max_deleted"])
    assert [one["key"] for one in plan["files"]] == ["crm/planes/b.csv"]
    batch = run(pipeline, "let", allow=["max_deleted"])
    manifest = pipeline.manifest(batch)
    assert (keys(pipeline, batch), manifest["mode"], manifest["allow"]) == (
        ["crm/planes/b.csv"],
        "replay",
        ["max_deleted"],
    )
    stop(pipeline, batch, "let")
    pipeline.stop("let")
    assert set(pipeline.states().values()) == {"staged"}
    last = run(pipeline, "last", allow=["max_deleted"])
    pipeline.stage(last)
    pipeline.close(last, pipeline.caller("last"))
    pipeline.stop("last")
    assert run(pipeline, "over", allow=["max_deleted"])["action"] == "nothing"


def test_a_replay_lets_all_its_batches_through_a_limit(pipeline: Pipeline) -> None:
    staged(pipeline, "crm/planes/a.csv", "crm/planes/b.csv")
    environment = replace(pipeline.world.environment, max_landings=1)
    pipeline.world = replace(pipeline.world, environment=environment)
    first = run(pipeline, "again", mode="replay", prefix="crm/planes/", allow=["max_deleted"])
    pipeline.stage(first)
    assert pipeline.close(first, pipeline.caller("again"))["more"] is True
    second = pipeline.open(pipeline.caller("again", 1))
    batches = [(keys(pipeline, batch), pipeline.manifest(batch)["allow"]) for batch in (first, second)]
    assert batches == [(["crm/planes/a.csv"], ["max_deleted"]), (["crm/planes/b.csv"], ["max_deleted"])]


def test_what_is_staged_anew_in_vain_is_not_let_through_by_a_limit(pipeline: Pipeline) -> None:
    staged(pipeline, "crm/planes/a.csv", "crm/planes/b.csv")
    stop(pipeline, run(pipeline, "anew", mode="rebuild", layer="staging"), "anew", "crm/planes/b.csv")
    pipeline.stop("anew")
    assert set(pipeline.states().values()) == {"staged"}
    assert run(pipeline, "let", allow=["max_deleted"])["action"] == "nothing"
    [lease] = pipeline.items("LEASE")
    assert "stopped" not in lease


def test_a_file_that_a_limit_stopped_again_is_let_through_as_one_of_the_batch_that_it_was_in_last(
    pipeline: Pipeline,
) -> None:
    stopped(pipeline)
    stop(pipeline, run(pipeline, "again", mode="replay", prefix="crm/"), "again")
    pipeline.stop("again")
    assert [one["batch_id"] for one in dry_run(pipeline)["stopped_by_limits"]] == ["again-0"]
    assert keys(pipeline, run(pipeline, "let", allow=["max_deleted"])) == ["crm/planes/a.csv"]


def test_another_limit_lets_nothing_through(pipeline: Pipeline) -> None:
    stopped(pipeline)
    assert run(pipeline, "let", allow=["min_rows"])["action"] == "nothing"
    assert pipeline.states() == {"crm/planes/a.csv v1": "failed"}


def test_a_limit_that_stopped_nothing_is_lifted_for_the_first_batch(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    pipeline.stop("planes-1-0")
    assert pipeline.manifest(run(pipeline, "let", allow=["min_rows"]))["allow"] == ["min_rows"]


def test_only_the_marts_that_are_asked_for_are_built_and_the_others_stay_due(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    pipeline.stop("planes-1-0")
    batch = run(pipeline, "some", marts=["latest_planes"])
    assert [[mart["mart"] for mart in wave] for wave in batch["waves"]] == [["latest_planes"]]
    pipeline.stage(batch)
    pipeline.close(batch, pipeline.caller("some"))
    pipeline.stop("some")
    [lease] = pipeline.items("LEASE")
    assert lease["due_marts"] == {"dim_planes", "fct_flights", "daily"}
    rest = run(pipeline, "rest")
    assert (rest["action"], [[mart["mart"] for mart in wave] for wave in rest["waves"]]) == (
        "marts",
        [["dim_planes"], ["fct_flights"], ["daily"]],
    )


def test_a_busy_table_is_left_to_who_works_on_it_but_a_special_request_is_refused(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    pipeline.open(pipeline.caller("planes-1-0"))
    plain = run(pipeline, "plain")
    assert (plain["action"], plain["reason"]) == (
        "nothing",
        "the execution planes-1-0 works on planes and takes what is pending",
    )
    with pytest.raises(TableBusyError, match="planes-1-0 works on planes: start again when it has ended"):
        run(pipeline, "special", mode="rebuild")


def test_of_a_batch_that_a_limit_stopped_only_the_file_to_blame_waits_for_an_operator(pipeline: Pipeline) -> None:
    pipeline.deliver(s3_event("crm/planes/a.csv"), s3_event("crm/planes/b.csv", at="2013-01-03T05:00:00.000Z"))
    name = pipeline.executions()[-1]
    batch = pipeline.open(pipeline.caller(name))
    guilty = {one["key"]: one["id"] for one in pipeline.manifest(batch)["landings"]}["crm/planes/b.csv"]
    blamed = {guilty: (LIMIT.partition("; ")[0], None)}
    pipeline.write(batch, "stage", failed(batch["batch_id"], "LimitExceededError", LIMIT, **blamed) | {"stays": True})
    answer = pipeline.close(batch, pipeline.caller(name), stage_error=task_failed(f"LimitExceededError: {LIMIT}"))
    [told] = answer["failures"]
    assert (answer["more"], told["cause"]) == (True, f"{LIMIT} To blame: crm/planes/b.csv.")
    assert pipeline.states() == {"crm/planes/a.csv v1": "pending", "crm/planes/b.csv v1": "failed"}
    following = pipeline.open(pipeline.caller(name, 1))
    assert keys(pipeline, following) == ["crm/planes/a.csv"]
    pipeline.stage(following)
    assert pipeline.close(following, pipeline.caller(name, 1))["more"] is False
    pipeline.stop(name)
    assert keys(pipeline, run(pipeline, "let", allow=["max_deleted"])) == ["crm/planes/b.csv"]


def test_an_error_of_the_data_that_blames_no_file_fails_its_files_at_once(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    name = pipeline.executions()[-1]
    batch = pipeline.open(pipeline.caller(name))
    words = "staging.planes: column seats is int and would be string"
    pipeline.write(batch, "stage", failed(batch["batch_id"], "SchemaChangeError", words) | {"stays": True})
    answer = pipeline.close(batch, pipeline.caller(name), stage_error=task_failed(f"SchemaChangeError: {words}"))
    assert (answer["more"], answer["failures"][0]["error"]) == (False, "SchemaChangeError")
    [landing] = pipeline.items("LANDING#")
    assert (landing["state"], landing["reason"]) == ("failed", words)
    pipeline.stop(name)
    assert run(pipeline, "next")["action"] == "nothing"
    assert keys(pipeline, run(pipeline, "mended", mode="replay", batch_id=batch["batch_id"])) == ["crm/planes/a.csv"]


def test_a_replay_of_a_part_takes_up_the_whole_snapshot(pipeline: Pipeline) -> None:
    parts = Source("crm/planes/", parts=Parts(count=r"-of-(?P<parts>\d+)"))
    pipeline.with_table("planes", source=parts, effective_at=EffectiveAt(from_key=r"(?P<date>\d{4}-\d{2}-\d{2})"))
    first, second = "crm/planes/2013-01-01/1-of-2", "crm/planes/2013-01-01/2-of-2"
    staged(pipeline, "crm/planes/2013-01-02/1-of-1")
    staged(pipeline, first, second)
    pipeline.land(first, "v0", at="2012-12-31T00:00:00.000Z")  # S3 tells of it late
    pipeline.stop(pipeline.executions()[-1])
    batch = run(pipeline, "again", mode="replay", prefix=first)
    assert (keys(pipeline, batch), pipeline.manifest(batch)["mode"]) == ([first, first, second], "replay")


def test_a_rebuild_of_staging_takes_what_a_dead_replay_has_left_too(pipeline: Pipeline) -> None:
    staged(pipeline, "crm/planes/a.csv", "crm/planes/b.csv")
    run(pipeline, "dies", mode="replay", prefix="crm/planes/a")
    pipeline.stop("dies")
    batch = run(pipeline, "anew", mode="rebuild", layer="staging")
    assert [(one["key"], one["was"]) for one in pipeline.manifest(batch)["landings"]] == [
        ("crm/planes/a.csv", "staged"),
        ("crm/planes/b.csv", "staged"),
    ]
