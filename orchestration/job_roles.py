"""The roles of the Glue jobs: one for each layer, each writes its own layer only, and one that maintains the tables."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from orchestration.grants import allow
from orchestration.settings import Settings
from orchestration.storage import BATCHES_PREFIX, MAINTENANCE_PREFIX, Storage

_READ_OBJECT = ("s3:GetObject",)
_READ_VERSION = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging")
_WRITE_OBJECT = ("s3:PutObject", "s3:PutObjectTagging", "s3:DeleteObject", "s3:AbortMultipartUpload")
_READ_CATALOG = ("glue:GetDatabase", "glue:GetDatabases", "glue:GetTable", "glue:GetTables")
_WRITE_CATALOG = ("glue:CreateTable", "glue:UpdateTable")
_STAGING_LAYERS = ("staging", "quarantine", "audit", "state")


class JobRoles(Construct):
    """`staging` reads raw and writes the staging bucket; `mart` reads staging and writes marts."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, storage: Storage, log_prefix: str
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._log_prefix = settings, log_prefix
        self.staging = self._build_staging(storage)
        self.mart = self._build_mart(storage)

    def _build_staging(self, storage: Storage) -> iam.Role:
        role = self.build_role("Staging")
        self._read_bucket(role, storage.raw, _READ_VERSION)
        self._read_bucket(role, storage.staging, _READ_OBJECT)
        allow(
            role,
            _WRITE_OBJECT,
            [storage.staging.arn_for_objects("*")],
            "It writes every table of the bucket.",
        )
        self._use_catalog(role, _STAGING_LAYERS, (*_READ_CATALOG, *_WRITE_CATALOG))
        manifests = storage.artifacts.arn_for_objects(f"{BATCHES_PREFIX}*/manifest.json")
        allow(role, _READ_OBJECT, [manifests], "Batches have a prefix of their own, and one manifest each.")
        self._tell_results(role, storage.artifacts, "stage.json")
        return role

    def _build_mart(self, storage: Storage) -> iam.Role:
        role = self.build_role("Mart")
        self._read_bucket(role, storage.staging, _READ_OBJECT, f"{self._settings.database('staging')}/*")
        self._read_bucket(role, storage.mart, _READ_OBJECT, f"{self._settings.database('mart')}/*")
        marts = storage.mart.arn_for_objects(f"{self._settings.database('mart')}/*")
        allow(role, _WRITE_OBJECT, [marts], "It writes every mart, and not what analysts asked for.")
        self._use_catalog(role, ("staging",), _READ_CATALOG)
        self._use_catalog(role, ("mart",), (*_READ_CATALOG, *_WRITE_CATALOG))
        self._tell_results(role, storage.artifacts, "mart-*.json")
        return role

    def build_maintenance(self, storage: Storage) -> iam.Role:
        """Build the role that rewrites tables of all layers, makes none, and sees neither raw files nor batches."""
        role = self.build_role("Maintenance")
        places = [storage.staging.arn_for_objects(f"{self._settings.database(layer)}/*") for layer in _STAGING_LAYERS]
        places.append(storage.mart.arn_for_objects(f"{self._settings.database('mart')}/*"))
        why = "It rewrites every table of the databases, and nothing beside them."
        allow(role, (*_READ_OBJECT, *_WRITE_OBJECT), places, why)
        for bucket in (storage.staging, storage.mart):
            allow(role, ("s3:ListBucket", "s3:GetBucketLocation"), [bucket.bucket_arn])
        self._use_catalog(role, (*_STAGING_LAYERS, "mart"), (*_READ_CATALOG, "glue:UpdateTable"))
        reports = storage.artifacts.arn_for_objects(f"{MAINTENANCE_PREFIX}*")
        allow(role, ("s3:PutObject",), [reports], "Reports are named by the execution.")
        return role

    def read_code(self, role: iam.Role, bucket: s3.IBucket) -> None:
        """Let a role read what this pipeline deploys, and no other object of the deployment's bucket."""
        code = bucket.arn_for_objects(f"{self._settings.code_prefix}*")
        why = "While a deployment replaces jobs and roles, runs need the code of before and of after."
        allow(role, _READ_OBJECT, [code], why)

    def build_role(self, construct_id: str) -> iam.Role:
        """Build a role that may write its own logs and metrics, and nothing else yet."""
        role = iam.Role(self, construct_id, assumed_by=iam.ServicePrincipal("glue.amazonaws.com"))
        streams = Stack.of(self).format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{self._log_prefix}/*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        allow(
            role,
            ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
            [streams],
            "Glue names the streams by the run, and asks for groups that are there.",
        )
        allow(
            role,
            ("cloudwatch:PutMetricData",),
            ["*"],
            "Metrics have no resource to name; the condition names the namespaces.",
            {"StringEquals": {"cloudwatch:namespace": ["Glue", "Landfall"]}},
        )
        return role

    def _use_catalog(self, role: iam.Role, layers: Sequence[str], actions: Sequence[str]) -> None:
        """Allow actions on the databases of some layers and on their tables."""
        stack = Stack.of(self)
        databases = [self._settings.database(layer) for layer in layers]
        resources = [
            stack.format_arn(service="glue", resource="catalog"),
            *(stack.format_arn(service="glue", resource="database", resource_name=name) for name in databases),
            *(stack.format_arn(service="glue", resource="table", resource_name=f"{name}/*") for name in databases),
        ]
        allow(role, actions, resources, "Tables come with contracts; the database is the border.")

    def _read_bucket(self, role: iam.Role, bucket: s3.Bucket, actions: Sequence[str], keys: str = "*") -> None:
        allow(role, actions, [bucket.arn_for_objects(keys)], "What lies under it is a layer, and the layer is read.")
        allow(role, ("s3:ListBucket", "s3:GetBucketLocation"), [bucket.bucket_arn])

    def _tell_results(self, role: iam.Role, artifacts: s3.Bucket, names: str) -> None:
        """Write what a run came to, and neither the manifest that it was given nor what others tell."""
        results = artifacts.arn_for_objects(f"{BATCHES_PREFIX}*/{names}")
        allow(role, ("s3:PutObject",), [results], "Batches have a prefix of their own, results their names.")
