"""What somebody needs to read the marts by Athena: one policy, for analysts, QuickSight and SageMaker."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from orchestration.grants import allow
from orchestration.settings import Settings
from orchestration.storage import RESULTS_PREFIX, Storage

_QUERY = (
    "athena:StartQueryExecution",
    "athena:StopQueryExecution",
    "athena:GetQueryExecution",
    "athena:BatchGetQueryExecution",
    "athena:GetQueryResults",
    "athena:GetQueryResultsStream",
    "athena:ListQueryExecutions",
    "athena:GetWorkGroup",
    "athena:GetNamedQuery",
    "athena:BatchGetNamedQuery",
    "athena:ListNamedQueries",
)
_BROWSE = (
    "athena:GetDataCatalog",
    "athena:ListDatabases",
    "athena:GetDatabase",
    "athena:ListTableMetadata",
    "athena:GetTableMetadata",
)
_CATALOG = ("glue:GetDatabase", "glue:GetDatabases", "glue:GetTable", "glue:GetTables", "glue:GetPartitions")


class MartReaders(Construct):
    """A managed policy: marts and query results in the mart bucket, the workgroup, the mart database; nothing else."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, storage: Storage) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._stack = settings, Stack.of(self)
        self.policy = iam.ManagedPolicy(
            self, "Policy", description=f"Reads the marts of {settings.stem} by Athena: for analysts and their tools"
        )
        self._allow_queries()
        self._allow_catalog()
        self._allow_files(storage)

    def _allow_queries(self) -> None:
        workgroup = self._arn("athena", "workgroup", self._settings.stem)
        allow(self.policy, _QUERY, [workgroup])
        allow(self.policy, _BROWSE, [self._arn("athena", "datacatalog", "AwsDataCatalog")])
        why = "Lists of names have no resources; QuickSight asks for them."
        allow(self.policy, ("athena:ListDataCatalogs", "athena:ListWorkGroups"), ["*"], why)

    def _allow_catalog(self) -> None:
        mart = self._settings.database("mart")
        resources = [
            self._stack.format_arn(service="glue", resource="catalog"),
            self._arn("glue", "database", mart),
            self._arn("glue", "table", f"{mart}/*"),
        ]
        allow(self.policy, _CATALOG, resources, "Marts come with contracts; the database is the border.")
        allow(self.policy, ("glue:GetDatabase",), [self._arn("glue", "database", "default")])

    def _allow_files(self, storage: Storage) -> None:
        bucket, mart = storage.mart, self._settings.database("mart")
        allow(self.policy, ("s3:GetObject",), [bucket.arn_for_objects(f"{mart}/*")], "It reads every mart.")
        allow(
            self.policy,
            ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
            [bucket.arn_for_objects(f"{RESULTS_PREFIX}*")],
            "Athena names results as it writes them; the prefix is the border.",
        )
        actions = ("s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads")
        allow(self.policy, actions, [bucket.bucket_arn])

    def _arn(self, service: str, resource: str, name: str) -> str:
        return self._stack.format_arn(service=service, resource=resource, resource_name=name)
