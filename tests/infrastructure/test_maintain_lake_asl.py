"""The laws of maintain_lake, and the machine as an operator sees it, run in moto."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.machine import Cloud, LambdaError, Outcome, run_machine
from tests.infrastructure.stack import Resources

TEXT = (Path(__file__).parents[2] / "state_machines" / "maintain_lake.asl.json").read_text()
MACHINE = json.loads(TEXT)
STATES: dict[str, dict[str, Any]] = MACHINE["States"]
JOB = "shop-dev-maintain"
SUBSTITUTIONS = {
    "MaintainJob": JOB,
    "Names": "dim_planes,planes",
    "NotifyFailureFunction": "notify",
    "ResultsFolder": "s3://artifacts/maintenance/",
    "RetrySeconds": "30",
}
FAILED = "MaintenanceFailedError: staging.shop_dev_staging.planes: OSError: no space"
Run = Callable[..., Outcome]


@pytest.fixture
def run() -> Run:
    definition = TEXT
    for name, value in SUBSTITUTIONS.items():
        definition = definition.replace(f"${{{name}}}", value)

    def start(cloud: Cloud, request: Mapping[str, Any]) -> Outcome:
        cloud.functions = {"notify": [{}]} | cloud.functions
        return run_machine(definition, request, cloud, lambda: {"pk": "p", "sk": "s"})[0]

    return start


def test_placeholders_stand_inside_quotes_and_are_those_that_cdk_fills(resources: Resources) -> None:
    machine = resources.one("AWS::StepFunctions::StateMachine", "Maintenance")
    assert "${" not in re.sub(r'"(?:[^"\\]|\\.)*"', "", TEXT)
    assert set(re.findall(r"\$\{(\w+)\}", TEXT)) == set(machine["DefinitionSubstitutions"]) == set(SUBSTITUTIONS)
    assert machine["DefinitionSubstitutions"]["Names"] == "dim_planes,fct_flights,flights,planes"
    assert (machine["StateMachineName"], MACHINE["QueryLanguage"]) == ("nycflights-dev-maintain-lake", "JSONata")
    assert (machine["LoggingConfiguration"]["Level"], machine["TracingConfiguration"]["Enabled"]) == ("ALL", True)


def test_every_task_ends_retries_what_passes_and_catches_the_rest() -> None:
    tasks = [state for state in STATES.values() if state["Type"] == "Task"]
    assert max(task["TimeoutSeconds"] for task in tasks) < MACHINE["TimeoutSeconds"] <= 7 * 24 * 3600
    for task in tasks:
        assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
        for retry in task["Retry"]:
            assert not {"States.ALL", "States.TaskFailed"} & set(retry["ErrorEquals"])
            assert (retry["JitterStrategy"], retry["BackoffRate"] > 1) == ("FULL", True)
    assert all(state["Default"] in STATES for state in STATES.values() if state["Type"] == "Choice")


@pytest.mark.parametrize(
    ("request_", "names"), [({}, "all"), ({"names": ["planes", "dim_planes"]}, "planes,dim_planes")]
)
def test_a_maintenance_answers_with_where_its_report_lies(run: Run, request_: dict[str, Any], names: str) -> None:
    cloud = Cloud()
    outcome = run(cloud, request_)
    report = "s3://artifacts/maintenance/run.json"
    assert (outcome.status, outcome.output) == ("SUCCEEDED", {"names": names, "result": report})
    assert (cloud.job_runs, cloud.job_arguments) == ([JOB], [{"--names": names, "--result": report}])
    assert cloud.invocations["notify"] == []


@pytest.mark.parametrize("request_", [{"names": ["plane"]}, {"names": []}, {"names": "planes"}, {"table": "planes"}])
def test_a_wrong_request_runs_no_job_and_is_told_what_is_allowed(run: Run, request_: dict[str, Any]) -> None:
    cloud = Cloud()
    outcome = run(cloud, request_)
    assert (outcome.status, outcome.error, cloud.job_runs) == ("FAILED", "InvalidRequestError", [])
    assert outcome.cause == 'the input must be {} or {"names": a list of dim_planes, planes}'
    [told] = cloud.invocations["notify"]
    assert (told["failures"][0]["kind"], told["table"], told["input"]) == ("maintain", "", request_)


def test_a_job_that_failed_is_run_once_more_and_then_told_in_its_own_words(run: Run) -> None:
    passing, failing = Cloud(jobs={JOB: [FAILED, None]}), Cloud(jobs={JOB: [FAILED]})
    assert (run(passing, {}).status, len(passing.waits)) == ("SUCCEEDED", 1) and 15 <= passing.waits[0] <= 45
    outcome = run(failing, {})
    assert (outcome.status, outcome.error, failing.job_runs) == ("FAILED", "MaintenanceFailedError", [JOB, JOB])
    assert outcome.cause == "staging.shop_dev_staging.planes: OSError: no space"
    [told] = failing.invocations["notify"]
    assert told["failures"] == [
        {
            "kind": "maintain",
            "name": "the maintenance",
            "error": "MaintenanceFailedError",
            "cause": "staging.shop_dev_staging.planes: OSError: no space",
            "skipped": [],
        }
    ]


def test_a_job_that_ran_out_of_time_is_left_to_the_next_schedule_and_no_message_hides_its_error(run: Run) -> None:
    cloud = Cloud(jobs={JOB: ["TIMEOUT"]}, functions={"notify": [LambdaError("ClientError", "no topic")]})
    outcome = run(cloud, {})
    assert (outcome.status, outcome.error, cloud.job_runs) == ("FAILED", "TaskFailed", [JOB])
