"""Batches from arrival to close, on the ledger in moto."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.unit.functions.conftest import ARTIFACTS, FIRST_TOKEN, Pipeline, failed, published, s3_event, task_failed


def test_a_file_lands_is_claimed_staged_and_the_lease_is_free_again(pipeline: Pipeline) -> None:
    assert pipeline.land("crm/planes/a.csv") == ([], {"Landings": 1})
    [name] = pipeline.executions()
    caller = pipeline.caller(name)
    batch = pipeline.open(caller)
    assert (batch["action"], batch["batch_id"], batch["token"]) == ("stage", f"{name}-0", FIRST_TOKEN)
    assert batch["stage"]["job_name"] == "nycflights-dev-stage-planes"
    assert [[m["mart"] for m in wave] for wave in batch["waves"]] == [
        ["dim_planes", "latest_planes"],
        ["fct_flights"],
        ["daily"],
    ]
    assert pipeline.states() == {"crm/planes/a.csv v1": "claimed"}
    assert pipeline.items("PENDING#") == []
    pipeline.stage(batch)
    answer = pipeline.close(batch, caller)
    assert (answer["more"], answer["failures"]) == (False, [])
    assert pipeline.states() == {"crm/planes/a.csv v1": "staged"}
    [lease] = pipeline.items("LEASE")
    assert (lease["token"], lease["arrivals"], lease.get("holder")) == (FIRST_TOKEN, 1, None)


def test_a_name_that_a_job_would_take_for_an_option_becomes_no_batch_s_id(pipeline: Pipeline) -> None:
    """The console takes a name such as `-again`, and Glue's jobs take each argument's value by itself."""
    pipeline.land("crm/planes/a.csv")
    caller = pipeline.start("-again")
    batch = pipeline.open(caller)
    pipeline.stage(batch)
    pipeline.close(batch, caller)
    arguments = {**batch["stage"]["arguments"], **batch["waves"][0][0]["arguments"]}
    assert arguments["--batch_id"] == "_-again-0"
    assert [name for name, value in arguments.items() if value.startswith("-")] == []
    assert pipeline.states() == {"crm/planes/a.csv v1": "staged"}


def test_the_whole_of_what_the_state_machine_is_told(pipeline: Pipeline) -> None:
    def build(mart: str, *depends_on: str) -> dict[str, Any]:
        return {
            "mart": mart,
            "job_name": f"nycflights-dev-mart-{mart}",
            "arguments": {
                "--batch_id": "run-0",
                "--build_mode": "incremental",
                "--result": f"s3://{ARTIFACTS}/batches/flights/run-0/mart-{mart}.json",
            },
            "depends_on": [*depends_on],
        }

    pipeline.land("ops/flights/a.csv")
    assert pipeline.open(pipeline.start("run"), table="flights") == {
        "action": "stage",
        "table": "flights",
        "batch_id": "run-0",
        "token": FIRST_TOKEN,
        "mode": "incremental",
        "stage": {
            "job_name": "nycflights-dev-stage-flights",
            "arguments": {
                "--batch_id": "run-0",
                "--manifest": f"s3://{ARTIFACTS}/batches/flights/run-0/manifest.json",
                "--result": f"s3://{ARTIFACTS}/batches/flights/run-0/stage.json",
            },
        },
        "waves": [[build("fct_flights")], [build("daily", "fct_flights")]],
        "batch_key": {"pk": "TABLE#flights", "sk": "BATCH#run-0"},
        "failures": [],
    }


def test_a_rebuild_of_marts_is_told_to_build_anew(pipeline: Pipeline) -> None:
    pipeline.land("ops/flights/a.csv")
    [name] = pipeline.executions()
    batch = pipeline.open(pipeline.caller(name), table="flights")
    pipeline.stage(batch)
    pipeline.close(batch, pipeline.caller(name))
    anew = pipeline.open(pipeline.start("anew"), table="flights", mode="rebuild", marts=["daily"])
    assert (anew["action"], anew["mode"], anew["failures"], "stage" in anew) == ("marts", "rebuild", [], False)
    [[daily]] = anew["waves"]
    assert (daily["arguments"]["--build_mode"], daily["depends_on"]) == ("rebuild", [])


def test_a_close_notices_what_landed_meanwhile(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    [name] = pipeline.executions()
    batch = pipeline.open(pipeline.caller(name))
    pipeline.land("crm/planes/b.csv")
    assert pipeline.executions() == [name]
    pipeline.stage(batch)
    assert pipeline.close(batch, pipeline.caller(name))["more"] is True
    second = pipeline.open(pipeline.caller(name, 1))
    assert (second["batch_id"], second["token"]) == (f"{name}-1", FIRST_TOKEN + 1)
    pipeline.stage(second)
    assert pipeline.close(second, pipeline.caller(name, 1))["more"] is False
    assert set(pipeline.states().values()) == {"staged"}


def test_a_file_that_violates_its_contract_fails_and_the_innocent_go_on(pipeline: Pipeline) -> None:
    pipeline.deliver(s3_event("crm/planes/a.csv"), s3_event("crm/planes/b.csv"))
    [name] = pipeline.executions()
    batch = pipeline.open(pipeline.caller(name))
    guilty = {one["key"]: one["id"] for one in pipeline.manifest(batch)["landings"]}["crm/planes/a.csv"]
    message = "planes: file crm/planes/a.csv: column seats: 'many' is no int"
    pipeline.write(
        batch, "stage", failed(batch["batch_id"], "ContractViolationError", message, **{guilty: ("no int", "seats")})
    )
    error = task_failed(f"ContractViolationError: {message}")
    answer = pipeline.close(batch, pipeline.caller(name), stage_error=error)
    assert (answer["more"], [f["cause"] for f in answer["failures"]]) == (True, [message])
    assert pipeline.states() == {"crm/planes/a.csv v1": "failed", "crm/planes/b.csv v1": "pending"}
    second = pipeline.open(pipeline.caller(name, 1))
    assert [one["key"] for one in pipeline.manifest(second)["landings"]] == ["crm/planes/b.csv"]


def test_a_job_that_fails_gives_its_files_back_three_times_and_never_twice_in_one_execution(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    for n in range(3):
        caller = pipeline.start(f"run{n}")
        batch = pipeline.open(caller)
        assert batch["action"] == "stage"
        answer = pipeline.close(batch, caller, stage_error=task_failed("OutOfMemoryError: heap"))
        assert answer["more"] is False
        pipeline.stop(f"run{n}")
    [landing] = pipeline.items("LANDING#")
    assert (landing["state"], landing["attempts"]) == ("failed", 3)
    assert landing["reason"] == "failed 3 times, last: heap"


def test_a_dead_execution_is_taken_over(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    [name] = pipeline.executions()
    pipeline.open(pipeline.caller(name))
    pipeline.stop(name)
    caller = pipeline.start("second")
    batch = pipeline.open(caller)
    assert (batch["action"], batch["token"]) == ("stage", FIRST_TOKEN + 1)
    [landing] = pipeline.items("LANDING#")
    assert (landing["state"], landing["attempts"], landing["batch_id"]) == ("claimed", 1, "second-0")
    assert [(b["batch_id"], b["state"]) for b in pipeline.items("BATCH#")] == [
        (f"{name}-0", "abandoned"),
        ("second-0", "open"),
    ]


def test_a_ledger_that_is_restored_gives_out_no_token_again(pipeline: Pipeline) -> None:
    """Batches that are published since would refuse one that is lower."""
    pipeline.land("crm/planes/a.csv")
    backup = pipeline.world.ledger.client.scan(TableName="ledger")["Items"]
    tokens = []
    for day in (5, 6):
        now = f"2013-01-{day:02}T00:00:00.000000Z"
        pipeline.world = replace(pipeline.world, ledger=replace(pipeline.world.ledger, now=lambda now=now: now))
        tokens.append(pipeline.open(pipeline.start(f"run{day}"))["token"])
        for item in backup:
            pipeline.world.ledger.client.put_item(TableName="ledger", Item=item)
    assert tokens == [FIRST_TOKEN, FIRST_TOKEN + 86400]


def test_marts_that_failed_are_due_and_built_by_the_next_execution(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    [name] = pipeline.executions()
    caller = pipeline.caller(name)
    batch = pipeline.open(caller)
    pipeline.stage(batch)
    pipeline.world.ledger.client.update_item(
        TableName="ledger",
        Key={"pk": {"S": batch["batch_key"]["pk"]}, "sk": {"S": batch["batch_key"]["sk"]}},
        UpdateExpression="ADD failed_marts :f, skipped_marts :s SET mart_errors.#m = :e",
        ExpressionAttributeNames={"#m": "fct_flights"},
        ExpressionAttributeValues={
            ":f": {"SS": ["fct_flights"]},
            ":s": {"SS": ["daily"]},
            ":e": {"S": "SparkException: no space left"},
        },
    )
    answer = pipeline.close(batch, caller)
    assert answer["failures"] == [
        {
            "kind": "mart",
            "name": "fct_flights",
            "error": "SparkException",
            "cause": "no space left",
            "skipped": ["daily"],
            "mode": "incremental",
        }
    ]
    assert answer["summary"]["marts"] == {"dim_planes": {"total": 1}, "latest_planes": {"total": 1}}
    assert answer["summary"]["failed_marts"] == {"fct_flights": "SparkException: no space left"}
    assert answer["summary"]["skipped_marts"] == {"daily": "fct_flights failed"}
    pipeline.stop(name)
    again = pipeline.open(pipeline.start("again"))
    assert again["action"] == "marts"
    assert [[m["mart"] for m in wave] for wave in again["waves"]] == [["fct_flights"], ["daily"]]
    assert again["waves"][1][0]["depends_on"] == ["fct_flights"]
    for mart in ("fct_flights", "daily"):
        pipeline.write(again, f"mart-{mart}", {"status": "published", "rows": {"total": 1}, "error": None})
    answer = pipeline.close(again, pipeline.caller("again"))
    assert (answer["failures"], answer["recovered"]) == ([], True)
    assert pipeline.open(pipeline.start("third"))["action"] == "nothing"


def test_a_call_that_comes_late_is_answered_as_it_was_and_changes_nothing(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    [name] = pipeline.executions()
    first = pipeline.open(pipeline.caller(name))
    pipeline.land("crm/planes/b.csv")
    pipeline.stage(first)
    pipeline.close(first, pipeline.caller(name))
    pipeline.open(pipeline.caller(name, 1))
    before = pipeline.items("")
    assert pipeline.open(pipeline.caller(name)) == first
    assert pipeline.items("") == before


def test_a_call_that_found_nothing_to_do_finds_nothing_when_it_is_repeated(pipeline: Pipeline) -> None:
    caller = pipeline.start("by_hand")
    found = [pipeline.open(caller, allow=["max_deleted"]) for _ in range(2)]
    assert [one["reason"] for one in found] == ["nothing is pending"] * 2
    [lease] = pipeline.items("LEASE")
    assert ("holder" in lease, lease["token"]) == (False, FIRST_TOKEN)


def test_marts_that_an_execution_could_not_build_are_left_to_the_next(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    caller = pipeline.start("run")
    batch = pipeline.open(caller)
    pipeline.land("crm/planes/a.csv", "v2", etag="etag-v1")
    pipeline.write(batch, "stage", published(batch["batch_id"]))
    assert pipeline.close(batch, caller, marts_error=task_failed("no space left"))["more"] is True
    assert pipeline.open(replace(caller, iteration=1))["action"] == "nothing"
    pipeline.stop("run")
    assert pipeline.open(pipeline.start("next"))["action"] == "marts"
