"""The stack of one pipeline in one environment: it only composes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, DefaultStackSynthesizer, NestedStack, Stack, Tags
from constructs import Construct

from contracts.model import Plan
from orchestration.crawlers import Crawlers
from orchestration.dashboard import Dashboard
from orchestration.extraction import Extraction
from orchestration.functions import Functions, Source
from orchestration.ingestion import Ingestion
from orchestration.jobs import Jobs
from orchestration.ledger import Ledger
from orchestration.maintenance import Maintenance
from orchestration.metrics import Metrics
from orchestration.monitoring import Alarms
from orchestration.notifications import Notifications
from orchestration.settings import Settings
from orchestration.storage import Storage
from orchestration.sweep import Sweep
from orchestration.views import Views
from orchestration.workflow import Workflow, execution_arns, state_machine_arn


class PipelineStack(Stack):
    """Everything between a file that lands and a mart that is right."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        plan: Plan,
        root: Path,
        build: Path,
        **options: Any,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description=f"Landfall pipeline {settings.stem}",
            synthesizer=DefaultStackSynthesizer(bucket_prefix=settings.code_prefix),
            **options,
        )
        self.storage = Storage(self, "Storage", settings)
        self.ledger = Ledger(self, "Ledger", settings)
        self.notifications = Notifications(self, "Notifications", settings)
        self.functions = self._build_functions(settings, Source(root, plan.to_json(), build))
        self.ingestion = Ingestion(
            self,
            "Ingestion",
            settings=settings,
            raw=self.storage.raw,
            receive_files=self.functions.receive_files,
        )
        self.sweep = Sweep(self, "Sweep", queue=self.ingestion.queue)
        self.jobs = Jobs(self, "Jobs", settings=settings, plan=plan, storage=self.storage, root=root, build=build)
        self.crawlers = self._build_crawlers(settings, plan) if plan.crawls else None
        self.workflow = self._build_workflow(settings, root)
        self.extraction = self._build_extraction(settings, plan, root) if plan.extracts else None
        self.maintenance = self._build_maintenance(settings, plan, root)
        self.views = Views(self, "Views", settings=settings, plan=plan, storage=self.storage, jobs=self.jobs)
        self._build_monitoring(settings, plan)
        self._build_outputs()
        for name, value in {"landfall:pipeline": settings.pipeline, "landfall:env": settings.env}.items():
            Tags.of(self).add(name, value)

    def _build_functions(self, settings: Settings, source: Source) -> Functions:
        return Functions(
            self,
            "Functions",
            settings=settings,
            source=source,
            ledger=self.ledger.table,
            raw=self.storage.raw,
            artifacts=self.storage.artifacts,
            topic=self.notifications.topic,
            state_machine_arn=state_machine_arn(self, settings),
            execution_arns=execution_arns(self, settings),
        )

    def _build_crawlers(self, settings: Settings, plan: Plan) -> Crawlers:
        return Crawlers(self, "Crawlers", settings=settings, plan=plan, storage=self.storage, jobs=self.jobs)

    def _build_workflow(self, settings: Settings, root: Path) -> Workflow:
        return Workflow(
            self,
            "Workflow",
            settings=settings,
            root=root,
            functions=self.functions,
            ledger=self.ledger.table,
        )

    def _build_extraction(self, settings: Settings, plan: Plan, root: Path) -> Extraction:
        return Extraction(
            self,
            "Extraction",
            settings=settings,
            plan=plan,
            storage=self.storage,
            ledger=self.ledger.table,
            notify_failure=self.functions.notify_failure,
            jobs=self.jobs,
            root=root,
        )

    def _build_maintenance(self, settings: Settings, plan: Plan, root: Path) -> Maintenance:
        return Maintenance(
            self,
            "Maintenance",
            settings=settings,
            plan=plan,
            storage=self.storage,
            notify_failure=self.functions.notify_failure,
            jobs=self.jobs,
            root=root,
        )

    def _build_monitoring(self, settings: Settings, plan: Plan) -> None:
        """Alarms and dashboards have a stack of their own, as all has of which every table brings more."""
        stack = NestedStack(self, "Monitoring", description=f"Landfall {settings.stem}: alarms and dashboards")
        metrics = Metrics(settings, plan)
        alarms = Alarms(
            stack,
            "Alarms",
            settings=settings,
            plan=plan,
            metrics=metrics,
            topic=self.notifications.topic,
            queue=self.ingestion.queue,
            dead_letters=self.ingestion.dead_letters,
            functions=self.functions.all,
            workflow=self.workflow,
        )
        Dashboard(
            stack,
            "Dashboard",
            settings=settings,
            metrics=metrics,
            alarms=alarms.all,
            queue=self.ingestion.queue,
            dead_letters=self.ingestion.dead_letters,
            workflow=self.workflow,
        )

    def _build_outputs(self) -> None:
        outputs = {
            "RawBucketName": self.storage.raw.bucket_name,
            "StagingBucketName": self.storage.staging.bucket_name,
            "MartBucketName": self.storage.mart.bucket_name,
            "ArtifactsBucketName": self.storage.artifacts.bucket_name,
            "LandingQueueUrl": self.ingestion.queue.queue_url,
            "DeadLetterQueueUrl": self.ingestion.dead_letters.queue_url,
            "LedgerTableName": self.ledger.table.table_name,
            "StateMachineArn": self.workflow.state_machine.state_machine_arn,
            "MaintainMachineArn": self.maintenance.state_machine.state_machine_arn,
            "TopicArn": self.notifications.topic.topic_arn,
            "WorkgroupName": self.views.workgroup.name,
            "MartReadersPolicyArn": self.views.readers.managed_policy_arn,
        }
        # Stacks of views import it: without them it stays, or CloudFormation would refuse to take it from them.
        self.export_value(self.views.readers.managed_policy_arn)
        if self.extraction:
            outputs["ExtractMachineArn"] = self.extraction.state_machine.state_machine_arn
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
