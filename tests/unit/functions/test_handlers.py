"""The four handlers as Lambda calls them: environment variables, the plan beside the code, clients, metrics."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest

from contracts.model import EffectiveAt, Parts
from functions.close_batch import handler as close_batch
from functions.notify_failure import handler as notify_failure
from functions.open_batch import handler as open_batch
from functions.receive_files import handler as receive_files
from tests.unit.functions.conftest import ARTIFACTS, Pipeline, opened, recorded, s3_event, small_plan


class Context:
    """Lambda's context, as far as Powertools reads it."""

    function_name = "function"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    aws_request_id = "52fdfc07-2182-154f-163f-5f0f9a621d72"


@pytest.fixture
def deployed(pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """A pipeline whose handlers find their environment."""
    (tmp_path / "plan.json").write_text(small_plan().to_json())
    topic = boto3.client("sns").create_topic(Name="topic")["TopicArn"]
    variables = {
        "LEDGER_TABLE": "ledger",
        "ARTIFACTS_BUCKET": ARTIFACTS,
        "RAW_BUCKET": "raw",
        "STATE_MACHINE_ARN": pipeline.world.executions.state_machine_arn,
        "PLAN_FILE": "plan.json",
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "PIPELINE": "nycflights",
        "ENVIRONMENT": "dev",
        "STAGE_JOB_PREFIX": "nycflights-dev-stage-",
        "MART_JOB_PREFIX": "nycflights-dev-mart-",
        "MAX_LANDINGS_PER_BATCH": "1000",
        "MAX_BYTES_PER_BATCH": "1000000",
        "MAX_ATTEMPTS": "3",
        "POWERTOOLS_METRICS_NAMESPACE": "Landfall",
        "POWERTOOLS_SERVICE_NAME": "receive_files",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "TOPIC_ARN": topic,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for module in (receive_files, open_batch, close_batch):
        module._world.cache_clear()
    notify_failure._clients.cache_clear()
    return pipeline


def metrics_of(text: str) -> list[dict[str, Any]]:
    """Return the metrics that were printed in CloudWatch's embedded format."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


def test_a_message_goes_through_all_handlers(deployed: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    record = recorded("sqs_record") | {"body": json.dumps(s3_event("crm/planes/a.csv"))}
    assert receive_files.handler({"Records": [record]}, Context()) == {"batchItemFailures": []}
    [received] = metrics_of(capsys.readouterr().out)
    assert received["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Landfall"
    assert {name: received[name] for name in ("pipeline", "environment", "service", "Landings")} == {
        "pipeline": "nycflights",
        "environment": "dev",
        "service": "receive_files",
        "Landings": [1.0],
    }

    [name] = deployed.executions()
    execution = {"id": deployed.world.executions.arn(name), "name": name}
    asked = {"execution": execution, "input": {"table": "planes"}, "iteration": 0}
    batch = open_batch.handler(asked, Context())
    assert batch["action"] == "stage"

    deployed.stage(batch)
    runs = {"stage": [{"seconds": 70}], "marts": {"dim_planes": [{"seconds": 9}]}}
    closing = {"execution": execution, "stage_error": None, "marts_error": None, "failed": False, "runs": runs}
    closing |= {key: batch[key] for key in ("table", "batch_id", "token")}
    capsys.readouterr()
    answer = close_batch.handler(closing, Context())
    assert (answer["more"], answer["failures"]) == (False, [])
    [closed] = metrics_of(capsys.readouterr().out)
    names = ("table", "BatchesPublished", "BooksUnbalanced", "RowsInserted", "DpuSeconds")
    assert {name: closed[name] for name in names} == {
        "table": "planes",
        "DpuSeconds": [260.0],
        "BatchesPublished": [1.0],
        "BooksUnbalanced": [0.0],
        "RowsInserted": [2.0],
    }
    assert close_batch.handler(closing, Context()) == answer
    assert metrics_of(capsys.readouterr().out) == []


def test_of_parts_that_wait_only_those_that_are_new_are_overdue(
    deployed: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    source = replace(deployed.world.plan.tables["planes"].source, parts=Parts(marker="/_SUCCESS$"))
    by_day = EffectiveAt(from_key=r"(?P<date>\d{4}-\d{2}-\d{2})")
    deployed.with_table("planes", load="snapshot", source=source, effective_at=by_day, freshness="1h")
    began = datetime.now(UTC) - timedelta(hours=3)
    times = [(began + timedelta(minutes=minute)).isoformat() for minute in range(4)]
    for name, at in zip(("a.csv", "b.csv", "_SUCCESS"), times, strict=False):
        deployed.land(f"crm/planes/2013-01-01/{name}", at=at)
    caller = deployed.start("first")
    batch = deployed.open(caller)
    deployed.stage(batch)
    deployed.close(batch, caller)

    def overdue(again: str) -> list[float]:
        capsys.readouterr()
        execution = {"id": deployed.start(again).id, "name": again}
        answer = open_batch.handle(
            {"execution": execution, "input": {"table": "planes"}, "iteration": 0}, deployed.world
        )
        assert answer["action"] == "nothing"
        [told] = metrics_of(capsys.readouterr().out)
        count: list[float] = told["OverdueSnapshots"]
        return count

    deployed.land("crm/planes/2013-01-02/a.csv", at=datetime.now(UTC).isoformat())
    with mock.patch.object(open_batch, "is_repeated", side_effect=AssertionError("asks for each part, none is late")):
        assert overdue("none") == [0.0]
    deployed.land("crm/planes/2013-01-01/_SUCCESS", "v2", etag="etag-v1", at=times[3])
    assert overdue("one") == [0.0]
    deployed.land("crm/planes/2013-01-01/a.csv", "v2", etag="other", at=(began + timedelta(minutes=9)).isoformat())
    assert overdue("two") == [1.0]


def test_later_batches_build_those_marts_that_were_asked_for_and_are_still_there(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.land("crm/planes/b.csv")
    pipeline.stage(batch)
    asked = {"table": "planes", "mode": "replay", "prefix": "crm/", "marts": ["daily", "dim_planes"]}
    plan = pipeline.world.plan
    marts = {name: mart for name, mart in plan.marts.items() if name != "daily"}
    pipeline.world = replace(pipeline.world, plan=replace(plan, marts=marts))
    assert pipeline.close(batch, caller, request=asked)["more"] is True
    event = {"execution": {"id": caller.id, "name": caller.name}, "input": asked, "iteration": 1}
    answer = open_batch.handle(event, pipeline.world)
    assert [one["key"] for one in pipeline.manifest(answer)["landings"]] == ["crm/planes/b.csv"]
    assert [[mart["mart"] for mart in wave] for wave in answer["waves"]] == [["dim_planes"]]


def test_a_failure_is_published_to_the_topic(deployed: Pipeline) -> None:
    queue = boto3.client("sqs").create_queue(QueueName="inbox")["QueueUrl"]
    arn = boto3.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    topic = boto3.client("sns").list_topics()["Topics"][0]["TopicArn"]
    boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    notify_failure.handler(recorded("execution_aborted"), Context())
    [message] = boto3.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    told = json.loads(message["Body"])
    assert told["Subject"] == "[nycflights-dev] planes: aborted: ExecutionAbortedError"
    assert told["MessageAttributes"]["kind"]["Value"] == "aborted"
    assert 'RERUN    {"table": "planes"}' in told["Message"]
