"""Lambda notify_failure: one message for each execution that failed, one when its table is well again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.notify_failure.reading import read_event
from functions.notify_failure.telling import tell
from functions.shared.environment import Environment
from functions.shared.ledger import Ledger

logger = Logger()
tracer = Tracer()


@lru_cache(maxsize=1)
def _clients() -> tuple[Any, Any]:
    return boto3.client("dynamodb"), boto3.client("sns")


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], _context: LambdaContext) -> Mapping[str, Any]:
    """Tell the topic about an execution that failed or recovered, or that EventBridge says has ended badly."""
    environment = Environment.read()
    dynamodb, sns = _clients()
    return handle(event, environment, Ledger(dynamodb, environment.ledger_table), sns)


def handle(event: Mapping[str, Any], environment: Environment, ledger: Ledger, sns: Any) -> Mapping[str, Any]:
    """Tell what the event reports, once for each execution."""
    report = read_event(event, environment)
    logger.set_correlation_id(report.execution.rpartition(":")[2])
    told = tell(report, ledger, sns, environment.topic_arn)
    logger.info("execution told", kind=report.kind, table=report.table, told=told["told"])
    return told
