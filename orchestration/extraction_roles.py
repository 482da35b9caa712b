"""The roles of the extract jobs: one for each connection, so that no job reads another database's secret."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from contracts.deployment_rules import resource_words
from contracts.model import Connection, Plan
from orchestration.grants import allow
from orchestration.groups import groups
from orchestration.jobs import Jobs
from orchestration.settings import Settings
from orchestration.storage import EXTRACTS_PREFIX, Storage

_MOST_KEYS = 40
_UPLOADS = ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
_LOOK_AT_NETWORK = (
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeRouteTables",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcAttribute",
)


class ExtractionRoles(Construct):
    """Each role reads one secret, joins one network, and lands what the tables of its connection claim."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        plan: Plan,
        storage: Storage,
        ledger: dynamodb.Table,
        jobs: Jobs,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._plan = settings, plan
        used = sorted({extract.connection for extract in plan.extracts.values()})
        self._roles = {name: jobs.roles.build_role(f"Extract{resource_words(name)}") for name in used}
        for name, role in self._roles.items():
            self._land(role, name, storage)
            self._note(role, name, ledger)
            self._reach(role, plan.connections[name])
            jobs.roles.read_code(role, jobs.code.plan.bucket)

    def of(self, connection: str) -> iam.Role:
        """Return the role of a connection's jobs."""
        return self._roles[connection]

    def _tables(self, connection: str) -> Sequence[str]:
        return sorted(name for name, extract in self._plan.extracts.items() if extract.connection == connection)

    def _land(self, role: iam.Role, connection: str, storage: Storage) -> None:
        """Write files to scratch, and put them under the tables' prefixes; raw objects are never deleted.

        Scratch is written by Spark itself, whose way to S3 (S3A) commits files by completing uploads that it lists.
        """
        scratch = [storage.staging.arn_for_objects(f"{EXTRACTS_PREFIX}{connection}/*")]
        allow(
            role,
            ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", *_UPLOADS),
            scratch,
            "Files are named as they are written; the connection's scratch prefix is the border.",
        )
        prefixes = [self._plan.tables[name].source.prefix for name in self._tables(connection)]
        allow(
            role,
            ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"),
            [storage.raw.arn_for_objects(f"{prefix}*") for prefix in prefixes],
            "Extractions are named by their time; the table's prefix is the border.",
        )
        for bucket in (storage.raw, storage.staging):
            allow(role, ("s3:ListBucket", "s3:GetBucketLocation"), [bucket.bucket_arn])
        allow(role, ("s3:ListBucketMultipartUploads",), [storage.staging.bucket_arn])

    def _note(self, role: iam.Role, connection: str, ledger: dynamodb.Table) -> None:
        """Keep watermark and extractions of the connection's own tables."""
        keys = [f"TABLE#{name}" for name in self._tables(connection)]
        for some in groups(keys, _MOST_KEYS):
            own = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": some}}
            actions = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
            allow(role, actions, [ledger.table_arn], conditions=own)

    def _reach(self, role: iam.Role, connection: Connection) -> None:
        """Read the secret, the driver's jar, and, in a network, make and remove Glue's own interfaces."""
        stack = Stack.of(self)
        if connection.secret:
            secret = stack.format_arn(
                service="secretsmanager",
                resource="secret",
                resource_name=f"{connection.secret}-??????",
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            )
            allow(role, ("secretsmanager:GetSecretValue",), [secret])
        if connection.driver_jar:
            jar = f"arn:{stack.partition}:s3:::{connection.driver_jar.removeprefix('s3://')}"
            allow(role, ("s3:GetObject",), [jar])
        if connection.subnet_id:
            self._join_network(role, connection)

    def _join_network(self, role: iam.Role, connection: Connection) -> None:
        stack = Stack.of(self)

        def ec2(resource: str, name: str) -> str:
            return stack.format_arn(service="ec2", resource=resource, resource_name=name)

        interfaces = ec2("network-interface", "*")
        groups = [ec2("security-group", group) for group in connection.security_groups]
        why = "EC2 names interfaces as it makes them; subnet and security groups are the border."
        allow(role, _LOOK_AT_NETWORK, ["*"], "EC2's Describe actions have no resources to name.")
        allow(role, ("ec2:CreateNetworkInterface",), [ec2("subnet", connection.subnet_id), *groups, interfaces], why)
        allow(
            role,
            ("ec2:DeleteNetworkInterface",),
            [interfaces],
            "Glue tags the interfaces that it makes; the condition asks for the tag.",
            {"StringLike": {"aws:ResourceTag/aws-glue-service-resource": "*"}},
        )
        allow(
            role,
            ("ec2:CreateTags", "ec2:DeleteTags"),
            [interfaces],
            "Glue tags its own interfaces; the condition names the tag.",
            {"ForAllValues:StringEquals": {"aws:TagKeys": ["aws-glue-service-resource"]}},
        )
        name = f"{self._settings.stem}-{connection.name}"
        resources = [
            stack.format_arn(service="glue", resource="catalog"),
            stack.format_arn(service="glue", resource="connection", resource_name=name),
        ]
        allow(role, ("glue:GetConnection",), resources)
