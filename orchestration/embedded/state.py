"""What outlives a command beside the objects: ledger, queues, executions, what the topic was sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.sns.models import sns_backends
from moto.sqs.models import Message, sqs_backends

_BATCH_WRITE_LIMIT = 25
State = Mapping[str, Any]


@dataclass(frozen=True)
class Names:
    """What is saved: the ledger's table, the queues (the one of landings first, then its dead letters), the topic."""

    table: str
    queues: tuple[str, ...]
    topic: str
    account: str
    region: str


def read(path: Path) -> State | None:
    """Return what was saved last, or None in a new lake."""
    if not path.exists():
        return None
    state: State = json.loads(path.read_text(encoding="utf-8"))
    return state


def write(path: Path, state: State) -> None:
    """Save, atomically."""
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
    scratch.replace(path)


def dump(names: Names, dynamodb: Any) -> dict[str, Any]:
    """Return the ledger's items, the queues' messages and the topic's notifications as JSON values."""
    return {
        "items": list(_items(dynamodb, names.table)),
        "messages": messages(names),
        "notifications": [list(one) for one in _topic(names).sent_notifications],
    }


def messages(names: Names) -> dict[str, list[dict[str, Any]]]:
    """Return the messages of each queue."""
    return {queue: [_message(one) for one in _queue(names, queue)._messages] for queue in names.queues}


def restore(names: Names, dynamodb: Any, state: State) -> None:
    """Put back what `dump` returned."""
    items = [{"PutRequest": {"Item": item}} for item in state["items"]]
    for start in range(0, len(items), _BATCH_WRITE_LIMIT):
        dynamodb.batch_write_item(RequestItems={names.table: items[start : start + _BATCH_WRITE_LIMIT]})
    for name in names.queues:
        queue = _queue(names, name)
        queue._messages[:] = [_restored(one) for one in state["messages"].get(name, ())]
    _topic(names).sent_notifications[:] = [tuple(one) for one in state["notifications"]]


def _items(dynamodb: Any, table: str) -> Iterator[Any]:
    for page in dynamodb.get_paginator("scan").paginate(TableName=table):
        yield from page["Items"]


def _queue(names: Names, name: str) -> Any:
    return sqs_backends[names.account][names.region].queues[name]


def _topic(names: Names) -> Any:
    return sns_backends[names.account][names.region].topics[names.topic]


def _message(message: Any) -> dict[str, Any]:
    return {
        "id": message.id,
        "body": message.body,
        "sent": message.sent_timestamp,
        "first_received": message.approximate_first_receive_timestamp,
        "received": message.approximate_receive_count,
    }


def _restored(values: Mapping[str, Any]) -> Any:
    """Return a saved message; one that a killed command had in hand is visible again."""
    message = Message(values["id"], values["body"])
    message.sent_timestamp = values["sent"]
    message.approximate_first_receive_timestamp = values["first_received"]
    message.approximate_receive_count = values["received"]
    return message
