"""The sweep: every quarter of an hour somebody looks for landings that wait and that nobody works on."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

SWEEP_MESSAGE = {"landfall": "sweep"}
SWEEP_MINUTES = 15


class Sweep(Construct):
    """A rule that puts the sweep's message into the landing queue, where receive_files finds it."""

    def __init__(self, scope: Construct, construct_id: str, *, queue: sqs.Queue) -> None:
        super().__init__(scope, construct_id)
        self.rule = events.Rule(
            self,
            "Rule",
            description="Start tables whose landings wait: after an execution that died, or for another attempt",
            schedule=events.Schedule.rate(Duration.minutes(SWEEP_MINUTES)),
            targets=[targets.SqsQueue(queue, message=events.RuleTargetInput.from_object(SWEEP_MESSAGE))],
        )
