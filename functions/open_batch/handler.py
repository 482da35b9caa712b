"""Lambda open_batch: the first step of an execution, and of each of its batches."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.model import Table
from functions.open_batch.opening import open_batch
from functions.open_batch.planning import plan
from functions.open_batch.request import read_later, read_request
from functions.shared.choosing import is_repeated
from functions.shared.environment import Environment
from functions.shared.lease import Caller
from functions.shared.wholes import Whole, overdue
from functions.shared.world import World, the_world

logger = Logger()
tracer = Tracer()
_world = lru_cache(maxsize=4)(the_world)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Open a batch for an execution: `execution` (id, name), `input`, `iteration`."""
    return handle(event, _world(Environment.read()))


def handle(event: dict[str, Any], world: World) -> dict[str, Any]:
    """Check the request, then open; only the first batch obeys all of its words."""
    execution, asked = event["execution"], event["input"]
    caller = Caller(execution["id"], execution["name"], int(event["iteration"]), tuple(event.get("errors", ())))
    logger.set_correlation_id(caller.base)
    if caller.iteration:
        world.check_table(asked["table"])
    request = read_later(asked, world.plan) if caller.iteration else read_request(asked, world.plan)
    if request.mode == "dry_run":
        return {"action": "dry_run", "table": request.table, "plan": plan(world, request, caller.id), "failures": []}
    answer = open_batch(world, request, caller)
    logger.info("batch opened", action=answer["action"], table=request.table, reason=answer.get("reason"))
    table = world.plan.tables[request.table]
    if answer["action"] == "nothing" and table.source.parts and table.freshness:
        _count(world.environment, table.name, len(_late(world, table, datetime.now(UTC))))
    return answer


def _late(world: World, table: Table, now: datetime) -> list[Whole]:
    """Return the snapshots that are overdue but for what is staged already: a marker sent again alone is not.

    Only of what seems late is looked up whether it is: that takes a query for each object.
    """
    ledger = world.ledger
    late = [one for whole in overdue(table, ledger.pending(table.name), now) for one in whole.landings]
    news = [one for one in late if not is_repeated(table, one, ledger.versions(table.name, one.object_id))]
    return overdue(table, news, now)


def _count(environment: Environment, table: str, snapshots: int) -> None:
    metrics = Metrics()
    metrics.set_default_dimensions(pipeline=environment.pipeline, environment=environment.environment)
    metrics.add_dimension("table", table)
    metrics.add_metric("OverdueSnapshots", MetricUnit.Count, snapshots)
    metrics.flush_metrics()
