"""Lambda close_batch: the last step of each batch of an execution."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.close_batch.closing import Closed, Closing, close_batch
from functions.close_batch.counts import counts
from functions.shared.environment import Environment
from functions.shared.world import World, the_world

logger = Logger()
tracer = Tracer()
_world = lru_cache(maxsize=4)(the_world)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Close a batch: `execution`, `table`, `batch_id`, `token`, `stage_error`, `marts_error`, `runs`."""
    world = _world(Environment.read())
    closed = handle(event, world)
    if closed.first:
        _count(closed, world.environment, event["table"])
    return closed.answer


def handle(event: Mapping[str, Any], world: World) -> Closed:
    """Close the batch that the event names."""
    logger.set_correlation_id(event["batch_id"])
    closing = Closing(
        table=event["table"],
        batch_id=event["batch_id"],
        token=int(event["token"]),
        execution=event["execution"]["id"],
        started=event["execution"].get("started", ""),
        stage_error=event.get("stage_error"),
        marts_error=event.get("marts_error"),
        runs=event.get("runs") or {},
        errors_before=tuple(event.get("errors", ())),
        iteration=int(event.get("iteration", 0)),
        request=event.get("input") or {},
    )
    closed = close_batch(world, closing)
    logger.info("batch closed", more=closed.answer["more"], **closed.answer["summary"])
    return closed


def _count(closed: Closed, environment: Environment, table: str) -> None:
    metrics = Metrics()
    metrics.set_default_dimensions(pipeline=environment.pipeline, environment=environment.environment)
    metrics.add_dimension("table", table)
    for name, value in counts(closed).items():
        metrics.add_metric(name, MetricUnit.Count, value)
    metrics.flush_metrics()
