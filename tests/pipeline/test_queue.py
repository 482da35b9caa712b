"""Events and the queue behave as S3 and Lambda's event source mapping do."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.pipeline.conftest import Shop


def test_an_event_has_the_shape_the_time_and_the_version_that_s3_gives(shop: Shop) -> None:
    raw = shop.cloud.live.outputs["RawBucketName"]
    shop.cloud.land(b"a", "odd/ü b+c.csv", at=datetime(2024, 3, 1, 5, tzinfo=UTC))
    shop.cloud.land(b"bb", "odd/ü b+c.csv", at=datetime(2024, 3, 1, 4, tzinfo=UTC))
    first, second = [
        line["record"]
        for line in shop.cloud.live.objects.journal.lines()
        if line["op"] == "event" and line["record"]["s3"]["object"]["key"].startswith("odd")
    ]
    versions = shop.cloud.client("s3").list_object_versions(Bucket=raw, Prefix="odd/")["Versions"]
    assert {first["s3"]["object"]["versionId"], second["s3"]["object"]["versionId"]} == {
        one["VersionId"] for one in versions
    }
    assert (first["eventTime"], second["eventTime"]) == ("2024-03-01T05:00:00.000Z", "2024-03-01T04:00:00.000Z")
    assert first["s3"]["object"]["key"] == "odd%2F%C3%BC+b%2Bc.csv"
    assert first["s3"]["object"]["sequencer"] < second["s3"]["object"]["sequencer"]
    assert (second["s3"]["object"]["size"], second["s3"]["object"]["eTag"]) == (2, "21ad0bd836b90d08f4cf640b4c298e7c")
    assert (first["eventName"], first["s3"]["bucket"]["name"]) == ("ObjectCreated:Put", raw)
    shop.run()


def test_a_large_file_is_uploaded_in_parts_and_has_one_event(shop: Shop) -> None:
    raw = shop.cloud.live.outputs["RawBucketName"]
    body = bytes(range(256)) * 4 * 10_240
    shop.cloud.land(body, "large/file.bin")
    events = [
        line["record"]["eventName"]
        for line in shop.cloud.live.objects.journal.lines()
        if line["op"] == "event" and line["record"]["s3"]["object"]["key"].startswith("large")
    ]
    assert events == ["ObjectCreated:CompleteMultipartUpload"]
    s3 = shop.cloud.client("s3")
    s3.copy({"Bucket": raw, "Key": "large/file.bin"}, raw, "large/copy.bin")
    assert (shop.lake / raw / "large/copy.bin").read_bytes() == body
    part = s3.get_object(Bucket=raw, Key="large/copy.bin", Range="bytes=300-302")["Body"].read()
    assert part == body[300:303]
    shop.run()


def test_a_message_that_cannot_be_handled_ends_in_the_dead_letter_queue(shop: Shop) -> None:
    live, sqs = shop.cloud.live, shop.cloud.client("sqs")
    sqs.send_message(QueueUrl=live.outputs["LandingQueueUrl"], MessageBody='{"Records": [{"eventSource": "aws:s3"}]}')
    shop.run()
    dead = {"QueueUrl": live.outputs["DeadLetterQueueUrl"], "AttributeNames": ["All"]}
    [message] = sqs.receive_message(**dead)["Messages"]
    assert json.loads(message["Body"]) == {"Records": [{"eventSource": "aws:s3"}]}
    assert int(message["Attributes"]["ApproximateReceiveCount"]) > 5
    sqs.delete_message(QueueUrl=dead["QueueUrl"], ReceiptHandle=message["ReceiptHandle"])
    waiting = sqs.get_queue_attributes(
        QueueUrl=live.outputs["LandingQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert waiting["Attributes"] == {"ApproximateNumberOfMessages": "0"}


def test_a_start_of_the_same_name_is_the_same_execution_while_it_runs_and_refused_after(shop: Shop) -> None:
    machine = shop.cloud.client("stepfunctions")
    asked = {
        "stateMachineArn": shop.cloud.live.outputs["StateMachineArn"],
        "name": "twice",
        "input": '{"table": "orders", "mode": "dry_run"}',
    }
    first, again = machine.start_execution(**asked), machine.start_execution(**asked)
    assert first["executionArn"] == again["executionArn"]
    shop.cloud.live.executions.wait(first["executionArn"])
    with pytest.raises(machine.exceptions.ExecutionAlreadyExists, match="twice"):
        machine.start_execution(**asked)
