"""Lambda notify_failure: one message for each execution that failed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.notify_failure.message import attributes, body, subject
from functions.notify_failure.reading import read_event
from functions.shared.environment import Environment

logger = Logger()
tracer = Tracer()


@lru_cache(maxsize=1)
def _sns() -> Any:
    return boto3.client("sns")


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Tell the topic about an execution that failed, or that EventBridge says was cut off."""
    return notify(event, Environment.read(), _sns())


def notify(event: Mapping[str, Any], environment: Environment, sns: Any) -> dict[str, Any]:
    """Publish the message; return its subject."""
    report = read_event(event, environment)
    logger.set_correlation_id(report.execution.rpartition(":")[2])
    told = subject(report)
    sns.publish(
        TopicArn=environment.topic_arn, Subject=told, Message=body(report), MessageAttributes=attributes(report)
    )
    logger.info("told", subject=told, kind=report.kind, table=report.table)
    return {"subject": told}
