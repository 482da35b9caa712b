"""Crawlers: they keep the columns of tables whose contract says `schema: crawler`, in a database of the raw layer."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from constructs import Construct

from contracts.deployment_rules import resource_words
from contracts.model import Plan, Table
from contracts.paths import split_path
from orchestration.grants import allow
from orchestration.jobs import Jobs
from orchestration.settings import Settings
from orchestration.storage import Storage

LAYER = "raw"
_CONFIGURATION = {
    "Version": 1.0,
    "CrawlerOutput": {"Tables": {"AddOrUpdateBehavior": "MergeNewColumns"}},
    "Grouping": {"TableGroupingPolicy": "CombineCompatibleSchemas"},
}
_WRITE_TABLES = (
    "glue:GetDatabase",
    "glue:GetTable",
    "glue:GetTables",
    "glue:CreateTable",
    "glue:UpdateTable",
    "glue:GetPartition",
    "glue:GetPartitions",
    "glue:BatchGetPartition",
    "glue:BatchCreatePartition",
    "glue:BatchUpdatePartition",
    "glue:CreatePartition",
    "glue:UpdatePartition",
)


class Crawlers(Construct):
    """A crawler for each such table; the staging job starts it when files hold columns that it has not seen."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, plan: Plan, storage: Storage, jobs: Jobs
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._storage = settings, storage
        tables = [plan.tables[name] for name in plan.crawls]
        self.database = self._build_database()
        self.role = self._build_role(tables)
        self.all = [self._build_crawler(table) for table in tables]
        self._allow_staging(jobs.roles.staging, tables)

    def _build_database(self) -> glue.CfnDatabase:
        return glue.CfnDatabase(
            self,
            "Database",
            catalog_id=Stack.of(self).account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=self._settings.database(LAYER),
                description=f"Landfall {self._settings.stem}: what crawlers found in the raw layer",
            ),
        )

    def _build_role(self, tables: Sequence[Table]) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("glue.amazonaws.com"))
        objects = [self._storage.raw.arn_for_objects(f"{table.source.prefix}*") for table in tables]
        allow(role, ("s3:GetObject",), objects, "A crawler reads every file of its table.")
        allow(role, ("s3:ListBucket", "s3:GetBucketLocation"), [self._storage.raw.bucket_arn])
        allow(role, _WRITE_TABLES, self._catalog(), "Crawlers name their tables; the database is the border.")
        groups = Stack.of(self).format_arn(
            service="logs",
            resource="log-group",
            resource_name="/aws-glue/crawlers*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        write_logs = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
        allow(role, write_logs, [groups], "Crawlers write to Glue's own log group, a stream each.")
        return role

    def _build_crawler(self, table: Table) -> glue.CfnCrawler:
        classifier = self._build_classifier(table)
        crawler = glue.CfnCrawler(
            self,
            resource_words(table.name),
            name=f"{self._settings.crawler_prefix}{table.name}",
            description=f"Keeps the columns of {table.name}",
            role=self.role.role_arn,
            database_name=self._settings.database(LAYER),
            table_prefix=f"{table.name}__",
            targets=glue.CfnCrawler.TargetsProperty(
                s3_targets=[
                    glue.CfnCrawler.S3TargetProperty(path=self._storage.raw.s3_url_for_object(table.source.prefix))
                ]
            ),
            classifiers=[classifier.ref] if classifier else None,
            configuration=json.dumps(_CONFIGURATION),
            recrawl_policy=glue.CfnCrawler.RecrawlPolicyProperty(recrawl_behavior="CRAWL_EVERYTHING"),
            schema_change_policy=glue.CfnCrawler.SchemaChangePolicyProperty(
                update_behavior="UPDATE_IN_DATABASE", delete_behavior="LOG"
            ),
        )
        crawler.node.add_dependency(self.database)
        return crawler

    def _build_classifier(self, table: Table) -> glue.CfnClassifier | None:
        """Build what says how files are written; Glue knows JSON Lines and Parquet by itself."""
        name = f"{self._settings.crawler_prefix}{table.name}"
        options = table.source.options
        if table.source.format == "csv":
            csv = glue.CfnClassifier.CsvClassifierProperty(
                name=name,
                delimiter=options.get("delimiter", ","),
                quote_symbol=options.get("quote", '"'),
                contains_header="PRESENT",
                allow_single_column=True,
            )
            return glue.CfnClassifier(self, f"{resource_words(table.name)}Classifier", csv_classifier=csv)
        if table.source.format == "json":
            steps = split_path(options["row_path"]) if "row_path" in options else ()
            path = "".join(f"['{step}']" for step in steps)  # a name may hold dots, blanks, or what JSONPath reads
            found = glue.CfnClassifier.JsonClassifierProperty(name=name, json_path=f"${path}[*]")
            return glue.CfnClassifier(self, f"{resource_words(table.name)}Classifier", json_classifier=found)
        return None

    def _allow_staging(self, role: iam.Role, tables: Sequence[Table]) -> None:
        """Let the staging jobs start crawlers, wait for them, and read what they found."""
        stack = Stack.of(self)
        crawlers = [
            stack.format_arn(
                service="glue", resource="crawler", resource_name=f"{self._settings.crawler_prefix}{table.name}"
            )
            for table in tables
        ]
        allow(role, ("glue:StartCrawler", "glue:GetCrawler"), crawlers)
        allow(role, ("glue:GetDatabase", "glue:GetTable", "glue:GetTables"), self._catalog(), "As for crawlers.")

    def _catalog(self) -> list[str]:
        stack, name = Stack.of(self), self._settings.database(LAYER)
        return [
            stack.format_arn(service="glue", resource="catalog"),
            stack.format_arn(service="glue", resource="database", resource_name=name),
            stack.format_arn(service="glue", resource="table", resource_name=f"{name}/*"),
        ]
