"""Maintenance: the job that keeps tables small, the machine that runs it, and its schedule."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import Duration
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from contracts.model import Capacity, Plan
from orchestration.grants import allow
from orchestration.jobs import Jobs
from orchestration.machines import allow_jobs, build_machine, tell_ended_executions
from orchestration.settings import Settings
from orchestration.storage import MAINTENANCE_PREFIX, Storage

DEFINITION = Path("state_machines", "maintain_lake.asl.json")
SCRIPT = Path("spark_jobs", "maintain.py")
ORPHAN_DAYS = 3  # longer than any job may run: no file of a batch that works is taken for nobody's
CAPACITY = Capacity(worker_type="G.1X", workers=10, timeout_minutes=12 * 60)  # scaled down where there is little to do
_RUNS = 1
_LATE_HOURS = 6


class Maintenance(Construct):
    """What keeps tables fast and cheap while files land."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        plan: Plan,
        storage: Storage,
        notify_failure: lambda_.Function,
        jobs: Jobs,
        root: Path,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self._script = s3_assets.Asset(self, "Script", path=str(root / SCRIPT))
        self.role = jobs.roles.build_maintenance(storage)
        jobs.roles.read_code(self.role, jobs.code.plan.bucket)
        self.job = self._build_job(jobs)
        placeholders = {
            "MaintainJob": settings.maintain_job_name,
            "Names": ",".join(sorted({*plan.tables, *plan.marts})),
            "NotifyFailureFunction": notify_failure.function_arn,
            "ResultsFolder": storage.artifacts.s3_url_for_object(MAINTENANCE_PREFIX),
            "RetrySeconds": str(settings.retry_seconds),
        }
        self.state_machine = build_machine(
            self,
            "MaintainLake",
            settings=settings,
            name=settings.maintain_machine_name,
            definition=root / DEFINITION,
            words=placeholders,
        )
        self._allow_machine(notify_failure)
        self.schedule = self._build_schedule() if settings.maintenance_schedule else None
        told = "A maintenance failed, was aborted or timed out"
        tell_ended_executions(self, self.state_machine, notify_failure, told)

    def _build_job(self, jobs: Jobs) -> glue.CfnJob:
        stack = jobs.build_stack(self, "Jobs", f"Landfall {self._settings.stem}: the job that maintains tables")
        return jobs.build_job(
            stack,
            "Maintain",
            name=self._settings.maintain_job_name,
            description="Compacts tables, expires snapshots, removes files of nobody",
            role=self.role.role_arn,
            script=self._script,
            capacity=CAPACITY,
            runs=_RUNS,
            arguments={
                "--names": "all",
                "--keep_days": str(self._settings.snapshot_days),
                "--orphan_days": str(ORPHAN_DAYS),
            },
        )

    def _allow_machine(self, notify_failure: lambda_.Function) -> None:
        """Run the one job, and tell failures."""
        allow_jobs(self.state_machine, [self._settings.maintain_job_name])
        allow(self.state_machine.role, ("lambda:InvokeFunction",), [notify_failure.function_arn])

    def _build_schedule(self) -> scheduler.CfnSchedule:
        """Start the machine some time in the hour: which minute it is does not matter, that not all are one does."""
        role = iam.Role(self, "ScheduleRole", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"))
        self.state_machine.grant_start_execution(role)
        return scheduler.CfnSchedule(
            self,
            "Schedule",
            description=f"Maintains the tables of {self._settings.stem}",
            schedule_expression=self._settings.maintenance_schedule,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(
                mode="FLEXIBLE", maximum_window_in_minutes=60
            ),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.state_machine.state_machine_arn,
                role_arn=role.role_arn,
                input="{}",
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=int(Duration.hours(_LATE_HOURS).to_seconds()),
                    maximum_retry_attempts=10,
                ),
            ),
        )
