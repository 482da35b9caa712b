"""What closing a batch makes of its landings, marts and lease, and what it tells of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from contracts.model import Capacity, Mart
from functions.close_batch.counts import counts
from functions.shared.errors import TableRemovedError
from functions.shared.lease import Caller
from tests.unit.functions.conftest import FIRST_TOKEN, Pipeline, failed, opened, published, staged, task_failed


def ids(pipeline: Pipeline, batch: dict[str, Any]) -> dict[str, str]:
    return {one["key"]: one["id"] for one in pipeline.manifest(batch)["landings"]}


def blame(pipeline: Pipeline, batch: dict[str, Any], key: str) -> dict[str, Any]:
    """Write a job's result that blames one file; return the errors for closing."""
    guilty = {ids(pipeline, batch)[key]: ("no int", "seats")}
    pipeline.write(batch, "stage", failed(batch["batch_id"], "ContractViolationError", "no int", **guilty))
    return {"stage_error": task_failed("ContractViolationError: no int")}


def test_each_landing_is_settled_as_the_job_says(pipeline: Pipeline) -> None:
    keys = [f"crm/planes/{name}.csv" for name in ("staged", "beaten", "keyless", "broken")]
    batch, caller = opened(pipeline, *keys)
    by_key = ids(pipeline, batch)
    pipeline.stage(
        batch,
        superseded_landings=[by_key["crm/planes/beaten.csv"]],
        quarantined_landings=[{"id": by_key["crm/planes/keyless.csv"], "reason": "no date in the key"}],
        failed_landings=[{"id": by_key["crm/planes/broken.csv"], "key": "", "reason": "cut off", "column": None}],
    )
    answer = pipeline.close(batch, caller)
    assert {one["key"]: (one["state"], one.get("reason")) for one in pipeline.items("LANDING#")} == {
        "crm/planes/staged.csv": ("staged", None),
        "crm/planes/beaten.csv": ("superseded", None),
        "crm/planes/keyless.csv": ("quarantined", "no date in the key"),
        "crm/planes/broken.csv": ("failed", "cut off"),
    }
    assert [failure["cause"] for failure in answer["failures"]] == ["file crm/planes/broken.csv: cut off"]
    assert answer["summary"]["states"] == {"failed": 1, "quarantined": 1, "staged": 1, "superseded": 1}
    assert answer["summary"]["quarantined_files"] == [{"key": "crm/planes/keyless.csv", "reason": "no date in the key"}]


