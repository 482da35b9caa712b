"""A ledger, buckets and a state machine in moto, a small plan, and events as AWS sends them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from contracts.model import Column, Mart, Plan, Source, Table
from functions.close_batch.closing import Closed, Closing, close_batch
from functions.open_batch.handler import handle
from functions.open_batch.opening import open_batch
from functions.open_batch.request import read_request
from functions.receive_files.handler import receive
from functions.shared.attributes import from_item
from functions.shared.batches import BatchFiles
from functions.shared.environment import Environment
from functions.shared.executions import Executions
from functions.shared.lease import Caller
from functions.shared.ledger import Ledger
from functions.shared.objects import RawFiles
from functions.shared.world import World
from tests.clients import client

EVENTS = Path(__file__).parent / "events"
ARTIFACTS = "artifacts"
ROLE = "arn:aws:iam::123456789012:role/machine"
NOW = "2013-01-05T00:00:00.000000Z"
FIRST_TOKEN = 1357344000  # NOW in seconds
LIMIT = "planes: max_deleted: 4 of 9 living keys would be deleted, the limit is 20%; nothing was published."
COLUMNS = (Column("tailnum", "string", required=True), Column("seats", "int"))


def small_plan() -> Plan:
    """Return three tables, and marts in three waves on one of them."""
    tables = [
        Table("planes", "snapshot", Source(prefix="crm/planes/"), COLUMNS, key=("tailnum",)),
        Table("flights", "append", Source(prefix="ops/flights/"), COLUMNS),
        Table("weather", "upsert", Source(prefix="ops/"), COLUMNS, key=("tailnum",), on_failed_file="hold"),
    ]
    marts = [
        Mart("dim_planes", "scd2", "planes", reads=("planes",)),
        Mart("latest_planes", "latest", "planes", reads=("planes",)),
        Mart("fct_flights", "fact", "flights", reads=("flights", "dim_planes")),
        Mart("daily", "sql", "fct_flights", reads=("fct_flights",)),
    ]
    return Plan("nycflights", {t.name: t for t in tables}, {m.name: m for m in marts})


def recorded(name: str) -> Any:
    """Return a recorded event."""
    return json.loads((EVENTS / f"{name}.json").read_text())


@dataclass
class Pipeline:
    """The four Lambdas' work on one small pipeline, as tests drive it."""

    world: World
    step_functions: Any
    s3: Any
    messages: int = 0
    closed: list[Closed] = field(default_factory=list)

    def land(self, key: str, version: str = "v1", *, at: str = "2013-01-02T05:00:00.000Z", **thing: Any) -> Any:
        """Deliver the event of an object; return (failures, counts)."""
        return self.deliver(s3_event(key, version, at=at, **thing))

    def deliver(self, *bodies: Mapping[str, Any]) -> Any:
        """Deliver messages in one batch."""
        records = []
        for body in bodies:
            self.messages += 1
            record = recorded("sqs_record")
            records.append(record | {"messageId": f"m{self.messages}", "body": json.dumps(body)})
        answer, counts = receive(records, self.world)
        return [item["itemIdentifier"] for item in answer["batchItemFailures"]], dict(counts)

    def executions(self) -> list[str]:
        """Return the names of the executions that run, oldest first."""
        arn = self.world.executions.state_machine_arn
        found = self.step_functions.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]
        return [one["name"] for one in sorted(found, key=lambda one: (one["startDate"], one["name"]))]

    def start(self, name: str, request: Mapping[str, Any] | None = None) -> Caller:
        """Start an execution by hand and return it as the caller of its first batch."""
        arn = self.world.executions.state_machine_arn
        self.step_functions.start_execution(stateMachineArn=arn, name=name, input=json.dumps(request or {}))
        return self.caller(name)

    def caller(self, name: str, iteration: int = 0) -> Caller:
        return Caller(self.world.executions.arn(name), name, iteration)

    def stop(self, name: str) -> None:
        self.step_functions.stop_execution(executionArn=self.world.executions.arn(name))

    def open(self, caller: Caller, **request: Any) -> dict[str, Any]:
        asked = read_request({"table": "planes"} | request, self.world.plan)
        return open_batch(self.world, asked, caller)

    def close(self, batch: Mapping[str, Any], caller: Caller, **errors: Any) -> dict[str, Any]:
        closing = Closing(batch["table"], batch["batch_id"], batch["token"], caller.id, **errors)
        self.closed.append(close_batch(self.world, closing))
        return self.closed[-1].answer

    def manifest(self, batch: Mapping[str, Any]) -> Any:
        return self.world.files.read(batch["table"], batch["batch_id"], "manifest")

    def write(self, batch: Mapping[str, Any], name: str, value: Any) -> None:
        """Write a result as a job does."""
        key = f"batches/{batch['table']}/{batch['batch_id']}/{name}.json"
        self.s3.put_object(Bucket=ARTIFACTS, Key=key, Body=json.dumps(value).encode())

    def stage(self, batch: Mapping[str, Any], **changes: Any) -> None:
        """Write the result of a staging job that published, and of all marts."""
        self.write(batch, "stage", published(batch["batch_id"]) | changes)
        for mart in [mart for wave in batch["waves"] for mart in wave]:
            self.write(batch, f"mart-{mart['mart']}", {"status": "published", "rows": {"total": 1}, "error": None})

    def items(self, prefix: str, pk: str = "TABLE#planes") -> list[dict[str, Any]]:
        """Return the ledger's items of a partition by the beginning of their sort keys."""
        found = self.world.ledger.client.scan(TableName="ledger")["Items"]
        plain = [from_item(item) for item in found]
        mine = [item for item in plain if item["pk"] == pk and item["sk"].startswith(prefix)]
        return sorted(mine, key=lambda item: item["sk"])

    def states(self, table: str = "planes") -> dict[str, str]:
        """Return `<key> <version>` -> state."""
        return {f"{one['key']} {one['version_id']}": one["state"] for one in self.items("LANDING#", f"TABLE#{table}")}

    def with_table(self, name: str, **changes: Any) -> None:
        """Change a table's contract."""
        plan = self.world.plan
        tables = {**plan.tables, name: replace(plan.tables[name], **changes)}
        self.world = replace(self.world, plan=replace(plan, tables=tables))


