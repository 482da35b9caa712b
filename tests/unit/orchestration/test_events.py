"""Events of the laptop's S3: one that a saved state counts as told is in its queue."""

from __future__ import annotations

import threading
from typing import Any

import boto3
from moto import mock_aws

from orchestration.embedded import serial
from orchestration.embedded.events import Events


def test_who_saves_while_an_event_is_told_finds_it_delivered() -> None:
    saved: list[tuple[str, int]] = []

    def save() -> None:
        with serial.lock:
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            saved.append((events.last_sequencer, int(found["Attributes"]["ApproximateNumberOfMessages"]) - tests))

    def note(_event: Any) -> None:
        saving.start()
        saving.join(0.2)

    saving = threading.Thread(target=save)
    events = Events(note)
    with mock_aws(), events.attached():
        sqs, s3 = boto3.client("sqs"), boto3.client("s3")
        url = sqs.create_queue(QueueName="landings")["QueueUrl"]
        s3.create_bucket(Bucket="raw", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        target = {"QueueArn": "arn:aws:sqs:eu-west-1:123456789012:landings", "Events": ["s3:ObjectCreated:*"]}
        s3.put_bucket_notification_configuration(
            Bucket="raw", NotificationConfiguration={"QueueConfigurations": [target]}
        )
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        tests = int(found["Attributes"]["ApproximateNumberOfMessages"])  # S3's own test event
        s3.put_object(Bucket="raw", Key="a.csv", Body=b"a")
        saving.join()
    assert saved == [(events.last_sequencer, 1)]