def test_blame_that_meets_no_file_of_the_batch_counts_as_an_attempt(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.write(batch, "stage", failed(batch["batch_id"], "ContractViolationError", "no int", other=("no int", "")))
    answer = pipeline.close(batch, caller, stage_error=task_failed("ContractViolationError: no int"))
    assert answer["more"] is False
    [tried] = pipeline.items("LANDING#")
    assert (tried["state"], tried["attempts"], tried["tried_by"]) == ("pending", 1, caller.id)


def test_a_batch_of_which_all_is_quarantined_is_no_good_one(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/keyless.csv")
    [landing] = ids(pipeline, batch).values()
    pipeline.stage(batch, quarantined_landings=[{"id": landing, "reason": "no date in the key"}])
    pipeline.close(batch, caller)
    counted = counts(pipeline.closed[-1])
    names = ("BatchesPublished", "BatchesFailed", "LandingsStaged", "LandingsQuarantined")
    assert {name: counted[name] for name in names} == dict(zip(names, (0, 0, 0, 1), strict=True))


@pytest.mark.parametrize("lost", [0, 1])
def test_every_count_of_the_books_is_a_metric_and_what_is_read_is_the_sum_of_all_but_the_deleted(
    pipeline: Pipeline, lost: int
) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    parts = {"inserted": 1, "updated": 2, "unchanged": 4, "duplicate": 8, "rejected": 16, "deleting": 32}
    books = {**parts, "read": 63 + lost, "deleted": 5}
    [landing] = ids(pipeline, batch).values()
    pipeline.stage(batch, books=books, superseded_landings=[landing])
    pipeline.close(batch, caller)
    counted = counts(pipeline.closed[-1])
    assert {name: counted[f"Rows{name.capitalize()}"] for name in books} == books
    assert (counted["BooksUnbalanced"], counted["BatchesPublished"], counted["LandingsStaged"]) == (lost, 1, 0)


def test_the_summary_tells_what_the_jobs_cost_as_glue_bills_it(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.stage(batch)
    pipeline.with_table("planes", capacity=Capacity("G.2X", workers=3))
    marts = {
        "dim_planes": [{"seconds": 100, "dpu_seconds": 133.4}, {"seconds": 10}],
        "latest_planes": [{"seconds": 59}],
        "fct_flights": [],
    }
    runs = {"stage": [{"seconds": 61}, {}], "marts": marts}
    told = pipeline.close(batch, caller, runs=runs)["summary"]["dpu_seconds"]
    assert told == {"planes": 61 * 6 + 60 * 6, "dim_planes": 253, "latest_planes": 120}
    assert counts(pipeline.closed[-1])["DpuSeconds"] == sum(told.values())


def test_the_batch_keeps_its_books_and_answers_the_same_when_it_is_closed_again(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.stage(batch)
    first = pipeline.close(batch, caller)
    items = pipeline.items("")
    assert pipeline.close(batch, caller) == first
    assert (pipeline.items(""), [one.first for one in pipeline.closed]) == (items, [True, False])
    [item] = pipeline.items("BATCH#")
    assert (item["state"], item["token"], item["books"]["inserted"]) == ("published", FIRST_TOKEN, 2)


def test_the_rows_of_an_overwritten_object_are_superseded_once_the_new_ones_are_published(pipeline: Pipeline) -> None:
    staged(pipeline, "ops/flights/a.csv", table="flights")
    pipeline.land("ops/flights/a.csv", "v2")
    caller = pipeline.caller(pipeline.executions()[-1])
    batch = pipeline.open(caller, table="flights")
    [gone] = pipeline.manifest(batch)["retired"]
    assert (gone["key"], gone["sequencer"], gone["state"]) == ("ops/flights/a.csv", "0010", "superseded")
    assert pipeline.states("flights") == {"ops/flights/a.csv v1": "staged", "ops/flights/a.csv v2": "claimed"}
    pipeline.stage(batch)
    pipeline.close(batch, caller)
    assert pipeline.states("flights") == {"ops/flights/a.csv v1": "superseded", "ops/flights/a.csv v2": "staged"}


def test_hold_lets_later_files_wait_until_the_failed_one_is_mended(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "ops/a.csv", "ops/b.csv", "ops/c.csv", table="weather")
    answer = pipeline.close(batch, caller, **blame(pipeline, batch, "ops/b.csv"))
    assert answer["more"] is True
    second = pipeline.open(Caller(caller.id, caller.name, 1), table="weather")
    assert [one["key"] for one in pipeline.manifest(second)["landings"]] == ["ops/a.csv"]
    pipeline.stage(second)
    assert pipeline.close(second, caller)["more"] is False
    pipeline.stop(caller.name)
    assert pipeline.states("weather")["ops/c.csv v1"] == "pending"
    assert (answer["failures"][0]["holds"], pipeline.items("LEASE", "TABLE#weather")[0]["failing"]) == (True, True)

    caller = pipeline.start("by-hand")
    told = pipeline.open(caller, table="weather")
    assert (told["action"], told["reason"]) == (
        "nothing",
        "1 landing waits for ops/b.csv, which failed (on_failed_file: hold): land that key again as it should be (and "
        "replay the others of a snapshot in parts), or replay it; under another key it waits too",
    )
    pipeline.stop(caller.name)
    pipeline.land("ops/b.csv", "v2", at="2013-01-09T00:00:00.000Z")
    caller = pipeline.caller(pipeline.executions()[-1])
    mended = pipeline.open(caller, table="weather")
    assert [one["version_id"] for one in pipeline.manifest(mended)["landings"]] == ["v2"]
    pipeline.stage(mended)
    assert pipeline.close(mended, caller)["more"] is True
    last = pipeline.open(Caller(caller.id, caller.name, 1), table="weather")
    assert [one["key"] for one in pipeline.manifest(last)["landings"]] == ["ops/c.csv"]
    pipeline.stage(last)
    assert pipeline.close(last, caller)["recovered"] is True


def test_a_job_that_published_and_died_before_it_could_say_so_has_published(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.stage(batch)
    answer = pipeline.close(batch, caller, stage_error=task_failed("the driver was lost"))
    assert (answer["failures"], pipeline.states()) == ([], {"crm/planes/a.csv v1": "staged"})


WRITTEN = ("SchemaChangeError", "column max_deleted is int and would be string")


@pytest.mark.parametrize(
    ("stays", "caught", "told", "state"),
    [
        (True, task_failed("Error Category: UNCLASSIFIED_ERROR; SchemaChangeError"), WRITTEN, "failed"),
        (False, task_failed("Error Category: UNCLASSIFIED_ERROR; SchemaChangeError"), WRITTEN, "pending"),
        (True, task_failed("An error occurred while calling o93.load: 'STOPPED' is no int"), WRITTEN, "failed"),
        (True, task_failed("", "TIMEOUT"), ("JobTimeoutError", "the job ran out of time"), "pending"),
        (True, task_failed("", "STOPPED"), ("JobStoppedError", "the job was stopped by hand"), "pending"),
    ],
)
def test_the_job_s_own_words_count_unless_it_was_cut_off(
    pipeline: Pipeline, stays: bool, caught: dict[str, str], told: tuple[str, str], state: str
) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.write(batch, "stage", failed(batch["batch_id"], *WRITTEN) | {"stays": stays})
    [failure] = pipeline.close(batch, caller, stage_error=caught)["failures"]
    assert (failure["error"], failure["cause"].startswith(told[1])) == (told[0], True)
    assert pipeline.states() == {"crm/planes/a.csv v1": state}
    [item], [lease] = pipeline.items("BATCH#"), pipeline.items("LEASE")
    assert (item["state"], item["error"]) == ("failed", f"{failure['error']}: {failure['cause']}")
    assert ("limit" in item, "stopped" in lease, "known" in lease) == (False, False, False)


def test_a_job_that_ends_well_without_a_result_has_failed(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    [failure] = pipeline.close(batch, caller)["failures"]
    assert (failure["error"], failure["cause"]) == (
        "ResultMissingError",
        "the staging job ended well but wrote no result",
    )


def test_marts_that_nobody_came_to_are_failures_and_stay_due(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.write(batch, "stage", published(batch["batch_id"]))
    pipeline.write(batch, "mart-dim_planes", {"status": "published", "rows": {"total": 1}, "error": None})
    error = {"Error": "LedgerUnavailableError", "Cause": "The ledger refused a read"}
    answer = pipeline.close(batch, caller, marts_error=error)
    assert [(one["name"], one["error"], one["cause"]) for one in answer["failures"]] == [
        (mart, "LedgerUnavailableError", "The ledger refused a read")
        for mart in ("daily", "fct_flights", "latest_planes")
    ]
    [lease] = pipeline.items("LEASE")
    assert (lease["due_marts"], lease["failing"]) == ({"daily", "fct_flights", "latest_planes"}, True)


def test_marts_that_were_asked_for_and_failed_or_were_skipped_are_due(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.stage(batch)
    pipeline.close(batch, caller)
    pipeline.stop(caller.name)
    caller = pipeline.start("again")
    batch = pipeline.open(caller, mode="rebuild", marts=["latest_planes", "fct_flights", "daily"])
    pipeline.stage(batch)
    pipeline.world.ledger.client.update_item(
        TableName="ledger",
        Key={name: {"S": value} for name, value in batch["batch_key"].items()},
        UpdateExpression="ADD failed_marts :f, skipped_marts :s",
        ExpressionAttributeValues={":f": {"SS": ["fct_flights"]}, ":s": {"SS": ["daily"]}},
    )
    assert pipeline.close(batch, caller)["summary"]["marts"] == {"latest_planes": {"total": 1}}
    assert pipeline.items("LEASE")[0]["due_marts"] == {"fct_flights", "daily"}


def test_a_table_that_a_deployment_removed_is_told_of_and_goes_on_where_it_was_when_it_comes_back(
    pipeline: Pipeline,
) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.stage(batch)
    world = pipeline.world
    left = {name: table for name, table in world.plan.tables.items() if name != "planes"}
    pipeline.world = replace(world, plan=replace(world.plan, tables=left, marts={}))
    with pytest.raises(TableRemovedError, match="planes: a deployment removed its contract while its files were"):
        pipeline.close(batch, caller)
    pipeline.stop(caller.name)
    pipeline.world = world
    again = pipeline.open(pipeline.start("again"))
    assert (again["action"], pipeline.states()) == ("marts", {"crm/planes/a.csv v1": "staged"})


def test_what_many_failed_marts_say_fits_into_what_an_execution_passes_on(pipeline: Pipeline) -> None:
    names = [f"latest_{number:03}" for number in range(120)]
    marts = {name: Mart(name, "latest", "planes", reads=("planes",)) for name in names}
    pipeline.world = replace(pipeline.world, plan=replace(pipeline.world.plan, marts=marts))
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.write(batch, "stage", published(batch["batch_id"]))
    error = {"type": "SparkException", "message": "no space left on device" + "x" * 5000}
    for name in names:
        pipeline.write(batch, f"mart-{name}", {"status": "failed", "rows": {}, "error": error})
    key = {"pk": {"S": batch["batch_key"]["pk"]}, "sk": {"S": batch["batch_key"]["sk"]}}
    pipeline.world.ledger.client.update_item(
        TableName="ledger",
        Key=key,
        UpdateExpression="SET failed_marts = :marts",
        ExpressionAttributeValues={":marts": {"SS": names}},
    )
    answer = pipeline.close(batch, caller)
    assert [one["name"] for one in answer["failures"]] == names
    assert {one["cause"][:23] for one in answer["failures"]} == {"no space left on device"}
    assert len(json.dumps(answer)) < 200_000
