"""The view layer: an Athena workgroup that keeps its own house, and queries to begin with."""

from __future__ import annotations

from aws_cdk import aws_athena as athena
from constructs import Construct

from contracts.model import Mart, Plan
from orchestration.settings import Settings
from orchestration.storage import RESULTS_PREFIX, Storage

_SCAN_LIMIT_BYTES = {"dev": 100 * 1024**3, "prod": 1024**4}


class Views(Construct):
    """Workgroup and named queries; the results lie in the mart bucket, the only one an analyst needs."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, plan: Plan, storage: Storage
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.workgroup = self._build_workgroup(storage)
        for mart in sorted(plan.marts.values(), key=lambda m: m.name):
            self._build_query(mart.name, mart.description or f"The mart {mart.name}", "mart", self._mart_sql(mart))
        self._build_query(
            "books",
            "What the newest batches read, wrote and refused",
            "audit",
            f'SELECT * FROM "{settings.database("audit")}"."batches" ORDER BY published_at DESC LIMIT 100',
        )

    def _build_workgroup(self, storage: Storage) -> athena.CfnWorkGroup:
        return athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=self._settings.stem,
            description=f"Landfall {self._settings.stem}: reads the marts",
            recursive_delete_option=not self._settings.is_prod,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=_SCAN_LIMIT_BYTES[self._settings.env],
                engine_version=athena.CfnWorkGroup.EngineVersionProperty(
                    selected_engine_version="Athena engine version 3"
                ),
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=storage.mart.s3_url_for_object(RESULTS_PREFIX),
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_S3"
                    ),
                ),
            ),
        )

    def _mart_sql(self, mart: Mart) -> str:
        table = f'"{self._settings.database("mart")}"."{mart.name}"'
        current = " WHERE is_current" if mart.kind == "scd2" else ""
        return f"SELECT * FROM {table}{current} LIMIT 100"

    def _build_query(self, name: str, description: str, layer: str, sql: str) -> None:
        query = athena.CfnNamedQuery(
            self,
            f"Query{name.title().replace('_', '')}",
            name=name,
            description=description,
            database=self._settings.database(layer),
            query_string=sql,
            work_group=self._settings.stem,
        )
        query.add_resource_dependency(self.workgroup)