def opened(pipeline: Pipeline, *keys: str, table: str = "planes") -> tuple[dict[str, Any], Caller]:
    """Land files, one a day, and open their batch."""
    events = [s3_event(key, at=f"2013-01-0{number + 1}T05:00:00.000Z") for number, key in enumerate(keys)]
    pipeline.deliver(*events)
    caller = pipeline.caller(pipeline.executions()[-1])
    return pipeline.open(caller, table=table), caller


def staged(pipeline: Pipeline, *keys: str, table: str = "planes") -> str:
    """Land and stage files in one batch; return its id."""
    for number, key in enumerate(keys):
        pipeline.land(key, at=f"2013-01-0{number + 1}T05:00:00.000Z")
    name = pipeline.executions()[-1]
    batch = pipeline.open(pipeline.caller(name), table=table)
    pipeline.stage(batch)
    assert pipeline.close(batch, pipeline.caller(name))["more"] is False
    for running in pipeline.executions():
        pipeline.stop(running)
    return str(batch["batch_id"])


def stopped(pipeline: Pipeline) -> dict[str, Any]:
    """Land a file whose batch a limit stops."""
    pipeline.land("crm/planes/a.csv")
    name = pipeline.executions()[-1]
    batch = pipeline.open(pipeline.caller(name))
    pipeline.write(batch, "stage", failed(batch["batch_id"], "LimitExceededError", LIMIT))
    answer = pipeline.close(batch, pipeline.caller(name), stage_error=task_failed(f"LimitExceededError: {LIMIT}"))
    pipeline.stop(name)
    return answer


