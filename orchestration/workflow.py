"""The state machine table_pipeline, what it may do, and the rule that tells when it was cut off."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from orchestration.functions import Functions
from orchestration.grants import allow
from orchestration.machines import allow_jobs, build_machine, tell_ended_executions
from orchestration.settings import Settings

DEFINITION = Path("state_machines", "table_pipeline.asl.json")


def state_machine_arn(stack: Stack, settings: Settings) -> str:
    """Return the machine's ARN by its name, for the Lambdas that the machine itself calls."""
    return stack.format_arn(
        service="states",
        resource="stateMachine",
        resource_name=settings.state_machine_name,
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


def execution_arns(stack: Stack, settings: Settings) -> str:
    """Return the pattern of the ARNs of the machine's executions."""
    return stack.format_arn(
        service="states",
        resource="execution",
        resource_name=f"{settings.state_machine_name}:*",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


class Workflow(Construct):
    """table_pipeline: one running execution per table."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        root: Path,
        functions: Functions,
        ledger: dynamodb.Table,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.state_machine = build_machine(
            self,
            "TablePipeline",
            settings=settings,
            name=settings.state_machine_name,
            definition=root / DEFINITION,
            words=self._substitutions(functions, ledger),
        )
        allow_jobs(self.state_machine, [f"{settings.stage_job_prefix}*", f"{settings.mart_job_prefix}*"])
        self._allow_functions(functions)
        allow(self.state_machine.role, ("dynamodb:GetItem", "dynamodb:UpdateItem"), [ledger.table_arn])
        self._allow_successors()
        told = "An execution failed, was aborted or timed out; who has been told is not told again"
        tell_ended_executions(self, self.state_machine, functions.notify_failure, told)

    def _substitutions(self, functions: Functions, ledger: dynamodb.Table) -> Mapping[str, str]:
        """Fill the definition's placeholders."""
        return {
            "OpenBatchFunction": functions.open_batch.function_arn,
            "CloseBatchFunction": functions.close_batch.function_arn,
            "NotifyFailureFunction": functions.notify_failure.function_arn,
            "LedgerTable": ledger.table_name,
            "RetrySeconds": str(self._settings.retry_seconds),
        }

    def _allow_functions(self, functions: Functions) -> None:
        called = (functions.open_batch, functions.close_batch, functions.notify_failure)
        allow(self.state_machine.role, ("lambda:InvokeFunction",), [f.function_arn for f in called])

    def _allow_successors(self) -> None:
        """An execution whose history runs full hands over to a new one."""
        arn = state_machine_arn(Stack.of(self), self._settings)
        allow(self.state_machine.role, ("states:StartExecution",), [arn])
