"""The laws of extract_source: what every state must have, whatever the states are."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.extract_stack import synthesize_extracting
from tests.infrastructure.stack import Resources

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "state_machines" / "extract_source.asl.json").read_text()
MACHINE = json.loads(TEXT)
STATES: dict[str, dict[str, Any]] = MACHINE["States"]


def of_type(kind: str) -> list[Any]:
    return [pytest.param(state, id=name) for name, state in STATES.items() if state["Type"] == kind]


def nexts(state: dict[str, Any]) -> set[str]:
    branches = [branch["Next"] for key in ("Catch", "Choices") for branch in state.get(key, [])]
    return {*branches, *(state[key] for key in ("Next", "Default") if key in state)}


def test_placeholders_stand_inside_quotes_and_are_those_that_cdk_fills(tmp_path: Path) -> None:
    template = synthesize_extracting(tmp_path / "out", tmp_path / "build")
    machine = Resources(template).one("AWS::StepFunctions::StateMachine", "Extraction")
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", TEXT)
    assert "${" not in outside
    assert set(re.findall(r"\$\{(\w+)\}", TEXT)) == set(machine["DefinitionSubstitutions"])
    assert json.loads(machine["DefinitionString"]) == MACHINE
    assert machine["DefinitionSubstitutions"]["ExtractedTables"] == "customers,holidays,leads"


def test_jsonata_is_the_language_of_every_state() -> None:
    assert MACHINE["QueryLanguage"] == "JSONata"
    assert not re.search(r'"(InputPath|OutputPath|ResultPath|Parameters|ResultSelector|ItemsPath)"', TEXT)


def test_the_machine_ends_by_itself_some_day_and_after_its_longest_task() -> None:
    tasks = [state["TimeoutSeconds"] for state in STATES.values() if state["Type"] == "Task"]
    assert max(tasks) < MACHINE["TimeoutSeconds"] <= 7 * 24 * 3600


@pytest.mark.parametrize("task", of_type("Task"))
def test_a_task_ends_retries_what_passes_and_catches_the_rest(task: dict[str, Any]) -> None:
    assert isinstance(task["TimeoutSeconds"], int)
    assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
    for retry in task["Retry"]:
        assert not {"States.ALL", "States.TaskFailed"} & set(retry["ErrorEquals"])
        assert retry["JitterStrategy"] == "FULL"
        assert retry["BackoffRate"] > 1
        assert retry["MaxDelaySeconds"] >= retry["IntervalSeconds"]


def test_the_paid_job_is_waited_for_and_never_retried_by_a_retrier_because_it_failed() -> None:
    job = STATES["Extract the table"]
    retried = {name for retry in job["Retry"] for name in retry["ErrorEquals"]}
    assert job["Resource"].endswith("startJobRun.sync")
    assert {name.split(".")[0] for name in retried} == {"Glue"}


@pytest.mark.parametrize("choice", of_type("Choice"))
def test_a_choice_has_a_default(choice: dict[str, Any]) -> None:
    assert choice["Default"] in STATES


def test_every_state_is_reached_and_every_failure_is_told_first() -> None:
    assert set().union(*(nexts(state) for state in STATES.values())) | {MACHINE["StartAt"]} == set(STATES)
    assert [name for name, state in STATES.items() if state["Type"] == "Fail"] == ["End as failed"]
    assert {name for name, state in STATES.items() if "End as failed" in nexts(state)} == {"Did it succeed?"}


def test_errors_that_stay_are_those_that_the_job_declares() -> None:
    """The class name is the error name."""
    source = ast.parse((ROOT / "spark_jobs" / "layers" / "extraction" / "failures.py").read_text())
    documented = {
        node.name: ast.get_docstring(node) or ""
        for node in ast.walk(source)
        if isinstance(node, ast.ClassDef) and node.name.endswith("Error")
    }
    stay = {name for name, text in documented.items() if "cannot help" in text}
    assert set(MACHINE["States"]["Read the request"]["Assign"]["errors_that_stay"]) == stay == {"SourceRefusedError"}
