"""The laws of the definition: what every state of table_pipeline must have, whatever the states are."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.stack import Resources

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "state_machines" / "table_pipeline.asl.json").read_text()
MACHINE = json.loads(TEXT)
State = dict[str, Any]
LAMBDA_ERRORS_THAT_PASS = {
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "LedgerBusyError",
    "ClientError",
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
}


def walk(states: dict[str, State]) -> Iterator[tuple[str, State]]:
    for name, state in states.items():
        yield name, state
        if "ItemProcessor" in state:
            yield from walk(state["ItemProcessor"]["States"])


STATES = dict(walk(MACHINE["States"]))


def of_type(*kinds: str) -> list[Any]:
    return [pytest.param(state, id=name) for name, state in STATES.items() if state["Type"] in kinds]


def strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for part in value.values():
                yield from strings(part)
        case list():
            for part in value:
                yield from strings(part)


def test_state_names_are_unique_over_all_levels_so_that_a_log_line_names_one_state() -> None:
    names = re.findall(r'^ +"([A-Z][^"]*)": \{\n +"Type"', TEXT, re.MULTILINE)
    assert sorted(names) == sorted(STATES)


def test_placeholders_stand_inside_quotes_and_are_those_that_cdk_fills(resources: Resources) -> None:
    in_strings = {name for text in strings(MACHINE) for name in re.findall(r"\$\{(\w+)\}", text)}
    assert in_strings == set(re.findall(r"\$\{(\w+)\}", TEXT))
    machine = resources.one("AWS::StepFunctions::StateMachine", "Workflow")
    assert in_strings == set(machine["DefinitionSubstitutions"])
    assert json.loads(machine["DefinitionString"]) == MACHINE


def test_jsonata_is_the_language_of_every_state() -> None:
    assert MACHINE["QueryLanguage"] == "JSONata"
    assert not [name for name, state in STATES.items() if "QueryLanguage" in state]
    assert not re.search(r'"(InputPath|OutputPath|ResultPath|Parameters|ResultSelector|ItemsPath)"', TEXT)


def test_the_machine_ends_by_itself_some_day_and_after_its_longest_task() -> None:
    tasks = [state["TimeoutSeconds"] for state in STATES.values() if state["Type"] == "Task"]
    assert max(tasks) < MACHINE["TimeoutSeconds"] <= 7 * 24 * 3600


@pytest.mark.parametrize("task", of_type("Task"))
def test_a_task_ends_retries_what_passes_and_catches_the_rest(task: State) -> None:
    assert isinstance(task["TimeoutSeconds"], int)
    assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
    service = task["Resource"].split(":::")[1].split(":")[0]
    prefix = {"lambda": "Lambda.", "glue": "Glue.", "dynamodb": "DynamoDB.", "states": "StepFunctions."}[service]
    passing = {"States.Timeout", *(LAMBDA_ERRORS_THAT_PASS if service == "lambda" else ())}
    for retry in task["Retry"]:
        assert all(name.startswith(prefix) or name in passing for name in retry["ErrorEquals"])
        assert retry["JitterStrategy"] == "FULL"
        assert retry["BackoffRate"] > 1
        assert retry["MaxDelaySeconds"] >= retry["IntervalSeconds"]
        assert retry["MaxAttempts"] > 0


@pytest.mark.parametrize("task", [case for case in of_type("Task") if "glue" in case.values[0]["Resource"]])
def test_a_paid_job_is_waited_for_and_never_retried_because_it_timed_out_or_failed(task: State) -> None:
    assert task["Resource"].endswith("startJobRun.sync")
    retried = {name for retry in task["Retry"] for name in retry["ErrorEquals"]}
    assert retried.isdisjoint({"States.ALL", "States.TaskFailed", "States.Timeout"})


@pytest.mark.parametrize("choice", of_type("Choice"))
def test_a_choice_has_a_default(choice: State) -> None:
    assert choice["Default"] in STATES


@pytest.mark.parametrize("fail", of_type("Fail"))
def test_a_failure_has_an_error_and_a_cause(fail: State) -> None:
    assert fail["Error"] and fail["Cause"]


def test_every_failure_of_the_machine_itself_is_told_first() -> None:
    ends = [name for name, state in MACHINE["States"].items() if state["Type"] == "Fail"]
    assert ends == ["End as failed"]
    leads_there = {name for name, state in MACHINE["States"].items() if _next(state) & set(ends)}
    assert leads_there == {"Notify the failure"}


def _next(state: State) -> set[str]:
    catches = {catch["Next"] for catch in state.get("Catch", [])}
    choices = {choice["Next"] for choice in state.get("Choices", [])}
    return catches | choices | {state[key] for key in ("Next", "Default") if key in state}


def test_every_state_is_reached() -> None:
    targets = set().union(*(_next(state) for state in STATES.values()))
    starts = {MACHINE["StartAt"]} | {s["ItemProcessor"]["StartAt"] for s in STATES.values() if "ItemProcessor" in s}
    assert targets | starts == set(STATES)


def test_inner_states_assign_no_variable_of_an_outer_one() -> None:
    def assigned(states: dict[str, State]) -> set[str]:
        catches = [catch for state in states.values() for catch in state.get("Catch", [])]
        return {name for part in [*states.values(), *catches] for name in part.get("Assign", {})}

    inner = {n: s for n, s in STATES.items() if n not in MACHINE["States"]}
    assert assigned(inner).isdisjoint(assigned(MACHINE["States"]))


def test_errors_that_a_second_run_cannot_mend_are_those_that_the_jobs_declare() -> None:
    """The class name is the error name: data errors and a lost lease, as spark_jobs declares them."""
    sources = [ast.parse(path.read_text()) for path in (ROOT / "spark_jobs").rglob("*.py")]
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for source in sources
        for node in ast.walk(source)
        if isinstance(node, ast.ClassDef)
    }
    data_errors = {name for name, parents in bases.items() if "DataError" in parents}
    stay = MACHINE["States"]["Read the request"]["Assign"]["errors_that_stay"]
    assert "StaleLeaseError" in bases
    assert set(stay) == data_errors | {"StaleLeaseError"}


def test_errors_that_the_lambdas_raise_on_purpose_are_retried_only_where_they_pass() -> None:
    """The class name is the error name: a refused request or a lost lease ends the execution at once."""
    source = ast.parse((ROOT / "functions" / "shared" / "errors.py").read_text())
    declared = {node.name for node in ast.walk(source) if isinstance(node, ast.ClassDef)}
    retried = {name for state in STATES.values() for retry in state.get("Retry", []) for name in retry["ErrorEquals"]}
    assert declared & retried == {"LedgerBusyError"}
