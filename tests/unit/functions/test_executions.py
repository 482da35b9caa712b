"""Whether an execution runs, and what comes of starting one."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.shared.executions import Executions
from tests.unit.functions.conftest import Pipeline

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:machine"


class StepFunctions:
    """Answers as it is told: a status, or an error."""

    def __init__(self, answer: str, *, fails: bool = False) -> None:
        self.answer, self.fails, self.asked = answer, fails, list[dict[str, Any]]()

    def describe_execution(self, **asked: Any) -> dict[str, str]:
        self.asked.append(asked)
        if self.fails:
            raise ClientError({"Error": {"Code": self.answer}}, "StepFunctions")
        return {"status": self.answer}

    start_execution = describe_execution


def test_an_execution_runs_until_it_has_ended_and_one_that_is_unknown_does_not(pipeline: Pipeline) -> None:
    executions = pipeline.world.executions
    pipeline.start("one")
    assert executions.is_running(executions.arn("one")) is True
    pipeline.stop("one")
    assert [executions.is_running(arn) for arn in (executions.arn("one"), executions.arn("two"), "arn")] == [False] * 3


@pytest.mark.parametrize(
    ("status", "runs"),
    [("RUNNING", True), ("PENDING_REDRIVE", True), ("SUCCEEDED", False), ("FAILED", False), ("TIMED_OUT", False)],
)
def test_one_that_is_about_to_be_redriven_runs(status: str, runs: bool) -> None:
    assert Executions(StepFunctions(status), MACHINE).is_running("arn") is runs


@pytest.mark.parametrize("error", ["ExecutionDoesNotExist", "InvalidArn"])
def test_one_that_is_forgotten_runs_no_more(error: str) -> None:
    assert Executions(StepFunctions(error, fails=True), MACHINE).is_running("arn") is False


def test_of_one_that_nobody_could_ask_after_nothing_is_known() -> None:
    executions = Executions(StepFunctions("ThrottlingException", fails=True), MACHINE)
    with pytest.raises(ClientError, match="ThrottlingException"):
        executions.is_running("arn")
    with pytest.raises(ClientError, match="ThrottlingException"):
        executions.start("one", {})


def test_an_execution_is_started_by_the_same_words_whoever_does_so() -> None:
    client = StepFunctions("RUNNING")
    executions = Executions(client, MACHINE)
    assert executions.start("one", {"table": "planes", "mode": "replay"}) is True
    assert client.asked == [
        {"stateMachineArn": MACHINE, "name": "one", "input": '{"mode": "replay", "table": "planes"}'}
    ]
    assert Executions(StepFunctions("ExecutionAlreadyExists", fails=True), MACHINE).start("one", {}) is False
