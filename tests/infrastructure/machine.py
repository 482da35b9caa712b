"""Runs a state machine definition in moto, with Lambdas and Glue jobs whose answers a test writes down."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto import mock_aws

from orchestration.embedded.stepfunctions import World, executing
from tests.clients import client

ROLE = "arn:aws:iam::123456789012:role/machine"
LEDGER = "ledger"
Answer = Mapping[str, Any] | Exception


class LambdaError(Exception):
    """A Lambda's exception; `name` is its class."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass
class Cloud:
    """What the world answers, and what it was asked; an answer list's last entry is repeated.

    `billed` are the DPU-seconds that Glue tells of jobs whose workers come and go.
    """

    functions: dict[str, Sequence[Answer]] = field(default_factory=dict)
    jobs: dict[str, Sequence[str | None]] = field(default_factory=dict)
    billed: dict[str, float] = field(default_factory=dict)
    invocations: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    job_runs: list[str] = field(default_factory=list)
    job_arguments: list[Mapping[str, str]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def invoke(self, name: str, payload: Any) -> dict[str, Any]:
        """Answer a Lambda invocation as Step Functions sees it."""
        self.invocations[name].append(payload)
        answers = self.functions[name]
        answer = answers[min(len(self.invocations[name]), len(answers)) - 1]
        if isinstance(answer, LambdaError):
            error = {"errorMessage": str(answer), "errorType": answer.name}
            return {"FunctionError": "Unhandled", "Payload": error, "StatusCode": 200}
        return {"Payload": answer, "StatusCode": 200}

    def start_job_run(self, **request: Any) -> dict[str, str]:
        """Start a job; ClientErrors in its outcomes are raised here."""
        self.job_runs.append(request["JobName"])
        self.job_arguments.append(request.get("Arguments", {}))
        return {"JobRunId": f"jr_{len(self.job_runs)}"}

    def get_job_run(self, JobName: str, RunId: str) -> dict[str, Any]:  # noqa: N803 (boto3's names)
        """Report a run: FAILED with the message that the test wrote, or SUCCEEDED."""
        nth = self.job_runs[: int(RunId.removeprefix("jr_"))].count(JobName)
        outcomes = self.jobs.get(JobName, [None])
        message = outcomes[min(nth, len(outcomes)) - 1]
        run = {"Id": RunId, "JobName": JobName, "Arguments": {"--x": 'a "quoted" word'}, "ExecutionTime": 60 + nth}
        run |= {"DPUSeconds": self.billed[JobName]} if JobName in self.billed else {}
        if message is None:
            return {"JobRun": run | {"JobRunState": "SUCCEEDED"}}
        state = "TIMEOUT" if message == "TIMEOUT" else "FAILED"
        return {"JobRun": run | {"JobRunState": state, "ErrorMessage": message}}


@dataclass(frozen=True)
class Outcome:
    """How an execution ended and which states it entered."""

    status: str
    output: Any
    error: str | None
    cause: str | None
    states: tuple[str, ...]


def _client(cloud: Cloud) -> Callable[[str], Any]:
    return lambda service: cloud if service == "glue" else client(service)


def run_machine(
    definition: str,
    request: Mapping[str, Any],
    cloud: Cloud,
    batch_item: Callable[[], Mapping[str, Any]],
) -> tuple[Outcome, dict[str, Any]]:
    """Run one execution; return how it ended and the batch's item in the ledger afterwards."""
    world = World(invoke=cloud.invoke, client=_client(cloud), sleep=cloud.waits.append, rest=lambda: time.sleep(0.01))
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}), executing(world):
        table = _ledger()
        table.put_item(Item=dict(batch_item()))
        machine = client("stepfunctions")
        arn = machine.create_state_machine(name="m", definition=definition, roleArn=ROLE)["stateMachineArn"]
        execution = machine.start_execution(stateMachineArn=arn, name="run", input=json.dumps(request))["executionArn"]
        outcome = _wait(machine, execution)
        for other in machine.list_executions(stateMachineArn=arn)["executions"]:
            _wait(machine, other["executionArn"])
        keys = {name: batch_item()[name] for name in ("pk", "sk")}
        return outcome, table.get_item(Key=keys)["Item"]


def _ledger() -> Any:
    return boto3.resource("dynamodb").create_table(
        TableName=LEDGER,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
    )


def _wait(machine: Any, execution: str) -> Outcome:
    deadline = time.monotonic() + 60
    while (seen := machine.describe_execution(executionArn=execution))["status"] == "RUNNING":
        assert time.monotonic() < deadline, "the execution does not end"
        time.sleep(0.05)
    events = machine.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    entered = tuple(e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e)
    return Outcome(
        seen["status"],
        json.loads(seen.get("output") or "null"),
        seen.get("error"),
        seen.get("cause"),
        entered,
    )