def dry_run(pipeline: Pipeline, **request: Any) -> dict[str, Any]:
    """Ask for a plan; assert that nothing was touched."""
    before = pipeline.items("")
    execution = {"id": pipeline.world.executions.arn("dry"), "name": "dry"}
    event = {"execution": execution, "iteration": 0, "input": {"table": "planes", "mode": "dry_run"} | request}
    answer = handle(event, pipeline.world)
    assert answer["action"] == "dry_run"
    assert pipeline.items("") == before
    plan: dict[str, Any] = answer["plan"]
    return plan


def published(batch_id: str) -> dict[str, Any]:
    """Return what spark_jobs/staging.py writes about a batch that it published."""
    books = dict.fromkeys(("updated", "unchanged", "duplicate", "rejected", "deleting", "deleted"), 0)
    return {
        "batch_id": batch_id,
        "status": "published",
        "snapshot_id": 1,
        "books": {"read": 2, "inserted": 2} | books,
        "superseded_landings": [],
        "quarantined_landings": [],
        "failed_landings": [],
        "error": None,
    }


def failed(batch_id: str, error: str, message: str, **blamed: tuple[str, str | None]) -> dict[str, Any]:
    """Return what spark_jobs/staging.py writes about a batch that failed; `blamed` is id -> (reason, column)."""
    landings = [{"id": id_, "key": "", "reason": reason, "column": column} for id_, (reason, column) in blamed.items()]
    return published(batch_id) | {
        "status": "failed",
        "snapshot_id": None,
        "books": None,
        "failed_landings": landings,
        "error": {"type": error, "message": message},
    }


def task_failed(message: str, state: str = "FAILED") -> dict[str, str]:
    """Return what Step Functions catches of a Glue job that failed."""
    return {"Error": "States.TaskFailed", "Cause": json.dumps({"JobRunState": state, "ErrorMessage": message})}


def s3_event(
    key: str,
    version: str = "v1",
    *,
    at: str = "2013-01-02T05:00:00.000Z",
    etag: str = "",
    sequencer: str = "",
    size: int = 100,
) -> dict[str, Any]:
    """Return S3's event of an object that landed, from the recorded one; the key is encoded as S3 does."""
    event = recorded("s3_put")
    [record] = event["Records"]
    record["eventTime"] = at
    thing = record["s3"]["object"]
    thing |= {"key": key, "versionId": version, "size": size}
    thing |= {"eTag": etag or f"etag-{version}", "sequencer": sequencer or f"00{version.removeprefix('v'):0<2}"}
    return event


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with mock_aws():
        yield build_pipeline()


def build_pipeline() -> Pipeline:
    """Make what the template makes, as far as the Lambdas use it."""
    dynamodb, s3, machine = (client(name) for name in ("dynamodb", "s3", "stepfunctions"))
    dynamodb.create_table(
        TableName="ledger",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    )
    for bucket in (ARTIFACTS, "raw"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="raw", VersioningConfiguration={"Status": "Enabled"})
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    arn = machine.create_state_machine(name="machine", definition=definition, roleArn=ROLE)["stateMachineArn"]
    world = World(
        environment(arn),
        small_plan(),
        Ledger(dynamodb, "ledger", sleep=lambda _: None, now=lambda: NOW),
        BatchFiles(s3, ARTIFACTS),
        Executions(machine, arn),
        RawFiles(s3, "raw"),
    )
    return Pipeline(world, machine, s3)


def environment(machine: str, **changes: str) -> Environment:
    return Environment.read(
        {
            "LEDGER_TABLE": "ledger",
            "ARTIFACTS_BUCKET": ARTIFACTS,
            "RAW_BUCKET": "raw",
            "STATE_MACHINE_ARN": machine,
            "PLAN_FILE": "plan.json",
            "PIPELINE": "nycflights",
            "ENVIRONMENT": "dev",
            "STAGE_JOB_PREFIX": "nycflights-dev-stage-",
            "MART_JOB_PREFIX": "nycflights-dev-mart-",
            "MAX_LANDINGS_PER_BATCH": "1000",
            "MAX_BYTES_PER_BATCH": "1000000",
            "MAX_ATTEMPTS": "3",
        }
        | changes
    )


Land = Callable[..., Any]
