"""Settings of one deployment: the pipeline, the environment, and all that differs between environments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Node

from contracts.deployment_rules import PIPELINE_NAME, is_pipeline_name
from contracts.schedules import schedule_mistake

ENVIRONMENTS = ("dev", "prod")
OFF = "off"
FEATURE_FLAGS: dict[str, bool | int] = {
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/core:enablePartitionLiterals": True,
    "@aws-cdk/core:suppressTemplateIndentation": True,
    "@aws-cdk/core:stackResourceLimit": 0,  # orchestration/limits.py says the same in words that help
}
_QUICKSIGHT = r"arn:[a-z-]+:quicksight:[a-z0-9-]+:\d{12}:(user|group)/.+"
_SAGEMAKER = r"true|subnet-[0-9a-f]+(,sg-[0-9a-f]+)+"
_POWERTOOLS = "/aws/service/powertools/python/{architecture}/python3.11/latest"


class SettingsError(ValueError):
    """A context value (`cdk -c name=value`) is not usable."""


@dataclass(frozen=True)
class Settings:
    """One pipeline in one environment; `folder` is where its contracts lie, seen from contracts/."""

    pipeline: str
    env: str
    alarm_email: str | None = None
    glue_version: str = "5.1"
    architecture: str = "arm64"
    folder: str = ""
    maintenance: str = ""
    quicksight: str = ""
    sagemaker: str = ""

    def __post_init__(self) -> None:
        if self.env not in ENVIRONMENTS:
            raise SettingsError(f"env is {self.env!r}: it must be one of {', '.join(ENVIRONMENTS)}")
        if not is_pipeline_name(self.pipeline):
            raise SettingsError(f"pipeline is {self.pipeline!r}: it must be {PIPELINE_NAME}")
        if self.architecture not in ("arm64", "x86_64"):
            raise SettingsError(f"architecture is {self.architecture!r}: it must be arm64 or x86_64")
        if not re.fullmatch(r"5\.[1-9]|([6-9]|[1-9]\d+)\.\d+", self.glue_version):
            raise SettingsError(
                f"glue_version is {self.glue_version!r}: it must be 5.1 or later; Iceberg is too old before it"
            )
        if self.maintenance not in ("", OFF) and (wrong := schedule_mistake(self.maintenance)):
            raise SettingsError(f"maintenance: {wrong}; or write off")
        if self.alarm_email and not re.fullmatch(r"[^@\s]+@[^@\s]+", self.alarm_email):
            raise SettingsError(f"alarm_email is {self.alarm_email!r}: it must be one address, such as ops@example.com")
        self._check_views()

    def _check_views(self) -> None:
        if self.quicksight and not re.fullmatch(_QUICKSIGHT, self.quicksight):
            raise SettingsError(
                f"quicksight is {self.quicksight!r}: it must be the ARN of a QuickSight user or group, such as "
                "arn:aws:quicksight:eu-west-1:123456789012:group/default/analysts"
            )
        if self.sagemaker and not re.fullmatch(_SAGEMAKER, self.sagemaker):
            raise SettingsError(
                f"sagemaker is {self.sagemaker!r}: it must be true, or a subnet and its security groups, such as "
                "subnet-0123abcd,sg-0123abcd"
            )

    @classmethod
    def from_context(cls, node: Node) -> Settings:
        """Read the settings from the app's context (`-c` options and cdk.json)."""

        def word(name: str, default: str) -> str:
            return str(node.try_get_context(name) or default)

        folder = word("pipeline", "nycflights")
        return cls(
            pipeline=Path(folder).name,
            folder=str(Path(folder).absolute()) if "/" in folder else folder,
            env=word("env", "dev"),
            alarm_email=node.try_get_context("alarm_email"),
            glue_version=word("glue_version", cls.glue_version),
            architecture=word("architecture", cls.architecture),
            maintenance=word("maintenance", cls.maintenance),
            quicksight=word("quicksight", cls.quicksight),
            sagemaker=word("sagemaker", cls.sagemaker),
        )

    @property
    def is_prod(self) -> bool:
        return self.env == "prod"

    @property
    def stem(self) -> str:
        """Begin the names of jobs and machines: `<pipeline>-<env>`."""
        return f"{self.pipeline}-{self.env}"

    @property
    def prefix(self) -> str:
        """Begin the names of Glue databases: `<pipeline>_<env>`."""
        return f"{self.pipeline}_{self.env}"

    @property
    def stack_name(self) -> str:
        return f"landfall-{self.stem}".replace("_", "-")

    @property
    def state_machine_name(self) -> str:
        return f"{self.stem}-table-pipeline"

    @property
    def stage_job_prefix(self) -> str:
        return f"{self.stem}-stage-"

    @property
    def mart_job_prefix(self) -> str:
        return f"{self.stem}-mart-"

    @property
    def extract_machine_name(self) -> str:
        return f"{self.stem}-extract-source"

    @property
    def extract_job_prefix(self) -> str:
        return f"{self.stem}-extract-"

    @property
    def crawler_prefix(self) -> str:
        return f"{self.stem}-crawl-"

    @property
    def maintain_machine_name(self) -> str:
        return f"{self.stem}-maintain-lake"

    @property
    def maintain_job_name(self) -> str:
        return f"{self.stem}-maintain"

    @property
    def maintenance_schedule(self) -> str:
        """When the tables are maintained: by night in production, when somebody asks in development."""
        if self.maintenance:
            return "" if self.maintenance == OFF else self.maintenance
        return "cron(0 3 * * ? *)" if self.is_prod else ""

    @property
    def snapshot_days(self) -> int:
        """Days that a table can be read as it was; what a mart has not read stays longer."""
        return 7 if self.is_prod else 2

    def database(self, layer: str) -> str:
        """Return the Glue database of a layer, e.g. `nycflights_dev_staging`."""
        return f"{self.prefix}_{layer}"

    @property
    def removal_policy(self) -> RemovalPolicy:
        """What `cdk destroy` does to buckets and ledger: production keeps them."""
        return RemovalPolicy.RETAIN if self.is_prod else RemovalPolicy.DESTROY

    @property
    def database_removal_policy(self) -> RemovalPolicy:
        """The same for databases, whose names are fixed: those of a first deployment that fails go with it."""
        return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if self.is_prod else RemovalPolicy.DESTROY

    @property
    def operators_workgroup(self) -> str:
        """Return the name of the Athena workgroup for those who look at all layers."""
        return f"{self.stem}-operators"

    @property
    def code_prefix(self) -> str:
        """Return where the deployment's bucket holds what this pipeline deploys: scripts, plans, functions."""
        return f"landfall-{self.stem}/"

    @property
    def log_retention(self) -> logs.RetentionDays:
        return logs.RetentionDays.THREE_MONTHS if self.is_prod else logs.RetentionDays.TWO_WEEKS

    @property
    def noncurrent_days(self) -> int:
        """Days that overwritten or deleted lake files can still be brought back."""
        return 30 if self.is_prod else 3

    @property
    def retry_seconds(self) -> int:
        """Wait before a failed job is started again; the second wait is twice as long."""
        return 30 if self.is_prod else 5

    @property
    def batch_window_seconds(self) -> int:
        """How long the queue gathers events before receive_files is called."""
        return 20 if self.is_prod else 5

    @property
    def lambda_architecture(self) -> lambda_.Architecture:
        arm = self.architecture == "arm64"
        return lambda_.Architecture.ARM_64 if arm else lambda_.Architecture.X86_64

    @property
    def powertools_parameter(self) -> str:
        """Public SSM parameter that holds the ARN of the Powertools layer; read at deploy, not at synth."""
        return _POWERTOOLS.format(architecture=self.architecture)
