"""Marts that are added to a table which has rows already, or changed: built by the next sweep or start, and once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.model import Capacity, Mart
from tests.unit.functions.conftest import Pipeline, opened

SWEEP = {"landfall": "sweep"}


def add(pipeline: Pipeline, *marts: Mart) -> None:
    plan = pipeline.world.plan
    pipeline.world = replace(
        pipeline.world, plan=replace(plan, marts={**plan.marts, **{mart.name: mart for mart in marts}})
    )


@pytest.fixture
def published(pipeline: Pipeline) -> Pipeline:
    """Return a pipeline in which a batch of planes was published and its marts were built."""
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.stage(batch)
    pipeline.close(batch, caller)
    pipeline.stop(caller.name)
    return pipeline


def test_a_new_mart_and_what_reads_it_are_built_by_the_next_sweep(published: Pipeline) -> None:
    published.deliver(SWEEP)
    assert published.executions() == []
    add(
        published,
        Mart("planes_history", "history", "planes", reads=("planes",)),
        Mart("seats", "sql", "planes_history", reads=("planes_history",)),
    )
    published.deliver(SWEEP)
    [name] = published.executions()
    caller = published.caller(name)
    batch = published.open(caller)
    assert [[mart["mart"] for mart in wave] for wave in batch["waves"]] == [["planes_history"], ["seats"]]
    published.write(batch, "mart-planes_history", {"status": "failed", "error": {"type": "E", "message": "no"}})
    published.close(batch, caller, marts_error={"Error": "E", "Cause": "no"})
    published.stop(name)
    [lease] = published.items("LEASE")
    assert (lease["due_marts"], lease.get("holder")) == ({"planes_history", "seats"}, None)
    published.deliver(SWEEP)
    assert published.executions() == []  # what has failed waits for the next landing, or for somebody


def test_a_mart_that_is_added_while_a_batch_is_at_work_is_built_by_the_next_sweep(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.stage(batch)
    add(pipeline, Mart("planes_history", "history", "planes", reads=("planes",)))
    pipeline.close(batch, caller)
    pipeline.stop(caller.name)
    pipeline.deliver(SWEEP)
    [name] = pipeline.executions()
    batch = pipeline.open(pipeline.caller(name))
    assert [[mart["mart"] for mart in wave] for wave in batch["waves"]] == [["planes_history"]]
    pipeline.stage(batch)
    pipeline.close(batch, pipeline.caller(name))
    pipeline.stop(name)
    pipeline.deliver(SWEEP)
    assert pipeline.executions() == []


def test_marts_that_are_removed_while_a_batch_is_at_work_are_nobody_s_failure(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "ops/flights/a.csv", table="flights")
    pipeline.stage(batch)
    pipeline.world.ledger.client.update_item(
        TableName="ledger",
        Key={name: {"S": value} for name, value in batch["batch_key"].items()},
        UpdateExpression="ADD failed_marts :f, skipped_marts :s",
        ExpressionAttributeValues={":f": {"SS": ["fct_flights"]}, ":s": {"SS": ["daily"]}},
    )
    plan = pipeline.world.plan
    marts = {name: mart for name, mart in plan.marts.items() if name not in ("fct_flights", "daily")}
    pipeline.world = replace(pipeline.world, plan=replace(plan, marts=marts))
    runs = {"stage": [{"seconds": 70}], "marts": {"fct_flights": [{"seconds": 90}]}}
    answer = pipeline.close(batch, caller, runs=runs)
    assert (answer["failures"], answer["summary"]["marts"]) == ([], {})
    assert answer["summary"]["dpu_seconds"] == {"flights": 140}
    assert "due_marts" not in pipeline.items("LEASE", "TABLE#flights")[0]


def test_a_start_builds_a_new_mart_and_no_other(published: Pipeline) -> None:
    add(published, Mart("planes_history", "history", "planes", reads=("planes",)))
    caller = published.start("by-hand", {"table": "planes"})
    batch = published.open(caller)
    assert [[mart["mart"] for mart in wave] for wave in batch["waves"]] == [["planes_history"]]
    published.stage(batch)
    published.close(batch, caller)
    published.stop("by-hand")
    again = published.open(published.start("again", {"table": "planes"}))
    assert (again["action"], again["reason"]) == ("nothing", "nothing is pending")
    batch = published.open(published.start("asked"), marts=["daily"])
    assert [[mart["mart"] for mart in wave] for wave in batch["waves"]] == [["daily"]]


def test_a_mart_that_was_removed_and_comes_back_is_built_by_the_next_sweep(published: Pipeline) -> None:
    whole = published.world.plan
    marts = {name: mart for name, mart in whole.marts.items() if name != "latest_planes"}
    published.world = replace(published.world, plan=replace(whole, marts=marts))
    batch, caller = opened(published, "crm/planes/b.csv")
    published.stage(batch)
    published.close(batch, caller)
    published.stop(caller.name)
    published.world = replace(published.world, plan=whole)
    published.deliver(SWEEP)
    batch = published.open(published.caller(published.executions()[-1]))
    assert [[mart["mart"] for mart in wave] for wave in batch["waves"]] == [["latest_planes"]]


def _built_by_a_sweep(pipeline: Pipeline) -> list[list[str]]:
    """Return the waves of marts that a sweep builds, if it builds any."""
    before = len(pipeline.executions())
    pipeline.deliver(SWEEP)
    started = pipeline.executions()[before:]
    waves = []
    for name in started:
        caller = pipeline.caller(name)
        batch = pipeline.open(caller)
        waves += [[mart["mart"] for mart in wave] for wave in batch["waves"]]
        pipeline.stage(batch)
        pipeline.close(batch, caller)
        pipeline.stop(name)
    return waves


def test_a_mart_whose_contract_has_changed_and_what_reads_it_are_built_by_the_next_sweep(published: Pipeline) -> None:
    marts = published.world.plan.marts
    add(published, replace(marts["dim_planes"], description="Planes.", capacity=Capacity(workers=4)))
    assert _built_by_a_sweep(published) == []
    add(published, replace(marts["dim_planes"], valid_from="epoch"))
    assert _built_by_a_sweep(published) == [["dim_planes"], ["fct_flights"], ["daily"]]
    assert _built_by_a_sweep(published) == []


@pytest.mark.parametrize(("built", "waves"), [("before", [["dim_planes"], ["fct_flights"], ["daily"]]), ("after", [])])
def test_a_contract_that_changes_while_a_batch_is_at_work_counts_by_what_the_mart_was_built_of(
    published: Pipeline, built: str, waves: list[list[str]]
) -> None:
    before = published.world.plan.marts["dim_planes"]
    after = replace(before, valid_from="epoch")
    batch, caller = opened(published, "crm/planes/b.csv")
    published.stage(batch)
    add(published, after)
    told = {"status": "published", "rows": {}, "revision": {"before": before, "after": after}[built].revision}
    published.write(batch, "mart-dim_planes", told)
    published.close(batch, caller)
    published.stop(caller.name)
    assert _built_by_a_sweep(published) == waves


def test_a_mart_that_failed_is_tried_again_by_the_next_sweep_once_its_contract_has_changed(
    published: Pipeline,
) -> None:
    before = published.world.plan.marts["latest_planes"]
    batch = published.open(published.start("by-hand"), marts=["latest_planes"])
    error = {"status": "failed", "revision": before.revision, "error": {"type": "E", "message": "no"}}
    published.write(batch, "mart-latest_planes", error)
    published.close(batch, published.caller("by-hand"), marts_error={"Error": "E", "Cause": "no"})
    published.stop("by-hand")
    assert _built_by_a_sweep(published) == []
    add(published, replace(before, partition_by=("tailnum",)))
    assert _built_by_a_sweep(published) == [["latest_planes"]]


@pytest.mark.parametrize("asked", [{"mode": "rebuild"}, {}])
def test_what_reads_a_mart_that_was_built_by_itself_follows_with_the_next_sweep(
    published: Pipeline, asked: dict[str, str]
) -> None:
    batch = published.open(published.start("by-hand"), **asked, marts=["dim_planes"])
    published.stage(batch)
    published.close(batch, published.caller("by-hand"))
    published.stop("by-hand")
    published.deliver(SWEEP)
    [name] = published.executions()
    batch = published.open(published.caller(name))
    assert [[mart["mart"] for mart in wave] for wave in batch["waves"]] == [["fct_flights"], ["daily"]]
    published.stage(batch)
    published.close(batch, published.caller(name))
    published.stop(name)
    published.deliver(SWEEP)
    assert published.executions() == []


def test_a_table_of_which_nothing_is_published_owes_no_mart(pipeline: Pipeline) -> None:
    add(pipeline, Mart("planes_history", "history", "planes", reads=("planes",)))
    pipeline.deliver(SWEEP)
    assert pipeline.executions() == []
