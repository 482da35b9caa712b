"""Glue: a database for each layer, a job for each table and each mart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_glue as glue
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from contracts.deployment_rules import resource_words
from contracts.model import Capacity, Plan
from orchestration.acknowledgments import acknowledge
from orchestration.assets import PLAN_FILE, library_sources, write_zip
from orchestration.job_roles import JobRoles
from orchestration.job_stack import JobStack
from orchestration.settings import Settings
from orchestration.storage import Storage

LAYERS = ("staging", "mart", "quarantine", "audit", "state")
SCRIPTS = {"staging": "staging.py", "mart": "mart.py"}
_EXTENSIONS = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
_MART_RUNS = 1
_STAGE_RUNS = 2


@dataclass(frozen=True)
class JobCode:
    """What the jobs run: the scripts, their library, and the plan, each as an asset."""

    staging: s3_assets.Asset
    mart: s3_assets.Asset
    library: s3_assets.Asset
    plan: s3_assets.Asset


def spark_conf(warehouses: Mapping[str, str]) -> str:
    """Return the one `--conf` value that Glue takes: `k=v --conf k=v …`, an Iceberg catalog per layer."""
    options = {"spark.sql.extensions": _EXTENSIONS, "spark.sql.session.timeZone": "UTC"}
    for layer, warehouse in warehouses.items():
        catalog = f"spark.sql.catalog.{layer}"
        options[catalog] = "org.apache.iceberg.spark.SparkCatalog"
        options[f"{catalog}.catalog-impl"] = "org.apache.iceberg.aws.glue.GlueCatalog"
        options[f"{catalog}.io-impl"] = "org.apache.iceberg.aws.s3.S3FileIO"
        options[f"{catalog}.warehouse"] = warehouse
        options[f"{catalog}.cache-enabled"] = "false"
    return " --conf ".join(f"{name}={value}" for name, value in options.items())


class Jobs(Construct):
    """The Glue side of a pipeline."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        plan: Plan,
        storage: Storage,
        root: Path,
        build: Path,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._plan, self._storage = settings, plan, storage
        self.databases = self._build_databases()
        self._log_prefix = f"/landfall/{settings.stem}/jobs"
        self._log_groups = self._build_log_groups()
        self.code = self._build_code(root, build)
        self.roles = JobRoles(self, "Roles", settings=settings, storage=storage, log_prefix=self._log_prefix)
        self._grant_code()
        self.spark_conf = spark_conf({layer: f"s3://{self._bucket(layer).bucket_name}/" for layer in LAYERS})
        self._build_stage_jobs()
        self._build_mart_jobs()

    def build_stack(self, scope: Construct, construct_id: str, description: str) -> JobStack:
        """Build a stack for jobs of one kind, made when databases and log groups are there."""
        after = [*self.databases.values(), *self._log_groups]
        return JobStack(scope, construct_id, description=description, spark_conf=self.spark_conf, after=after)

    def _bucket(self, layer: str) -> s3.Bucket:
        return self._storage.mart if layer == "mart" else self._storage.staging

    def _build_databases(self) -> Mapping[str, glue.CfnDatabase]:
        """Databases lie in the buckets of their layers."""
        return {layer: self._build_database(layer) for layer in LAYERS}

    def _build_database(self, layer: str) -> glue.CfnDatabase:
        name = self._settings.database(layer)
        database = glue.CfnDatabase(
            self,
            f"{layer.capitalize()}Database",
            catalog_id=Stack.of(self).account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=name,
                description=f"Landfall {self._settings.stem}: {layer} layer",
                location_uri=self._bucket(layer).s3_url_for_object(f"{name}/"),
            ),
        )
        database.apply_removal_policy(self._settings.database_removal_policy)
        return database

    def _build_log_groups(self) -> list[logs.LogGroup]:
        """Glue 5 writes to `<prefix>/error` and `<prefix>/output`; made here, they have an end."""
        return [
            logs.LogGroup(
                self,
                f"{kind.capitalize()}Logs",
                log_group_name=f"{self._log_prefix}/{kind}",
                retention=self._settings.log_retention,
                removal_policy=RemovalPolicy.DESTROY,
            )
            for kind in ("error", "output")
        ]

    def _build_code(self, root: Path, build: Path) -> JobCode:
        scripts = {kind: root / "spark_jobs" / name for kind, name in SCRIPTS.items()}
        library = write_zip(root, library_sources(root, scripts.values()), build / "landfall_jobs.zip")
        plan_file = build / PLAN_FILE
        plan_file.write_text(self._plan.to_json(), encoding="utf-8")
        return JobCode(
            staging=s3_assets.Asset(self, "StagingScript", path=str(scripts["staging"])),
            mart=s3_assets.Asset(self, "MartScript", path=str(scripts["mart"])),
            library=s3_assets.Asset(self, "Library", path=str(library)),
            plan=s3_assets.Asset(self, "Plan", path=str(plan_file)),
        )

    def _grant_code(self) -> None:
        for role in (self.roles.staging, self.roles.mart):
            self.roles.read_code(role, self.code.plan.bucket)

    def _build_stage_jobs(self) -> None:
        stack = self.build_stack(self, "Staging", f"Landfall {self._settings.stem}: a staging job for each table")
        for table in sorted(self._plan.tables):
            self._build_stage_job(stack, table)

    def _build_mart_jobs(self) -> None:
        """CloudFormation refuses a stack without resources."""
        if not self._plan.marts:
            return
        stack = self.build_stack(self, "Mart", f"Landfall {self._settings.stem}: a job for each mart")
        for mart in sorted(self._plan.marts):
            self._build_mart_job(stack, mart)

    def _build_stage_job(self, stack: JobStack, table: str) -> glue.CfnJob:
        contract = self._plan.tables[table]
        return self.build_job(
            stack,
            f"Stage{resource_words(table)}",
            name=f"{self._settings.stage_job_prefix}{table}",
            description=contract.description or f"Stages what landed for {table}",
            role=self.roles.staging.role_arn,
            script=self.code.staging,
            capacity=contract.capacity,
            runs=_STAGE_RUNS,
            arguments={
                "--table": table,
                "--staging_bucket": self._storage.staging.bucket_name,
                **({"--crawlers": self._settings.crawler_prefix} if contract.crawled else {}),
            },
        )

    def _build_mart_job(self, stack: JobStack, mart: str) -> glue.CfnJob:
        contract = self._plan.marts[mart]
        return self.build_job(
            stack,
            f"Mart{resource_words(mart)}",
            name=f"{self._settings.mart_job_prefix}{mart}",
            description=contract.description or f"Builds the mart {mart}",
            role=self.roles.mart.role_arn,
            script=self.code.mart,
            capacity=contract.capacity,
            runs=_MART_RUNS,
            arguments={"--mart": mart, "--mart_bucket": self._storage.mart.bucket_name},
        )

    def build_job(
        self,
        stack: JobStack,
        construct_id: str,
        *,
        name: str,
        description: str,
        role: str,
        script: s3_assets.Asset,
        capacity: Capacity,
        runs: int,
        arguments: Mapping[str, str],
        connections: Sequence[str] = (),
    ) -> glue.CfnJob:
        """Build one job. Step Functions retries, so Glue does not; `runs` may go on at the same time."""
        job = glue.CfnJob(
            stack,
            construct_id,
            name=name,
            description=description,
            role=role,
            command=glue.CfnJob.JobCommandProperty(
                name="glueetl", python_version="3", script_location=script.s3_object_url
            ),
            glue_version=self._settings.glue_version,
            worker_type=capacity.worker_type,
            number_of_workers=capacity.workers,
            execution_class="FLEX" if capacity.flex else "STANDARD",
            timeout=capacity.timeout_minutes,
            max_retries=0,
            execution_property=glue.CfnJob.ExecutionPropertyProperty(max_concurrent_runs=runs),
            default_arguments={**self._common_arguments(stack), **arguments},
            connections=glue.CfnJob.ConnectionsListProperty(connections=[*connections]) if connections else None,
        )
        acknowledge(job, "GL1", "Logs hold no rows but values that were refused; CloudWatch encrypts them by itself.")
        acknowledge(job, "GL3", "No job uses bookmarks: what was staged stands in the ledger.")
        return job

    def _common_arguments(self, stack: JobStack) -> Mapping[str, str]:
        return {
            "--plan": self.code.plan.s3_object_url,
            "--database_prefix": self._settings.prefix,
            "--artifacts_bucket": self._storage.artifacts.bucket_name,
            "--extra-py-files": self.code.library.s3_object_url,
            "--datalake-formats": "iceberg",
            "--conf": stack.spark_conf,
            "--job-language": "python",
            "--job-bookmark-option": "job-bookmark-disable",
            "--enable-metrics": "true",
            "--enable-observability-metrics": "true",
            "--enable-continuous-cloudwatch-log": "true",
            "--enable-auto-scaling": "true",
            "--custom-logGroup-prefix": self._log_prefix,
        }
