"""What a message says has landed: objects to write down, objects to leave alone, or a sweep."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools.utilities.data_classes import S3Event
from aws_lambda_powertools.utilities.data_classes.s3_event import S3EventRecord

from functions.shared.arriving import is_noise
from functions.shared.landings import Landing, landing_id, normal_time

SWEEP = "sweep"


@dataclass(frozen=True)
class Message:
    """What one message holds: landings in its order, how many objects to ignore, whether it asks for a sweep."""

    landings: tuple[Landing, ...] = ()
    ignored: int = 0
    sweep: bool = False


def read_message(body: str, bucket: str, is_expected: Callable[[str], bool] = lambda _: False) -> Message:
    """Read a queue message; ValueError where it is neither S3's nor ours.

    Objects of other buckets than `bucket` are ignored: any bucket of the account might send its events here.
    `is_expected` tells the keys that look like noise and that a contract waits for all the same.
    """
    event = json.loads(body)
    if not isinstance(event, dict):
        raise ValueError("the message is no JSON object")
    if event.get("landfall") == SWEEP:
        return Message(sweep=True)
    if event.get("Event") == "s3:TestEvent":
        return Message(ignored=1)
    if "Records" not in event:
        raise ValueError("the message is no S3 event: it has no Records")
    return _read_records(event, bucket, is_expected)


def _read_records(event: Mapping[str, Any], bucket: str, is_expected: Callable[[str], bool]) -> Message:
    landings = tuple(one for one in _landings(event, is_expected) if one.bucket == bucket)
    return Message(landings, ignored=len(event["Records"]) - len(landings))


def _landings(event: Mapping[str, Any], is_expected: Callable[[str], bool]) -> Iterator[Landing]:
    for record in S3Event(dict(event)).records:
        key = unquote_plus(record.s3.get_object.key)
        if record.event_name.startswith("ObjectCreated:") and (is_expected(key) or not is_noise(key)):
            yield _landing(record, key)


def _landing(record: S3EventRecord, key: str) -> Landing:
    """Build a landing; where a bucket has no versions, the sequencer tells one put from the next."""
    thing = record.s3.get_object
    return Landing(
        id=landing_id(key, thing.version_id or f"null-{thing.get('sequencer')}"),
        bucket=record.s3.bucket.name,
        key=key,
        version_id=thing.version_id or "null",
        sequencer=thing.get("sequencer") or "0",
        event_time=normal_time(record.event_time),
        etag=thing.etag,
        size=int(thing.get("size") or 0),
    )
