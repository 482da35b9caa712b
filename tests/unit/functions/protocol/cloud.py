"""The shared world of the protocol's proof: ledger, documents, executions, and what the lake has published."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from tests.unit.functions.protocol import fake_dynamodb

Answer = Any
Call = tuple[str, str, Mapping[str, Any]]


@dataclass(frozen=True)
class Body:
    """The body of a document."""

    content: bytes

    def read(self) -> bytes:
        return self.content


@dataclass(frozen=True)
class Cloud:
    """Items by key, documents by key, executions by name, and (batch, token, landings) in order of publishing."""

    items: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    documents: Mapping[str, bytes] = field(default_factory=dict)
    executions: Mapping[str, str] = field(default_factory=dict)
    published: tuple[tuple[str, int, tuple[str, ...]], ...] = ()

    def identity(self) -> tuple[Any, ...]:
        return (
            frozenset((key, _text(item)) for key, item in self.items.items()),
            frozenset(self.documents.items()),
            frozenset(self.executions.items()),
            self.published,
        )

    def ended(self, execution: str, status: str) -> Cloud:
        return replace(self, executions={**self.executions, execution: status})


_texts: dict[int, tuple[Any, str]] = {}


def _text(item: Any) -> str:
    """Return an item as text; items are shared and never changed, so each is written once."""
    known = _texts.get(id(item))
    if known is None or known[0] is not item:
        known = _texts[id(item)] = (item, json.dumps(item, sort_keys=True))
    return known[1]


def perform(cloud: Cloud, call: Call) -> tuple[Cloud, Answer]:
    """Return the cloud after a call, and the answer; an error is an answer too."""
    service, method, request = call
    try:
        if service == "dynamodb":
            items, answer = fake_dynamodb.apply(dict(cloud.items), method, request)
            return (cloud if method in READS else replace(cloud, items=items)), answer
        return _SERVICES[service, method](cloud, request)
    except ClientError as error:
        return cloud, error


READS = ("get_item", "query", "batch_get_item", "get_object", "describe_execution")


def _put_object(cloud: Cloud, request: Mapping[str, Any]) -> tuple[Cloud, Answer]:
    if request.get("IfNoneMatch") == "*" and request["Key"] in cloud.documents:
        raise _refusal("PreconditionFailed")
    return replace(cloud, documents={**cloud.documents, request["Key"]: request["Body"]}), {}


def _get_object(cloud: Cloud, request: Mapping[str, Any]) -> tuple[Cloud, Answer]:
    if request["Key"] not in cloud.documents:
        raise _refusal("NoSuchKey")
    return cloud, {"Body": Body(cloud.documents[request["Key"]])}


def _start_execution(cloud: Cloud, request: Mapping[str, Any]) -> tuple[Cloud, Answer]:
    name = request["name"]
    if cloud.executions.get(name, "RUNNING") != "RUNNING":
        raise _refusal("ExecutionAlreadyExists")
    return cloud.ended(name, "RUNNING"), {}


def _describe_execution(cloud: Cloud, request: Mapping[str, Any]) -> tuple[Cloud, Answer]:
    return cloud, {"status": cloud.executions[request["executionArn"].rpartition(":")[2]]}


def _end_execution(cloud: Cloud, request: Mapping[str, Any]) -> tuple[Cloud, Answer]:
    return cloud.ended(request["name"], request["status"]), {}


def _publish(cloud: Cloud, request: Mapping[str, Any]) -> tuple[Cloud, Answer]:
    """Publish as the staging job does: once for each batch, refused when a later token has published."""
    if any(batch == request["batch_id"] for batch, _, _ in cloud.published):
        return cloud, "published"
    if any(token > request["token"] for _, token, _ in cloud.published):
        return cloud, "StaleLeaseError"
    mine = (request["batch_id"], request["token"], tuple(request["landings"]))
    return replace(cloud, published=(*cloud.published, mine)), "published"


def _refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, code)


_SERVICES: Mapping[tuple[str, str], Callable[[Cloud, Mapping[str, Any]], tuple[Cloud, Answer]]] = {
    ("s3", "put_object"): _put_object,
    ("s3", "get_object"): _get_object,
    ("stepfunctions", "start_execution"): _start_execution,
    ("stepfunctions", "describe_execution"): _describe_execution,
    ("stepfunctions", "end_execution"): _end_execution,
    ("job", "publish"): _publish,
}
