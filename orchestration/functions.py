"""The four Lambdas: built alike, each with a role and a log group of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from orchestration.acknowledgments import acknowledge
from orchestration.assets import PLAN_FILE, function_sources, write_folder
from orchestration.grants import allow
from orchestration.settings import Settings
from orchestration.storage import BATCHES_PREFIX

METRICS_NAMESPACE = "Landfall"
_WRITE_DOWN = ("dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem")
_KEEP_LEDGER = (*_WRITE_DOWN, "dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem")
_MAX_BYTES_PER_BATCH = 50 * 1024**3
_MANY_LANDINGS = 1024  # MiB: a table that is staged anew has all its files in one batch, 100,000 of them take 520


@dataclass(frozen=True)
class Source:
    """Where the Lambdas' code comes from: the repository, the compiled plan, a folder to assemble in."""

    root: Path
    plan_json: str
    build: Path


class Functions(Construct):
    """receive_files, open_batch, close_batch and notify_failure, with the least that each may do."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        source: Source,
        ledger: dynamodb.Table,
        raw: s3.Bucket,
        artifacts: s3.Bucket,
        topic: sns.Topic,
        state_machine_arn: str,
        execution_arns: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._source = settings, source
        self._layer = self._build_layer()
        self._environment = self._build_environment(ledger, artifacts, state_machine_arn)
        self.receive_files = self._build_function("receive_files", timeout=120, memory=256, RAW_BUCKET=raw.bucket_name)
        self.open_batch = self._build_function(
            "open_batch", timeout=300, memory=_MANY_LANDINGS, RAW_BUCKET=raw.bucket_name
        )
        self.close_batch = self._build_function("close_batch", timeout=300, memory=_MANY_LANDINGS)
        self.notify_failure = self._build_function("notify_failure", timeout=60, memory=256, TOPIC_ARN=topic.topic_arn)
        self._grant_ledger(ledger)
        self._grant_batches(artifacts)
        allow(_role(self.open_batch), ("s3:ListBucketVersions",), [raw.bucket_arn])  # to reconcile
        self._grant_executions(state_machine_arn, execution_arns)
        self._grant_topic(topic)

    @property
    def all(self) -> tuple[lambda_.Function, ...]:
        return (self.receive_files, self.open_batch, self.close_batch, self.notify_failure)

    def _build_layer(self) -> lambda_.ILayerVersion:
        arn = ssm.StringParameter.value_for_string_parameter(self, self._settings.powertools_parameter)
        return lambda_.LayerVersion.from_layer_version_arn(self, "Powertools", arn)

    def _build_environment(
        self, ledger: dynamodb.Table, artifacts: s3.Bucket, state_machine_arn: str
    ) -> Mapping[str, str]:
        return {
            "LEDGER_TABLE": ledger.table_name,
            "ARTIFACTS_BUCKET": artifacts.bucket_name,
            "STATE_MACHINE_ARN": state_machine_arn,
            "PLAN_FILE": PLAN_FILE,
            "PIPELINE": self._settings.pipeline,
            "ENVIRONMENT": self._settings.env,
            "STAGE_JOB_PREFIX": self._settings.stage_job_prefix,
            "MART_JOB_PREFIX": self._settings.mart_job_prefix,
            "MAX_LANDINGS_PER_BATCH": "1000",
            "MAX_BYTES_PER_BATCH": str(_MAX_BYTES_PER_BATCH),
            "MAX_ATTEMPTS": "3",
            "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        }

    def _build_function(self, name: str, *, timeout: int, memory: int, **environment: str) -> lambda_.Function:
        """Build one Lambda; timeout in seconds, memory in MiB."""
        words = name.title().replace("_", "")
        log_group = logs.LogGroup(
            self,
            f"{words}Logs",
            retention=self._settings.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        folder = write_folder(
            self._source.root,
            function_sources(self._source.root, name),
            self._source.plan_json,
            self._source.build / name,
        )
        function = lambda_.Function(
            self,
            words,
            runtime=lambda_.Runtime.PYTHON_3_11,
            architecture=self._settings.lambda_architecture,
            handler=f"functions.{name}.handler.handler",
            code=lambda_.Code.from_asset(str(folder)),
            role=self._build_role(words, log_group),
            layers=[self._layer],
            timeout=Duration.seconds(timeout),
            memory_size=memory,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=log_group,
            environment={**self._environment, "POWERTOOLS_SERVICE_NAME": name, **environment},
        )
        acknowledge(function, "L1", "Python 3.11 is what the Glue jobs run: contracts and tests are of one version.")
        return function

    def _build_role(self, words: str, log_group: logs.LogGroup) -> iam.Role:
        """Build a role that may write its own logs, not those of the account."""
        role = iam.Role(self, f"{words}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        acknowledge(role, "IAM5[Resource::*]", "X-Ray has no resources to name.")
        return role

    def _grant_ledger(self, ledger: dynamodb.Table) -> None:
        allow(_role(self.receive_files), _WRITE_DOWN, [ledger.table_arn])
        for function in (self.open_batch, self.close_batch):
            allow(_role(function), _KEEP_LEDGER, [ledger.table_arn])
        told = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
        allow(_role(self.notify_failure), told, [ledger.table_arn])

    def _grant_batches(self, artifacts: s3.Bucket) -> None:
        """open_batch writes manifests; close_batch reads results, and may learn that one is missing."""
        batches, why = artifacts.arn_for_objects(f"{BATCHES_PREFIX}*"), "Batches have a prefix of their own."
        allow(_role(self.open_batch), ("s3:GetObject", "s3:PutObject"), [batches], why)
        allow(_role(self.close_batch), ("s3:GetObject",), [batches], why)
        for function in (self.open_batch, self.close_batch):
            allow(_role(function), ("s3:ListBucket",), [artifacts.bucket_arn])

    def _grant_executions(self, state_machine_arn: str, execution_arns: str) -> None:
        """receive_files starts executions; who finds a lease asks whether its execution still runs."""
        allow(_role(self.receive_files), ("states:StartExecution",), [state_machine_arn])
        why = "Executions are named as they start; the machine is the border."
        for function in (self.receive_files, self.open_batch):
            allow(_role(function), ("states:DescribeExecution",), [execution_arns], why)

    def _grant_topic(self, topic: sns.Topic) -> None:
        topic.grant_publish(self.notify_failure)
        reason = "The action's two forms, with and without plaintext, on the topic's own key."
        acknowledge(_role(self.notify_failure), "IAM5[Action::kms:GenerateDataKey*]", reason)


def _role(function: lambda_.Function) -> iam.IRole:
    assert function.role is not None, "every function is built with a role"
    return function.role
