"""Extraction: connections to databases, the jobs that read them, the machine that runs one, and its schedules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Acknowledgment, Duration, Stack, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from contracts.deployment_rules import resource_words
from contracts.model import Connection, Plan
from orchestration.extraction_roles import ExtractionRoles
from orchestration.grants import allow
from orchestration.job_stack import come_after
from orchestration.jobs import Jobs
from orchestration.machines import allow_jobs, build_machine, tell_ended_executions
from orchestration.settings import Settings
from orchestration.storage import Storage

DEFINITION = Path("state_machines", "extract_source.asl.json")
SCRIPT = Path("spark_jobs", "extract.py")
_RUNS = 1  # one extraction of a table at a time: the watermark has one writer
_LATE_HOURS = 6


class Extraction(Construct):
    """Everything between a database and a landing in the raw bucket."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        plan: Plan,
        storage: Storage,
        ledger: dynamodb.Table,
        notify_failure: lambda_.Function,
        jobs: Jobs,
        root: Path,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._plan, self._storage = settings, plan, storage
        self._script = s3_assets.Asset(self, "Script", path=str(root / SCRIPT))
        self.connections = self._build_connections()
        self.roles = ExtractionRoles(
            self, "Roles", settings=settings, plan=plan, storage=storage, ledger=ledger, jobs=jobs
        )
        self._stack = jobs.build_stack(self, "Jobs", f"Landfall {settings.stem}: extractions and their schedules")
        come_after(self._stack, self.connections.values())
        for table in sorted(plan.extracts):
            self._build_job(table, jobs, ledger)
        placeholders = {
            "ExtractedTables": ",".join(sorted(plan.extracts)),
            "ExtractJobPrefix": settings.extract_job_prefix,
            "LedgerTable": ledger.table_name,
            "NotifyFailureFunction": notify_failure.function_arn,
            "RetrySeconds": str(settings.retry_seconds),
        }
        self.state_machine = build_machine(
            self,
            "ExtractSource",
            settings=settings,
            name=settings.extract_machine_name,
            definition=root / DEFINITION,
            words=placeholders,
        )
        self._allow_machine(ledger, notify_failure)
        self._schedule()
        told = "An extraction failed, was aborted or timed out"
        tell_ended_executions(self, self.state_machine, notify_failure, told)

    def _build_connections(self) -> Mapping[str, glue.CfnConnection]:
        """Build a Glue connection for each database that lies in a network of its own."""
        return {
            name: self._build_connection(connection)
            for name, connection in self._plan.connections.items()
            if connection.subnet_id
        }

    def _build_connection(self, connection: Connection) -> glue.CfnConnection:
        """Build what leads a job into the network; address and credentials the job reads by itself."""
        built = glue.CfnConnection(
            self,
            f"Connection{resource_words(connection.name)}",
            catalog_id=Stack.of(self).account,
            connection_input=glue.CfnConnection.ConnectionInputProperty(
                name=connection_name(self._settings, connection.name),
                description=connection.description or f"Landfall {self._settings.stem}: {connection.name}",
                connection_type="NETWORK",
                physical_connection_requirements=glue.CfnConnection.PhysicalConnectionRequirementsProperty(
                    availability_zone=connection.availability_zone,
                    security_group_id_list=list(connection.security_groups),
                    subnet_id=connection.subnet_id,
                ),
            ),
        )
        reason = "The zone is the subnet's own; Glue asks for both."
        Validations.of(built).acknowledge(Acknowledgment(id="CloudFormation-Validate::W3010", reason=reason))
        built.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3010"]}})
        return built

    def _build_job(self, table: str, jobs: Jobs, ledger: dynamodb.Table) -> glue.CfnJob:
        contract = self._plan.tables[table]
        name = self._plan.extracts[table].connection
        connection = self._plan.connections[name]
        jar = {"--extra-jars": connection.driver_jar} if connection.driver_jar else {}
        return jobs.build_job(
            self._stack,
            f"Extract{resource_words(table)}",
            name=f"{self._settings.extract_job_prefix}{table}",
            description=f"Extracts {table} from {name}",
            role=self.roles.of(name).role_arn,
            script=self._script,
            capacity=contract.capacity,
            runs=_RUNS,
            arguments={
                "--table": table,
                "--raw_bucket": self._storage.raw.bucket_name,
                "--staging_bucket": self._storage.staging.bucket_name,
                "--ledger": ledger.table_name,
                **jar,
            },
            connections=[connection_name(self._settings, name)] if name in self.connections else [],
        )

    def _allow_machine(self, ledger: dynamodb.Table, notify_failure: lambda_.Function) -> None:
        """Run the extract jobs, read what came of them, and tell failures."""
        role = self.state_machine.role
        allow_jobs(self.state_machine, [f"{self._settings.extract_job_prefix}*"])
        allow(role, ("dynamodb:GetItem",), [ledger.table_arn])
        allow(role, ("lambda:InvokeFunction",), [notify_failure.function_arn])

    def _schedule(self) -> None:
        """Start the machine when a contract says so; an extraction that comes hours late is left to the next."""
        role = iam.Role(self, "ScheduleRole", assumed_by=iam.ServicePrincipal("events.amazonaws.com"))
        self.state_machine.grant_start_execution(role)
        for table, extract in sorted(self._plan.extracts.items()):
            if extract.schedule:
                events.Rule(
                    self._stack,
                    f"Schedule{resource_words(table)}",
                    description=f"Extracts {table} from {extract.connection}",
                    schedule=events.Schedule.expression(extract.schedule),
                    targets=[
                        targets.SfnStateMachine(
                            self.state_machine,
                            input=events.RuleTargetInput.from_object({"table": table}),
                            role=role,
                            max_event_age=Duration.hours(_LATE_HOURS),
                        )
                    ],
                )


def connection_name(settings: Settings, name: str) -> str:
    """Return the name of a Glue connection, e.g. `nycflights-dev-oracle_ops`."""
    return f"{settings.stem}-{name}"
