"""Lambda's event source mapping: takes messages from the queue, calls the function, and keeps what failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Message = Mapping[str, Any]
_SQS_LIMIT = 10


@dataclass(frozen=True)
class Mapped:
    """One mapping of a queue to a function."""

    queue_url: str
    queue_arn: str
    function: str
    batch_size: int
    reports_failures: bool


def find_mappings(lambda_: Any, sqs: Any) -> list[Mapped]:
    """Return the mappings that were deployed."""
    found = []
    for one in lambda_.list_event_source_mappings()["EventSourceMappings"]:
        name = one["EventSourceArn"].rsplit(":", 1)[-1]
        found.append(
            Mapped(
                queue_url=sqs.get_queue_url(QueueName=name)["QueueUrl"],
                queue_arn=one["EventSourceArn"],
                function=one["FunctionArn"],
                batch_size=one["BatchSize"],
                reports_failures="ReportBatchItemFailures" in one.get("FunctionResponseTypes", ()),
            )
        )
    return found


class Poller:
    """Polls the queues of all mappings.

    A message that failed is visible again at once: nobody on a laptop waits for a visibility timeout.
    """

    def __init__(self, sqs: Any, mappings: Sequence[Mapped], invoke: Callable[[str, Any], Mapping[str, Any]]) -> None:
        self._sqs = sqs
        self._mappings = mappings
        self._invoke = invoke

    def poll(self) -> int:
        """Handle one batch of each mapping; return the number of messages that were received."""
        return sum(self._poll(one) for one in self._mappings)

    def _poll(self, mapped: Mapped) -> int:
        messages = self._receive(mapped)
        if not messages:
            return 0
        answer = self._invoke(mapped.function, {"Records": [_record(one, mapped) for one in messages]})
        failed = _failed(answer, messages, mapped)
        for message in messages:
            handle = {"QueueUrl": mapped.queue_url, "ReceiptHandle": message["ReceiptHandle"]}
            if message["MessageId"] in failed:
                self._sqs.change_message_visibility(**handle, VisibilityTimeout=0)
            else:
                self._sqs.delete_message(**handle)
        return len(messages)

    def _receive(self, mapped: Mapped) -> list[Message]:
        received: list[Message] = []
        while len(received) < mapped.batch_size:
            some = self._sqs.receive_message(
                QueueUrl=mapped.queue_url,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
                MaxNumberOfMessages=min(_SQS_LIMIT, mapped.batch_size - len(received)),
            ).get("Messages", [])
            if not some:
                break
            received += some
        return received


def _record(message: Message, mapped: Mapped) -> dict[str, Any]:
    """Return a message as Lambda hands it to a function."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": message.get("MessageAttributes", {}),
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": mapped.queue_arn,
        "awsRegion": mapped.queue_arn.split(":")[3],
    }


def _failed(answer: Mapping[str, Any], messages: Sequence[Message], mapped: Mapped) -> set[str]:
    """Return the ids of the messages to keep: those the function names, all when it failed or names another."""
    everything = {str(message["MessageId"]) for message in messages}
    if "FunctionError" in answer:
        return everything
    failures = (answer["Payload"] or {}).get("batchItemFailures") or []
    if not mapped.reports_failures:
        return set()
    named = {str(one.get("itemIdentifier") or "") for one in failures}
    return named if named <= everything else everything
