"""The network between boto3 and the embedded AWS: calls go wrong in it when that is ordered."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any
from unittest import mock

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from moto.core import botocore_stubber
from moto.core.botocore_stubber import BotocoreStubber

_acting = threading.local()
_plain_call = BotocoreStubber.__call__


class Fault(Enum):
    """What becomes of one call."""

    KILLED = "whoever calls is killed before the call is sent"
    KILLED_AFTER = "whoever calls is killed after the call was done"
    THROTTLED = "AWS refuses the call for now"
    UNSENT = "the call times out and was not done"
    UNANSWERED = "the call was done and its answer is lost"
    TWICE = "the call reaches AWS twice"


class KilledError(BaseException):
    """The process that made a call is killed; no code of its own may catch that."""


@dataclass
class _Order:
    actor: str
    fault: Fault
    left: int
    operation: str
    times: int


class Network:
    """Notes who calls what, and lets calls go wrong.

    `calls` are pairs of the actor (a function's word, a job's name, '' for AWS itself and whoever watches) and the
    operation.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.happened: list[tuple[str, str, Fault]] = []
        self._orders: list[_Order] = []
        self._lock = threading.Lock()

    def order(self, actor: str, fault: Fault, nth: int = 1, operation: str = "", times: int = 1) -> None:
        """Let an actor's nth call from now on go wrong, of one operation where it is given, `times` in a row."""
        with self._lock:
            self._orders.append(_Order(actor, fault, nth, operation, times))

    def forget(self) -> int:
        """Drop the orders that no call has met; return their number."""
        with self._lock:
            left, self._orders = len(self._orders), []
        return left

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Let all calls that boto3 makes in this process go through here."""

        def call(stubber: Any, event_name: str, request: Any, **more: Any) -> Any:
            return self._carry(event_name, request, lambda: _plain_call(stubber, event_name, request, **more))

        with mock.patch.object(BotocoreStubber, "__call__", call):
            yield

    def _carry(self, event_name: str, request: Any, send: Callable[[], Any]) -> Any:
        _, service, operation = event_name.split(".")
        fault = self._fault(operation)
        if fault is None:
            return send()
        if fault is Fault.KILLED:
            raise KilledError(operation)
        if fault is Fault.THROTTLED:
            return _throttled(service, request)
        if fault is Fault.UNSENT:
            raise ConnectTimeoutError(endpoint_url=request.url)
        answer = send()
        if fault is Fault.KILLED_AFTER:
            raise KilledError(operation)
        if fault is Fault.UNANSWERED:
            raise ReadTimeoutError(endpoint_url=request.url)
        if hasattr(request.body, "seek"):
            request.body.seek(0)  # the same bytes come again
        send()
        return answer

    def _fault(self, operation: str) -> Fault | None:
        with self._lock:
            actor = actor_now()
            self.calls.append((actor, operation))
            for order in self._orders:
                if order.actor == actor and order.operation in ("", operation):
                    order.left -= 1
                    if order.left <= 0:
                        order.times -= 1
                        if not order.times:
                            self._orders.remove(order)
                        self.happened.append((actor, operation, order.fault))
                        return order.fault
        return None


@contextmanager
def acting(name: str) -> Iterator[None]:
    """Let the calls that this thread makes meanwhile be known as somebody's."""
    before = actor_now()
    _acting.name = name
    try:
        yield
    finally:
        _acting.name = before


def actor_now() -> str:
    name: str = getattr(_acting, "name", "")
    return name


def _throttled(service: str, request: Any) -> AWSResponse:
    """Return the answer by which a service asks to come later."""
    code = {"s3": "SlowDown", "dynamodb": "ProvisionedThroughputExceededException"}.get(service, "ThrottlingException")
    body = json.dumps({"__type": code, "message": "Rate exceeded"})
    if service == "s3":
        body = f"<Error><Code>{code}</Code><Message>Please reduce your request rate.</Message></Error>"
    headers = HTTPHeaders()
    headers["x-amzn-errortype"] = code
    status = 503 if service == "s3" else 400
    return AWSResponse(request.url, status, headers, botocore_stubber.MockRawResponse(body))
