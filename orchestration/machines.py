"""What all state machines have in common: their logs, their tracing, and no data in the definition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from orchestration.acknowledgments import acknowledge
from orchestration.grants import allow
from orchestration.settings import Settings


def build_machine(
    scope: Construct, construct_id: str, *, settings: Settings, name: str, definition: Path, words: Mapping[str, str]
) -> sfn.StateMachine:
    """Return a Standard state machine; `words` fill the placeholders of its ASL file.

    Vended logs have a prefix of their own, so that the account's log policy does not run full.
    """
    log_group = logs.LogGroup(
        scope,
        "Logs",
        log_group_name=f"/aws/vendedlogs/states/{name}",
        retention=settings.log_retention,
        removal_policy=RemovalPolicy.DESTROY,
    )
    machine = sfn.StateMachine(
        scope,
        construct_id,
        state_machine_name=name,
        state_machine_type=sfn.StateMachineType.STANDARD,
        definition_body=sfn.DefinitionBody.from_string(definition.read_text(encoding="utf-8")),
        definition_substitutions=words,
        tracing_enabled=True,
        logs=sfn.LogOptions(destination=log_group, level=sfn.LogLevel.ALL, include_execution_data=True),
    )
    acknowledge(machine.role, "IAM5[Resource::*]", "X-Ray and log delivery have no resources to name.")
    return machine


def allow_jobs(machine: sfn.StateMachine, names: Sequence[str]) -> None:
    """Let a machine run, watch and stop Glue jobs, by name or pattern: CDK reads no grants from a definition."""
    stack = Stack.of(machine)
    allow(
        machine.role,
        ("glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"),
        [stack.format_arn(service="glue", resource="job", resource_name=name) for name in names],
        "Jobs come with contracts; the pipeline's prefix is the border.",
    )


def tell_ended_executions(
    scope: Construct, machine: sfn.StateMachine, notify_failure: lambda_.Function, description: str
) -> None:
    """Let notify_failure hear of an execution that was cut off, or whose own definition failed: it cannot tell so."""
    events.Rule(
        scope,
        "CutOff",
        description=description,
        event_pattern=events.EventPattern(
            source=["aws.states"],
            detail_type=["Step Functions Execution Status Change"],
            detail={"stateMachineArn": [machine.state_machine_arn], "status": ["FAILED", "ABORTED", "TIMED_OUT"]},
        ),
        targets=[targets.LambdaFunction(notify_failure)],
    )
