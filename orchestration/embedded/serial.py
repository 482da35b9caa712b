"""One request at a time to DynamoDB, SQS and SNS: threads share moto's backends, which lock nothing."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from moto.dynamodb.responses import DynamoHandler
from moto.sns.responses import SNSResponse
from moto.sqs.responses import SQSResponse

lock = threading.RLock()


@contextmanager
def attached() -> Iterator[None]:
    """Let each request be one step, as it is in AWS."""
    with ExitStack() as stack:
        for responses in (DynamoHandler, SNSResponse, SQSResponse):
            stack.enter_context(mock.patch.object(responses, "call_action", _alone(responses.call_action)))
        yield


def _alone(call_action: Any) -> Any:
    @functools.wraps(call_action)
    def alone(self: Any) -> Any:
        with lock:
            return call_action(self)

    return alone
