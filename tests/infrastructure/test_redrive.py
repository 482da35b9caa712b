"""An execution that was cut off before any of its states goes on from there, and from there once more, harmlessly.

The Lambdas' real code on a ledger in moto. What a redrive does is simulated: the definition is cut before a state, its
variables are written down there, and another one begins at that state with them, under the same execution's name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from functions.close_batch import handler as closing
from functions.notify_failure import handler as notifying
from functions.open_batch import handler as opening
from functions.shared.executions import Executions
from orchestration.embedded.stepfunctions import World, executing
from tests.infrastructure.machine import ROLE, Cloud, LambdaError, Outcome, _wait
from tests.infrastructure.test_table_pipeline_run import ASL, SUBSTITUTIONS
from tests.unit.functions.conftest import FIRST_TOKEN, Pipeline, build_pipeline, failed, published

DEFINITION = json.loads(ASL.read_text())
AT_FIRST = ("request", "iteration", "failures", "summaries", "errors_that_stay")
OPENED = (*AT_FIRST, "batch", "recovered", "stage_tries", "stage_runs", "mart_runs", "stage_error", "marts_error")
CLOSED = (*OPENED, "more", "hand_over")
GOOD = {
    "Read the request": (),
    "Open the batch": AT_FIRST,
    "What is due?": OPENED,
    "Stage the table": OPENED,
    "Build the marts": OPENED,
    "Close the batch": OPENED,
    "Did more land meanwhile?": CLOSED,
    "Did everything succeed?": CLOSED,
    "Report the batches": CLOSED,
}
BAD = {
    "Stage the table": OPENED,
    "Is staging again worth it?": OPENED,
    "Close the batch": OPENED,
    "Did more land meanwhile?": CLOSED,
    "Did everything succeed?": CLOSED,
    "Notify the failure": CLOSED,
    "End as failed": CLOSED,
}
WORKS = {"Open the batch", "Stage the table", "Build the marts", "Close the batch", "Notify the failure"}
VIOLATION = "planes: file crm/planes/a.csv: column seats: 'many' is no int"


def begun_from(states: Mapping[str, object]) -> list[Any]:
    """Return states to begin from; between those that do work, `make law` alone begins."""
    return [state if state in WORKS else pytest.param(state, marks=pytest.mark.long) for state in states]


@dataclass(frozen=True)
class OneExecution(Executions):
    """Every start of the machine in the test is the same execution, cut off and gone on with."""

    def is_running(self, arn: str) -> bool:
        return arn == self.arn("cut")


@dataclass
class Real(Cloud):
    """Answers with the Lambdas' code and with jobs that publish, or that refuse the batch's file."""

    pipeline: Pipeline = field(default_factory=build_pipeline)
    refuses: bool = False
    sns: list[Mapping[str, Any]] = field(default_factory=list)

    def invoke(self, name: str, payload: Any) -> dict[str, Any]:
        world = self.pipeline.world
        payload = payload | {"execution": {"id": world.executions.arn("cut"), "name": "cut"}}
        try:
            if name == "open":
                answer: Any = opening.handle(payload, world)
            elif name == "close":
                answer = closing.handle(payload, world).answer
            else:
                answer = notifying.handle(payload, world.environment, world.ledger, self)
        except Exception as error:
            self.functions = {name: [LambdaError(type(error).__name__, str(error))]}
            return super().invoke(name, payload)
        return {"Payload": json.loads(json.dumps(answer, default=sorted)), "StatusCode": 200}

    def publish(self, **message: Any) -> None:
        self.sns.append(message)

    def start_job_run(self, **request: Any) -> dict[str, str]:
        run = super().start_job_run(**request)
        bucket, _, key = request["Arguments"]["--result"].removeprefix("s3://").partition("/")
        batch_id = request["Arguments"]["--batch_id"]
        result: dict[str, Any] = {"status": "published", "rows": {"total": 1}, "error": None}
        if "--manifest" in request["Arguments"]:
            result = published(batch_id)
            if self.refuses:
                [landing] = self.pipeline.manifest({"table": "planes", "batch_id": batch_id})["landings"]
                blamed = {landing["id"]: ("'many' is no int", "seats")}
                result = failed(batch_id, "ContractViolationError", VIOLATION, **blamed)
                self.jobs[request["JobName"]] = [f"ContractViolationError: {VIOLATION}"]
        self.pipeline.s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(result).encode())
        return run


@dataclass
class Console:
    """Starts the definition, whole, cut before a state, or from a state with variables."""

    cloud: Real
    starts: int = 0

    def cut_before(self, state: str, variables: tuple[str, ...]) -> dict[str, Any]:
        """Run to a state; return its variables."""
        output: Any = {name: f"{{% ${name} %}}" for name in variables} or {"none": True}
        states = DEFINITION["States"] | {state: {"Type": "Succeed", "Output": output}}
        outcome = self.run(DEFINITION | {"States": states})
        assert (outcome.status, outcome.states[-1]) == ("SUCCEEDED", state)
        return {name: outcome.output[name] for name in variables}

    def go_on(self, state: str, variables: Mapping[str, Any]) -> Outcome:
        begin = {"Type": "Pass", "Assign": dict(variables), "Next": state}
        states = {"Begin": begin if variables else {"Type": "Pass", "Next": state}} | DEFINITION["States"]
        return self.run(DEFINITION | {"StartAt": "Begin", "States": states})

    def run(self, definition: Mapping[str, Any]) -> Outcome:
        self.starts += 1
        text = json.dumps(definition)
        for name, value in SUBSTITUTIONS.items():
            text = text.replace(f"${{{name}}}", value)
        client = boto3.client("stepfunctions")
        name = f"m{self.starts}"
        arn = client.create_state_machine(name=name, definition=text, roleArn=ROLE)["stateMachineArn"]
        execution = client.start_execution(stateMachineArn=arn, name="run", input=json.dumps({"table": "planes"}))
        return _wait(client, execution["executionArn"])


@pytest.fixture
def console() -> Iterator[Console]:
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        cloud = Real()
        world = cloud.pipeline.world
        executions = OneExecution(world.executions.client, world.executions.state_machine_arn)
        cloud.pipeline.world = replace(world, executions=executions)

        def client(service: str) -> Any:
            return cloud if service == "glue" else boto3.client(service)

        with executing(World(invoke=cloud.invoke, client=client, sleep=cloud.waits.append, rest=lambda: None)):
            cloud.pipeline.land("crm/planes/a.csv")
            yield Console(cloud)


def lease(console: Console) -> dict[str, Any]:
    [found] = console.cloud.pipeline.items("LEASE")
    return found


@pytest.mark.parametrize("state", begun_from(GOOD))
def test_a_good_execution_goes_on_from_any_state_and_once_more_from_there(console: Console, state: str) -> None:
    variables = console.cut_before(state, GOOD[state])
    for _ in range(2):
        outcome = console.go_on(state, variables)
        assert (outcome.status, outcome.error) == ("SUCCEEDED", None)
        assert console.cloud.pipeline.states() == {"crm/planes/a.csv v1": "staged"}
        assert {"holder", "due_marts", "failing", "orphans"}.isdisjoint(lease(console))
    assert lease(console)["token"] == FIRST_TOKEN
    assert console.cloud.sns == []
    [batch] = console.cloud.pipeline.items("BATCH#")
    assert (batch["state"], batch["batch_id"]) == ("published", "cut-0")


@pytest.mark.parametrize("state", begun_from(BAD))
def test_a_failed_execution_goes_on_from_any_state_and_tells_once(console: Console, state: str) -> None:
    console.cloud.refuses = True
    variables = console.cut_before(state, BAD[state])
    for _ in range(2):
        outcome = console.go_on(state, variables)
        assert (outcome.status, outcome.error) == ("FAILED", "ContractViolationError")
        assert outcome.cause == VIOLATION
        assert console.cloud.pipeline.states() == {"crm/planes/a.csv v1": "failed"}
        assert "holder" not in lease(console)
    assert [message["Subject"] for message in console.cloud.sns] == [
        "[nycflights-dev] planes: a file breaks its contract"
    ]


def test_every_state_of_the_machine_is_begun_from_but_those_of_recovery_and_hand_over() -> None:
    rest = {
        "Show the plan",
        "Wait before staging again",
        "Hand over to a new execution",
        "Tell that the table recovered",
    }
    assert DEFINITION["States"].keys() == GOOD.keys() | BAD.keys() | rest
