"""Lambda receive_files: what the queue says has landed goes to the ledger, and its tables are set to work."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import lru_cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.receive_files.arrivals import read_message
from functions.receive_files.receiving import ensure_running, write_all_down
from functions.shared.environment import Environment
from functions.shared.world import World, the_world

logger = Logger()
tracer = Tracer()
_world = lru_cache(maxsize=4)(the_world)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Handle a batch of queue messages; those that fail are named, and only they come again."""
    world = _world(Environment.read())
    answer, counts = receive(event["Records"], world)
    _count(counts, world.environment)
    return answer


def receive(records: list[dict[str, Any]], world: World) -> tuple[dict[str, Any], Counter[str]]:
    """Write down what each message says, then start what each table needs; return the failures and the counts."""
    counts: Counter[str] = Counter()
    waiting: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def one(record: SQSRecord) -> None:
        found, tables = write_all_down(
            world, read_message(record.body, world.environment.raw_bucket, world.plan.expects)
        )
        counts.update(found)
        for table in tables:
            waiting[table].append(record.raw_event)

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    with processor(records=records, handler=one):
        processor.process()
    failed = {str(item["itemIdentifier"]) for item in processor.response()["batchItemFailures"]}
    for table, messages in sorted(waiting.items()):
        try:
            name = ensure_running(world, table)
        except Exception:
            logger.exception("no execution was started; its messages will come again", table=table)
            failed |= {message["messageId"] for message in messages}
            continue
        logger.info("work is under way", table=table, started=name or None)
    return {"batchItemFailures": [{"itemIdentifier": name} for name in sorted(failed)]}, counts


def _count(counts: Counter[str], environment: Environment) -> None:
    metrics = Metrics()
    metrics.set_default_dimensions(pipeline=environment.pipeline, environment=environment.environment)
    for name in ("Landings", "UnroutedObjects", "IgnoredObjects", "DuplicateEvents"):
        metrics.add_metric(name, MetricUnit.Count, counts[name])
    metrics.flush_metrics()
