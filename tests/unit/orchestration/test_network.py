"""What an ordered fault does to one call: done or not, told or not, and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from moto import mock_aws

from orchestration.embedded.network import Fault, KilledError, Network, acting

ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    with network.attached(), mock_aws():
        yield network


@pytest.fixture
def queue(network: Network) -> tuple[Any, str]:
    sqs = boto3.client("sqs", config=ONCE)
    return sqs, sqs.create_queue(QueueName="queue")["QueueUrl"]


def sent(queue: tuple[Any, str]) -> int:
    """Return how many messages the queue holds."""
    found = queue[0].get_queue_attributes(QueueUrl=queue[1], AttributeNames=["ApproximateNumberOfMessages"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


@pytest.mark.parametrize(
    ("fault", "error", "messages"),
    [
        (Fault.KILLED, KilledError, 0),
        (Fault.KILLED_AFTER, KilledError, 1),
        (Fault.THROTTLED, ClientError, 0),
        (Fault.UNSENT, ConnectTimeoutError, 0),
        (Fault.UNANSWERED, ReadTimeoutError, 1),
    ],
)
def test_a_call_that_goes_wrong(
    network: Network, queue: tuple[Any, str], fault: Fault, error: type[BaseException], messages: int
) -> None:
    network.order("function", fault)
    with acting("function"), pytest.raises(error):
        queue[0].send_message(QueueUrl=queue[1], MessageBody="a")
    assert sent(queue) == messages
    assert network.happened == [("function", "SendMessage", fault)]


def test_a_call_that_comes_twice(network: Network, queue: tuple[Any, str]) -> None:
    network.order("", Fault.TWICE)
    queue[0].send_message(QueueUrl=queue[1], MessageBody="a")
    assert sent(queue) == 2


def test_an_object_that_comes_twice_is_whole(network: Network) -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="twice")
    network.order("", Fault.TWICE, operation="PutObject")
    s3.put_object(Bucket="twice", Key="a.json", Body=b"{}")
    assert [operation for _, operation, _ in network.happened] == ["PutObject"]
    assert s3.get_object(Bucket="twice", Key="a.json")["Body"].read() == b"{}"


def test_others_and_other_operations_are_left_alone(network: Network, queue: tuple[Any, str]) -> None:
    network.order("function", Fault.KILLED, nth=2, operation="SendMessage")
    queue[0].send_message(QueueUrl=queue[1], MessageBody="a")
    with acting("function"):
        queue[0].send_message(QueueUrl=queue[1], MessageBody="a")
        assert sent(queue) == 2
        with pytest.raises(KilledError):
            queue[0].send_message(QueueUrl=queue[1], MessageBody="a")
        queue[0].send_message(QueueUrl=queue[1], MessageBody="a")
    assert (sent(queue), network.forget()) == (3, 0)


def test_boto3_tries_a_throttled_call_again(network: Network) -> None:
    dynamodb = boto3.client("dynamodb", config=Config(retries={"mode": "standard", "total_max_attempts": 2}))
    network.order("", Fault.THROTTLED)
    assert dynamodb.list_tables()["TableNames"] == []
    assert [operation for _, operation in network.calls] == ["ListTables", "ListTables"]
