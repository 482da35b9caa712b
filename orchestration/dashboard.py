"""The dashboards: alarms first, then what landed, what ran, and the books of every table."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from orchestration.groups import groups
from orchestration.metrics import BOOKS, FIVE_MINUTES, RECEIVE_METRICS, Metrics, executions
from orchestration.settings import Settings
from orchestration.workflow import Workflow

_FULL, _HALF, _THIRD = 24, 12, 8
_MOST = 100  # CloudWatch shows so many alarms in a widget, 500 metrics in a graph and 2500 in a dashboard


class Dashboard(Construct):
    """One dashboard per pipeline and environment; the books of every further hundred tables have another."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        metrics: Metrics,
        alarms: Sequence[cloudwatch.Alarm],
        queue: sqs.Queue,
        dead_letters: sqs.Queue,
        workflow: Workflow,
    ) -> None:
        super().__init__(scope, construct_id)
        self._metrics = metrics
        name = f"landfall-{settings.stem}"
        first, *others = groups(metrics.tables, _MOST)
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=name)
        for some in groups(alarms, _MOST):
            dashboard.add_widgets(cloudwatch.AlarmStatusWidget(alarms=list(some), title="Alarms", width=_FULL))
        dashboard.add_widgets(self._landings(), self._queue(queue, dead_letters))
        dashboard.add_widgets(self._executions(workflow), self._costs())
        dashboard.add_widgets(*(self._books(table) for table in first))
        for number, tables in enumerate(others, start=2):
            more = cloudwatch.Dashboard(self, f"Books{number}", dashboard_name=f"{name}-books-{number}")
            more.add_widgets(*(self._books(table) for table in tables))

    def _landings(self) -> cloudwatch.IWidget:
        return self._graph("Landings", [self._metrics.received(name) for name in RECEIVE_METRICS])

    def _queue(self, queue: sqs.Queue, dead_letters: sqs.Queue) -> cloudwatch.IWidget:
        waiting = queue.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, label="waiting")
        dead = dead_letters.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, label="dead")
        age = queue.metric_approximate_age_of_oldest_message(period=FIVE_MINUTES, label="oldest, seconds")
        return cloudwatch.GraphWidget(title="Queue", width=_HALF, left=[waiting, dead], right=[age])

    def _executions(self, workflow: Workflow) -> cloudwatch.IWidget:
        return self._graph("Executions by outcome", list(executions(workflow.state_machine).values()))

    def _costs(self) -> cloudwatch.IWidget:
        return self._graph("Glue jobs by table, DPU-seconds an hour", [self._metrics.costs()])

    def _books(self, table: str) -> cloudwatch.IWidget:
        rows = [self._metrics.closed(name, table) for name in BOOKS]
        labelled = [
            metric.with_(label=name.removeprefix("Rows").lower()) for metric, name in zip(rows, BOOKS, strict=True)
        ]
        return cloudwatch.GraphWidget(title=f"Books of {table}", width=_THIRD, left=labelled, stacked=False)

    @staticmethod
    def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.IWidget:
        return cloudwatch.GraphWidget(title=title, width=_HALF, left=list(metrics))
