"""S3's notifications: an object's event in the shape that S3 sends, to the queues that the bucket names."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from urllib.parse import quote_plus
from uuid import uuid4

from moto.s3 import notifications
from moto.sqs.models import sqs_backends

from orchestration.embedded.serial import lock

_PUT = "s3:ObjectCreated:Put"
_SEQUENCER_DIGITS = 18
_OWNER = "AIDALANDFALLONALAPTOP"

Record = dict[str, Any]


class Events:
    """Sends events to queues and tells `note` of each, before it is sent."""

    def __init__(self, note: Callable[[Record], None], last_sequencer: str = "") -> None:
        self._note = note
        self._last = int(last_sequencer or "0", 16)
        self._times: dict[str, datetime] = {}

    @property
    def last_sequencer(self) -> str:
        return _hexadecimal(self._last)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Let moto's buckets send their events here."""
        with mock.patch.object(notifications, "send_event", self._send):
            yield

    @contextmanager
    def happening_at(self, when: datetime | None, key: str) -> Iterator[None]:
        """Let the event of an object that is put meanwhile bear this time; large ones are put by other threads."""
        if when is not None:
            self._times[key] = when
        try:
            yield
        finally:
            self._times.pop(key, None)

    def _send(self, _account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
        name = str(event_name.value)
        is_part_of_upload = name == _PUT and "-" in key.etag
        if bucket.notification_configuration is None or is_part_of_upload:  # a finished upload has one event of its own
            return
        for target in bucket.notification_configuration.queue:
            if target.matches(event_name, key.name):
                with lock:  # who saves finds an event told and delivered, or neither
                    record = self._record(name, bucket, key, target.id)
                    self._note({"queue": target.arn, "record": record})
                    deliver(target.arn, record)

    def _record(self, name: str, bucket: Any, key: Any, configuration: str) -> Record:
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)  # S3's begin with the second, too
        self._last = max(self._last + 1, seconds << 32 | nanoseconds)
        when = self._times.get(key.name) or datetime.now(UTC)
        return {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": bucket.region_name,
            "eventTime": when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "eventName": name.removeprefix("s3:"),
            "userIdentity": {"principalId": f"AWS:{_OWNER}"},
            "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "responseElements": {"x-amz-request-id": uuid4().hex[:16].upper(), "x-amz-id-2": uuid4().hex},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": configuration,
                "bucket": {"name": bucket.name, "ownerIdentity": {"principalId": _OWNER}, "arn": bucket.arn},
                "object": {
                    "key": quote_plus(key.name),
                    "size": key.size,
                    "eTag": key.etag.strip('"'),
                    "versionId": key.version_id,
                    "sequencer": self.last_sequencer,
                },
            },
        }


def deliver(queue_arn: str, record: Record) -> None:
    """Send one event to a queue."""
    region, account, queue = queue_arn.split(":")[3:]
    sqs_backends[account][region].send_message(queue_name=queue, message_body=json.dumps({"Records": [record]}))


def _hexadecimal(number: int) -> str:
    return f"{number:0{_SEQUENCER_DIGITS}X}"
