"""The pipeline's metrics: their names as the Lambdas write them, and how CloudWatch finds them."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_stepfunctions as sfn

from contracts.model import Plan
from orchestration.functions import METRICS_NAMESPACE
from orchestration.settings import Settings

RECEIVE_METRICS = ("Landings", "UnroutedObjects", "IgnoredObjects", "DuplicateEvents")
BOOKS = (
    "RowsRead",
    "RowsInserted",
    "RowsUpdated",
    "RowsUnchanged",
    "RowsDuplicate",
    "RowsRejected",
    "RowsDeleting",
    "RowsDeleted",
)
OPEN_METRICS = ("OverdueSnapshots",)
CLOSE_METRICS = (
    "BatchesPublished",
    "BatchesFailed",
    "BooksUnbalanced",
    "LandingsStaged",
    "LandingsQuarantined",
    "MartsFailed",
    "DpuSeconds",
    *BOOKS,
)
FIVE_MINUTES, HOUR = Duration.minutes(5), Duration.hours(1)


class Metrics:
    """Sums of what the Lambdas of one pipeline count, over five minutes where nothing else is said."""

    def __init__(self, settings: Settings, plan: Plan) -> None:
        self._dimensions = {"pipeline": settings.pipeline, "environment": settings.env}
        self.tables = tuple(sorted(plan.tables))

    def received(self, name: str) -> cloudwatch.Metric:
        """Return what receive_files counts."""
        return self._metric(name, {"service": "receive_files"})

    def opened(self, name: str, table: str, period: Duration) -> cloudwatch.Metric:
        """Return what open_batch counts for one table."""
        return self._metric(name, {"service": "open_batch", "table": table}, period)

    def closed(self, name: str, table: str, period: Duration = FIVE_MINUTES) -> cloudwatch.Metric:
        """Return what close_batch counts for one table."""
        return self._metric(name, {"service": "close_batch", "table": table}, period)

    def costs(self) -> cloudwatch.MathExpression:
        """Return what the jobs of each table's batches cost, in DPU-seconds by the hour."""
        facts = {"MetricName": "DpuSeconds", **self._dimensions, "service": "close_batch"}
        schema = ",".join((METRICS_NAMESPACE, *self._dimensions, "service", "table"))
        words = " ".join(f'{name}="{value}"' for name, value in facts.items())
        expression = f"SEARCH('{{{schema}}} {words}', 'Sum', {HOUR.to_seconds():.0f})"
        return cloudwatch.MathExpression(expression=expression, using_metrics={}, label="", period=HOUR)

    def _metric(self, name: str, dimensions: dict[str, str], period: Duration = FIVE_MINUTES) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=METRICS_NAMESPACE,
            metric_name=name,
            dimensions_map={**self._dimensions, **dimensions},
            statistic="Sum",
            period=period,
        )


def executions(machine: sfn.StateMachine) -> dict[str, cloudwatch.Metric]:
    """Return how executions ended, by outcome."""
    return {
        "succeeded": machine.metric_succeeded(statistic="Sum", period=FIVE_MINUTES),
        "failed": machine.metric_failed(statistic="Sum", period=FIVE_MINUTES),
        "timed out": machine.metric_timed_out(statistic="Sum", period=FIVE_MINUTES),
        "aborted": machine.metric_aborted(statistic="Sum", period=FIVE_MINUTES),
    }
