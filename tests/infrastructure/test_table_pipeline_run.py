"""table_pipeline as an operator sees it: run in moto, with jobs that succeed, fail once, or always fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contracts.file_times import parse_time
from tests.infrastructure.machine import LEDGER, Cloud, LambdaError, Outcome, run_machine

ASL = Path(__file__).parents[2] / "state_machines" / "table_pipeline.asl.json"
SUBSTITUTIONS = {
    "OpenBatchFunction": "open",
    "CloseBatchFunction": "close",
    "NotifyFailureFunction": "notify",
    "LedgerTable": LEDGER,
    "RetrySeconds": "30",
}
KEY = {"pk": "TABLE#planes", "sk": "BATCH#run-0"}
EMPTY_BATCH = KEY | {"state": "open", "mart_errors": {}}
VIOLATION = "ContractViolationError: planes: file crm/planes/x.csv: column seats: 'many' is no int"
Run = Callable[..., tuple[Outcome, dict[str, Any]]]


def mart(name: str, *depends_on: str) -> dict[str, Any]:
    return {
        "mart": name,
        "job_name": f"mart-{name}",
        "arguments": {"--build_mode": "x"},
        "depends_on": list(depends_on),
    }


WAVES = [
    [mart("dim_planes"), mart("latest_planes")],
    [mart("fct_flights", "dim_planes")],
    [mart("daily", "fct_flights")],
]


def opened(action: str = "stage", waves: list[list[dict[str, Any]]] = WAVES, **more: Any) -> dict[str, Any]:
    stage = {"job_name": "stage-planes", "arguments": {"--batch_id": "run-0"}}
    batch = {"action": action, "table": "planes", "batch_id": "run-0", "token": 7, "mode": "incremental"}
    return batch | {"stage": stage, "waves": waves, "batch_key": KEY} | more


def closed(more: bool = False, *failures: Mapping[str, Any]) -> dict[str, Any]:
    return {"more": more, "failures": list(failures), "summary": {"batch_id": "run-0", "landings": 1}}


def failure(kind: str, name: str, error: str, cause: str) -> dict[str, Any]:
    return {"kind": kind, "name": name, "error": error, "cause": cause, "skipped": []}


@pytest.fixture
def run() -> Run:
    definition = ASL.read_text()
    for name, value in SUBSTITUTIONS.items():
        definition = definition.replace(f"${{{name}}}", value)

    def start(cloud: Cloud, request: Mapping[str, Any] | None = None) -> tuple[Outcome, dict[str, Any]]:
        cloud.functions = {"open": [opened()], "close": [closed()], "notify": [{}]} | cloud.functions
        return run_machine(definition, request or {"table": "planes"}, cloud, lambda: EMPTY_BATCH)

    return start


def test_a_batch_is_staged_then_its_marts_are_built_wave_by_wave(run: Run) -> None:
    cloud = Cloud()
    outcome, _ = run(cloud)
    assert (outcome.status, outcome.output) == (
        "SUCCEEDED",
        {
            "table": "planes",
            "batches": [{"batch_id": "run-0", "landings": 1}],
            "ended_because": "all that was pending is done",
        },
    )
    assert cloud.job_runs[0] == "stage-planes"
    assert set(cloud.job_runs[1:3]) == {"mart-dim_planes", "mart-latest_planes"}
    assert cloud.job_runs[3:] == ["mart-fct_flights", "mart-daily"]
    assert cloud.job_arguments[0] == {"--batch_id": "run-0"}
    [asked] = cloud.invocations["open"]
    assert asked["input"] == {"table": "planes"}
    assert (asked["iteration"], asked["execution"]["name"]) == (0, "run")
    [close] = cloud.invocations["close"]
    began = parse_time(close["execution"].pop("started"))
    assert timedelta(0) < datetime.now(UTC) - began < timedelta(hours=1)
    assert close == {
        "execution": asked["execution"],
        "table": "planes",
        "batch_id": "run-0",
        "token": 7,
        "stage_error": None,
        "marts_error": None,
        "runs": {
            "stage": [{"seconds": 61}],
            "marts": {name: [{"seconds": 61}] for name in ("dim_planes", "latest_planes", "fct_flights", "daily")},
        },
        "errors": [],
        "iteration": 0,
        "input": {"table": "planes"},
    }
    assert cloud.invocations["notify"] == []


def test_landings_that_arrive_meanwhile_make_the_execution_go_on(run: Run) -> None:
    cloud = Cloud(functions={"close": [closed(more=True), closed(more=True), closed()]})
    outcome, _ = run(cloud)
    assert (outcome.status, len(outcome.output["batches"])) == ("SUCCEEDED", 3)
    assert [asked["iteration"] for asked in cloud.invocations["open"]] == [0, 1, 2]


def test_a_mart_that_fails_once_is_built_again_and_nobody_is_woken(run: Run) -> None:
    cloud = Cloud(jobs={"mart-dim_planes": ["SparkException: an executor was lost", None]})
    outcome, item = run(cloud)
    assert outcome.status == "SUCCEEDED"
    assert cloud.job_runs.count("mart-dim_planes") == 2
    assert "failed_marts" not in item
    assert cloud.invocations["notify"] == []
    assert len(cloud.waits) == 1 and 15 <= cloud.waits[0] <= 45


def test_a_mart_that_always_fails_spares_the_others_and_names_what_it_blocks(run: Run) -> None:
    failures = [failure("mart", "dim_planes", "MartFailedError", 'SparkException: no "space" left')]
    cloud = Cloud(
        jobs={"mart-dim_planes": ['SparkException: no "space" left\non device']},
        functions={"close": [closed(False, *failures)]},
    )
    outcome, item = run(cloud)
    assert cloud.job_runs.count("mart-dim_planes") == 3
    assert cloud.job_runs.count("mart-latest_planes") == 1
    assert {"mart-fct_flights", "mart-daily"}.isdisjoint(cloud.job_runs)
    assert item["failed_marts"] == {"dim_planes"}
    assert item["skipped_marts"] == {"fct_flights", "daily"}
    assert item["mart_errors"] == {"dim_planes": 'SparkException: no "space" left\non device'}
    assert (outcome.status, outcome.error) == ("FAILED", "MartFailedError")
    assert outcome.cause == 'dim_planes: SparkException: no "space" left'
    [told] = cloud.invocations["notify"]
    assert (told["table"], told["input"], told["failures"]) == ("planes", {"table": "planes"}, failures)
    assert told["summaries"] == [{"batch_id": "run-0", "landings": 1}]


def test_what_runs_took_is_told_when_the_batch_is_closed_also_of_those_that_failed(run: Run) -> None:
    jobs = {"stage-planes": ["heap", None], "mart-dim_planes": ["no space"], "mart-daily": ["lost", None]}
    cloud = Cloud(jobs=jobs, billed={"mart-latest_planes": 33.5, "mart-daily": 12})
    run(cloud)
    [close] = cloud.invocations["close"]
    assert close["runs"] == {
        "stage": [{"seconds": 61}, {"seconds": 62}],
        "marts": {
            "dim_planes": [{"seconds": 61}, {"seconds": 62}, {"seconds": 63}],
            "latest_planes": [{"seconds": 61, "dpu_seconds": 33.5}],
            "fct_flights": [],
            "daily": [],
        },
    }


def test_what_runs_took_is_told_where_there_is_nothing_to_stage_or_to_build(run: Run) -> None:
    cloud = Cloud(functions={"open": [opened("marts", WAVES[1:2])]})
    run(cloud)
    assert cloud.invocations["close"][0]["runs"] == {"stage": [], "marts": {"fct_flights": [{"seconds": 61}]}}
    cloud = Cloud(functions={"open": [opened(waves=[])]})
    run(cloud)
    assert cloud.invocations["close"][0]["runs"] == {"stage": [{"seconds": 61}], "marts": {}}


def test_a_mart_whose_data_is_wrong_is_not_run_twice(run: Run) -> None:
    message = "Error Category: UNCLASSIFIED_ERROR; LimitExceededError: dim_planes: 40 % of the keys would go"
    cloud = Cloud(jobs={"mart-dim_planes": [message]})
    _, item = run(cloud)
    assert cloud.job_runs.count("mart-dim_planes") == 1
    assert item["mart_errors"] == {"dim_planes": message}


def test_a_contract_violation_goes_to_the_close_at_once_and_no_mart_is_built(run: Run) -> None:
    failures = [failure("stage", "planes", "ContractViolationError", VIOLATION)]
    cloud = Cloud(jobs={"stage-planes": [VIOLATION]}, functions={"close": [closed(False, *failures)]})
    outcome, _ = run(cloud)
    assert cloud.job_runs == ["stage-planes"]
    assert cloud.waits == []
    [close] = cloud.invocations["close"]
    assert close["stage_error"]["Error"] == "States.TaskFailed"
    assert json.loads(close["stage_error"]["Cause"])["ErrorMessage"] == VIOLATION
    assert (outcome.status, outcome.error) == ("FAILED", "ContractViolationError")
    assert outcome.cause == f"planes: {VIOLATION}"
    assert len(cloud.invocations["notify"]) == 1


def test_after_a_bad_file_the_next_batch_of_the_table_is_still_taken(run: Run) -> None:
    failures = [failure("stage", "planes", "ContractViolationError", VIOLATION)]
    cloud = Cloud(jobs={"stage-planes": [VIOLATION, None]}, functions={"close": [closed(True, *failures), closed()]})
    outcome, _ = run(cloud)
    assert cloud.job_runs[:2] == ["stage-planes", "stage-planes"]
    assert [close["stage_error"] is None for close in cloud.invocations["close"]] == [False, True]
    assert (outcome.status, outcome.error) == ("FAILED", "ContractViolationError")
    [told] = cloud.invocations["notify"]
    assert (told["failures"], len(told["summaries"])) == (failures, 2)


@pytest.mark.parametrize(("messages", "runs"), [(["OutOfMemoryError", None], 2), (["Boom"], 3), (["TIMEOUT"], 1)])
def test_a_staging_job_is_tried_three_times_unless_it_ran_out_of_time(
    run: Run, messages: list[str | None], runs: int
) -> None:
    cloud = Cloud(jobs={"stage-planes": messages})
    run(cloud)
    assert cloud.job_runs.count("stage-planes") == runs
    [close] = cloud.invocations["close"]
    assert (close["stage_error"] is None) == (messages[-1] is None)


def test_a_busy_job_is_waited_for(run: Run) -> None:
    class Busy(Cloud):
        def start_job_run(self, **request: Any) -> dict[str, str]:
            if request["JobName"] == "mart-daily" and not self.waits:
                error = {"Error": {"Code": "ConcurrentRunsExceededException", "Message": "busy"}}
                raise ClientError(error, "StartJobRun")
            return super().start_job_run(**request)

    cloud = Busy()
    outcome, _ = run(cloud)
    assert (outcome.status, len(cloud.waits), cloud.job_runs[-1]) == ("SUCCEEDED", 1, "mart-daily")


def test_only_the_marts_are_built_when_nothing_is_to_be_staged(run: Run) -> None:
    cloud = Cloud(functions={"open": [opened("marts", [[mart("dim_planes")]])]})
    outcome, _ = run(cloud, {"table": "planes", "mode": "rebuild"})
    assert (outcome.status, cloud.job_runs) == ("SUCCEEDED", ["mart-dim_planes"])


def test_a_table_that_no_mart_reads_is_closed_after_staging(run: Run) -> None:
    cloud = Cloud(functions={"open": [opened(waves=[])]})
    outcome, _ = run(cloud)
    assert (outcome.status, cloud.job_runs, len(cloud.invocations["close"])) == (
        "SUCCEEDED",
        ["stage-planes"],
        1,
    )


def test_nothing_to_do_succeeds_and_touches_nothing(run: Run) -> None:
    cloud = Cloud(functions={"open": [{"action": "nothing", "table": "planes", "reason": "nothing is pending"}]})
    outcome, _ = run(cloud)
    assert (outcome.status, outcome.output) == (
        "SUCCEEDED",
        {"table": "planes", "batches": [], "ended_because": "nothing is pending"},
    )
    assert (cloud.job_runs, cloud.invocations["close"]) == ([], [])


def test_a_dry_run_answers_with_its_plan(run: Run) -> None:
    plan = {"landings": 3, "marts": ["dim_planes"]}
    cloud = Cloud(functions={"open": [opened("dry_run", plan=plan)]})
    outcome, _ = run(cloud, {"table": "planes", "mode": "dry_run"})
    assert (outcome.status, outcome.output, cloud.job_runs) == ("SUCCEEDED", plan, [])


def test_a_wrong_request_fails_with_the_sentence_that_the_lambda_wrote(run: Run) -> None:
    refusal = LambdaError("InvalidRequestError", "mode must be one of incremental, replay, rebuild, dry_run")
    cloud = Cloud(functions={"open": [refusal]})
    outcome, _ = run(cloud, {"tabel": "planes"})
    assert (outcome.status, outcome.error) == ("FAILED", "InvalidRequestError")
    assert outcome.cause == "the input: mode must be one of incremental, replay, rebuild, dry_run"
    [told] = cloud.invocations["notify"]
    assert told["failures"][0]["kind"] == "open"


def test_an_execution_that_cannot_open_its_next_batch_has_begun(run: Run) -> None:
    refusal = LambdaError("StaleLeaseError", "planes: token 7 is not 8")
    cloud = Cloud(functions={"open": [opened(), refusal], "close": [closed(more=True)]})
    outcome, _ = run(cloud)
    assert (outcome.status, outcome.error) == ("FAILED", "StaleLeaseError")
    [told] = cloud.invocations["notify"]
    assert [failure["kind"] for failure in told["failures"]] == ["next"]
    assert [batch["batch_id"] for batch in told["summaries"]] == ["run-0"]


def test_a_close_that_fails_is_told_and_fails_the_execution(run: Run) -> None:
    cloud = Cloud(functions={"close": [LambdaError("StaleLeaseError", "planes: token 7 is not 8")]})
    outcome, _ = run(cloud)
    assert (outcome.status, outcome.error) == ("FAILED", "StaleLeaseError")
    assert outcome.cause == "planes: token 7 is not 8"
    assert [told["failures"][0]["kind"] for told in cloud.invocations["notify"]] == ["close"]


def test_a_notification_that_cannot_be_sent_does_not_hide_the_first_error(run: Run) -> None:
    failures = [
        failure("mart", "dim_planes", "MartFailedError", "a"),
        failure("mart", "daily", "MartFailedError", "b"),
    ]
    cloud = Cloud(functions={"close": [closed(False, *failures)], "notify": [LambdaError("ClientError", "no topic")]})
    outcome, _ = run(cloud)
    assert (outcome.error, outcome.cause) == ("MartFailedError", "dim_planes: a (and 1 more failures)")


def test_a_ledger_that_refuses_stops_the_marts_and_the_batch_is_closed_with_the_reason(run: Run) -> None:
    failures = [failure("mart", "dim_planes", "LedgerUnavailableError", "refused")]
    cloud = Cloud(
        functions={"open": [opened(batch_key={"pk": "", "sk": ""})], "close": [closed(False, *failures)]},
    )
    outcome, _ = run(cloud)
    assert (outcome.status, outcome.error) == ("FAILED", "LedgerUnavailableError")
    [close] = cloud.invocations["close"]
    assert (close["stage_error"], close["marts_error"]["Error"]) == (None, "LedgerUnavailableError")
    assert cloud.job_runs == ["stage-planes"]


def test_failures_that_opening_found_are_told_at_the_end(run: Run) -> None:
    refused = failure("stage", "planes", "OverwriteRefusedError", "x.csv landed before")
    cloud = Cloud(functions={"open": [opened(failures=[refused])]})
    outcome, _ = run(cloud)
    assert (outcome.status, outcome.error) == ("FAILED", "OverwriteRefusedError")
    assert cloud.invocations["close"][0]["errors"] == ["OverwriteRefusedError"]


def test_a_table_that_is_well_again_is_told_once(run: Run) -> None:
    cloud = Cloud(functions={"close": [closed() | {"recovered": True}]})
    outcome, _ = run(cloud)
    assert outcome.status == "SUCCEEDED"
    [told] = cloud.invocations["notify"]
    assert (told["recovered"], told["table"], told["failures"]) == (True, "planes", [])
    assert outcome.states[-2:] == ("Tell that the table recovered", "Report the batches")


def test_an_execution_whose_history_runs_full_hands_over_to_another(run: Run) -> None:
    successor = {"name": "run-h1", "input": {"table": "planes"}}
    cloud = Cloud(
        functions={
            "open": [opened(), {"action": "nothing", "table": "planes", "reason": "nothing is pending"}],
            "close": [closed() | {"hand_over": successor}],
        }
    )
    outcome, _ = run(cloud)
    assert (outcome.status, "Hand over to a new execution" in outcome.states) == ("SUCCEEDED", True)
    assert [asked["execution"]["name"] for asked in cloud.invocations["open"]] == ["run", "run-h1"]
    assert cloud.invocations["open"][1]["input"] == {"table": "planes"}


def test_a_lambda_that_was_killed_is_called_again(run: Run) -> None:
    cloud = Cloud(functions={"open": [LambdaError("Runtime.ExitError", "signal: killed"), opened()]})
    outcome, _ = run(cloud)
    assert (outcome.status, len(cloud.invocations["open"])) == ("SUCCEEDED", 2)
