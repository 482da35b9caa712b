"""Alarms: what nobody would otherwise be told."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from contracts.deployment_rules import resource_words
from contracts.model import Plan
from orchestration.freshness import watch
from orchestration.groups import groups
from orchestration.metrics import FIVE_MINUTES, Metrics, executions
from orchestration.settings import Settings
from orchestration.sweep import SWEEP_MINUTES
from orchestration.workflow import Workflow

_QUEUE_AGE_SECONDS = 15 * 60
_MAX_METRICS_PER_EXPRESSION = 10
_ANSWER_TO_THE_MACHINE = ("OpenBatch", "CloseBatch")
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


class Alarms(Construct):
    """Alarms of a pipeline; those that act mail the topic once when they rise."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        plan: Plan,
        metrics: Metrics,
        topic: sns.Topic,
        queue: sqs.Queue,
        dead_letters: sqs.Queue,
        functions: Sequence[lambda_.Function],
        workflow: Workflow,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._metrics = settings, metrics
        self._tell = actions.SnsAction(topic)
        self.all: list[cloudwatch.Alarm] = []
        self._watch_queues(queue, dead_letters)
        self._watch_arrivals()
        self._watch_functions(functions)
        self._watch_executions(workflow)
        self._watch_tables("BooksUnbalanced", "Rows read are not rows accounted for in one of {}: see audit.batches.")
        self._watch_tables(
            "LandingsQuarantined",
            "A file of one of {} has a key that does not fit from_key: it is not staged and waits in raw for a replay.",
        )
        self._watch_freshness(plan)
        self._watch_parts(plan)

    def _watch_queues(self, queue: sqs.Queue, dead_letters: sqs.Queue) -> None:
        self._alarm(
            "DeadLetters",
            "A message could not be handled and waits in the dead-letter queue. See receive_files' log, "
            "then redrive the queue.",
            dead_letters.metric_approximate_number_of_messages_visible(statistic="Maximum", period=FIVE_MINUTES),
        )
        self._alarm(
            "QueueAge",
            "Landings wait in the queue for more than 15 minutes: receive_files does not keep up or fails.",
            queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=FIVE_MINUTES),
            threshold=_QUEUE_AGE_SECONDS,
        )

    def _watch_arrivals(self) -> None:
        self._alarm(
            "UnroutedObjects",
            "An object landed that no contract claims: it is in the ledger (pk UNROUTED) and stays in raw.",
            self._metrics.received("UnroutedObjects"),
        )

    def _watch_functions(self, functions: Sequence[lambda_.Function]) -> None:
        """A function that is throttled altogether counts no errors, not even none.

        Of those that answer to the state machine, notify_failure tells what the machine did not get done.
        """
        for function in functions:
            self._alarm(
                f"{function.node.id}Errors",
                f"{function.node.id} failed or was throttled; its log says why.",
                cloudwatch.MathExpression(
                    expression="FILL(errors, 0) + FILL(throttles, 0)",
                    using_metrics={
                        "errors": function.metric_errors(period=FIVE_MINUTES),
                        "throttles": function.metric_throttles(period=FIVE_MINUTES),
                    },
                    period=FIVE_MINUTES,
                ),
                tell=function.node.id not in _ANSWER_TO_THE_MACHINE,
            )

    def _watch_executions(self, workflow: Workflow) -> None:
        """These colour the dashboard and mail nobody: notify_failure has told it, once and in words."""
        for outcome, metric in executions(workflow.state_machine).items():
            if outcome != "succeeded":
                name = f"Executions{outcome.title().replace(' ', '')}"
                self._alarm(name, f"An execution {outcome}; notify_failure has sent why.", metric, tell=False)

    def _watch_tables(self, name: str, description: str) -> None:
        """CloudWatch alarms over at most ten metrics at once, so tables are watched ten by ten."""
        for number, group in enumerate(groups(self._metrics.tables, _MAX_METRICS_PER_EXPRESSION)):
            using = {f"t{n}": self._metrics.closed(name, table) for n, table in enumerate(group)}
            self._alarm(
                f"{name}{number}",
                description.format(", ".join(group)),
                cloudwatch.MathExpression(
                    expression=" + ".join(f"FILL({one}, 0)" for one in using),
                    using_metrics=dict(using),
                    period=FIVE_MINUTES,
                ),
            )

    def _watch_freshness(self, plan: Plan) -> None:
        """Where data is missing, CloudWatch looks back further than the window, so silence is told as zeros."""
        for table in plan.tables.values():
            if table.freshness:
                window = watch(table.freshness)
                period = Duration.seconds(window.period_seconds)
                published = self._metrics.closed("BatchesPublished", table.name, period)
                self._alarm(
                    f"Freshness{resource_words(table.name)}",
                    f"{table.name} has had no good batch for {table.freshness}.",
                    cloudwatch.MathExpression(
                        expression="FILL(published, 0)", using_metrics={"published": published}, period=period
                    ),
                    threshold=1,
                    below=True,
                    periods=window.periods,
                )

    def _watch_parts(self, plan: Plan) -> None:
        """The sweep opens a batch of every table that has landings, so the count comes every quarter of an hour."""
        for table in plan.tables.values():
            if table.source.parts and table.freshness:
                self._alarm(
                    f"Overdue{resource_words(table.name)}",
                    f"A snapshot of {table.name} has waited for the rest of its parts for more than "
                    f"{table.freshness}: the output of the table's last execution says for which.",
                    self._metrics.opened("OverdueSnapshots", table.name, Duration.minutes(2 * SWEEP_MINUTES)),
                )

    def _alarm(
        self,
        construct_id: str,
        description: str,
        metric: cloudwatch.IMetric,
        *,
        threshold: float = 0,
        below: bool = False,
        periods: int = 1,
        tell: bool = True,
    ) -> None:
        """Alarm above a threshold; with `below`, under it, and then silence counts as nothing.

        The name stands in the subject of the mail, where CloudFormation's would begin with that of the nested stack.
        """
        compare = cloudwatch.ComparisonOperator
        missing = cloudwatch.TreatMissingData
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            alarm_name=f"landfall-{self._settings.stem}-{_CAPITAL.sub('-', construct_id).lower()}",
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=compare.LESS_THAN_THRESHOLD if below else compare.GREATER_THAN_THRESHOLD,
            treat_missing_data=missing.BREACHING if below else missing.NOT_BREACHING,
        )
        if tell:
            alarm.add_alarm_action(self._tell)
        self.all.append(alarm)
