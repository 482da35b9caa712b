"""The view layer: an Athena workgroup that keeps its own house, views, queries to begin with, and who may read."""

from __future__ import annotations

from aws_cdk import NestedStack, Stack
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from constructs import Construct

from contracts.deployment_rules import resource_words
from contracts.mart_columns import columns_of_marts
from contracts.model import Mart, Plan
from orchestration.athena_sql import outputs, select, view_text
from orchestration.job_stack import come_after
from orchestration.jobs import Jobs
from orchestration.readers import MartReaders
from orchestration.settings import Settings
from orchestration.storage import OPERATORS_PREFIX, RESULTS_PREFIX, Storage

_CURRENT = {"scd2": "is_current AND NOT is_inferred", "dimension": "NOT is_deleted"}
_SCAN_LIMIT_BYTES = {"dev": 100 * 1024**3, "prod": 1024**4}


VIEW_SUFFIX = "_current"


def current_views(plan: Plan) -> list[str]:
    """Return the marts that have versions or deleted members, known columns, and no mart called like their view."""
    return [
        name
        for name, mart in sorted(plan.marts.items())
        if mart.kind in _CURRENT and f"{name}{VIEW_SUFFIX}" not in plan.marts and mart.source not in plan.crawls
    ]


class Views(Construct):
    """Workgroups, views and named queries; the results lie in the mart bucket, the only one an analyst needs.

    Operators have a workgroup of their own: what they ask of books and quarantine, readers of marts do not see.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, plan: Plan, storage: Storage, jobs: Jobs
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.workgroup = self._build_workgroup("Workgroup", settings.stem, "reads the marts", storage, RESULTS_PREFIX)
        self.operators = self._build_workgroup(
            "OperatorsWorkgroup", settings.operators_workgroup, "reads every layer", storage, OPERATORS_PREFIX
        )
        self.readers = MartReaders(self, "Readers", settings=settings, storage=storage).policy
        self._stack = NestedStack(self, "Sql", description=f"Landfall {settings.stem}: views and named queries")
        come_after(self._stack, [jobs.databases["mart"], self.workgroup, self.operators])
        for name in current_views(plan):
            self._build_view(name, plan)
        for mart in sorted(plan.marts.values(), key=lambda m: m.name):
            text = mart.description or f"The mart {mart.name}"
            self._build_query(mart.name, text, "mart", self._mart_sql(mart), settings.stem)
        self._build_query(
            "books",
            "What the newest batches read, wrote and refused",
            "audit",
            f'SELECT * FROM "{settings.database("audit")}"."batches" ORDER BY published_at DESC LIMIT 100',
            settings.operators_workgroup,
        )

    def _build_workgroup(
        self, construct_id: str, name: str, description: str, storage: Storage, prefix: str
    ) -> athena.CfnWorkGroup:
        return athena.CfnWorkGroup(
            self,
            construct_id,
            name=name,
            description=f"Landfall {self._settings.stem}: {description}",
            recursive_delete_option=True,  # what was asked lies in the bucket
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=_SCAN_LIMIT_BYTES[self._settings.env],
                engine_version=athena.CfnWorkGroup.EngineVersionProperty(
                    selected_engine_version="Athena engine version 3"
                ),
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=storage.mart.s3_url_for_object(prefix),
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_S3"
                    ),
                ),
            ),
        )

    def _build_view(self, mart: str, plan: Plan) -> None:
        """Build the view `<mart>_current` as Athena itself writes one; it may be there before the mart is."""
        database = self._settings.database("mart")
        columns = outputs(columns_of_marts(plan)[mart])
        sql = select(database, mart, columns, _CURRENT[plan.marts[mart].kind])
        glue.CfnTable(
            self._stack,
            f"View{resource_words(mart)}",
            catalog_id=Stack.of(self).account,
            database_name=database,
            table_input=glue.CfnTable.TableInputProperty(
                name=f"{mart}{VIEW_SUFFIX}",
                description=f"What is true now of {mart}",
                table_type="VIRTUAL_VIEW",
                parameters={"presto_view": "true", "comment": "Presto View"},
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    columns=[glue.CfnTable.ColumnProperty(name=one.name, type=one.hive) for one in columns],
                    location="",
                    serde_info=glue.CfnTable.SerdeInfoProperty(),
                ),
                view_original_text=view_text(database, sql, columns),
                view_expanded_text="/* Presto View */",
            ),
        )

    def _mart_sql(self, mart: Mart) -> str:
        table = f'"{self._settings.database("mart")}"."{mart.name}"'
        current = _CURRENT.get(mart.kind)
        return f"SELECT * FROM {table}{f' WHERE {current}' if current else ''} LIMIT 100"

    def _build_query(self, name: str, description: str, layer: str, sql: str, workgroup: str) -> None:
        athena.CfnNamedQuery(
            self._stack,
            f"Query{resource_words(name)}",
            name=name,
            description=description,
            database=self._settings.database(layer),
            query_string=sql,
            work_group=workgroup,
        )
