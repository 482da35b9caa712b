"""QuickSight: the marts as datasets, and a dashboard to begin with, for the user or group that the setting names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import CfnResource, Stack, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_quicksight as quicksight
from constructs import Construct

from contracts.deployment_rules import resource_words
from contracts.mart_columns import columns_of_marts
from contracts.model import Plan
from orchestration.athena_sql import Output, outputs, select
from orchestration.groups import groups
from orchestration.quicksight_sheets import definition
from orchestration.settings import Settings

_MOST_SHEETS = 20
# The sets of actions that QuickSight knows: readers of sources, datasets and dashboards, owners of the analysis.
_DATA_SOURCE = ("DescribeDataSource", "DescribeDataSourcePermissions", "PassDataSource")
_DATA_SET = ("DescribeDataSet", "DescribeDataSetPermissions", "PassDataSet", "DescribeIngestion", "ListIngestions")
_DASHBOARD = ("DescribeDashboard", "ListDashboardVersions", "QueryDashboard")
_ANALYSIS = (
    "DescribeAnalysis",
    "DescribeAnalysisPermissions",
    "QueryAnalysis",
    "UpdateAnalysis",
    "UpdateAnalysisPermissions",
    "RestoreAnalysis",
    "DeleteAnalysis",
)


class QuickSightStack(Stack):
    """A data source on the workgroup, a dataset for each mart, analyses to change and dashboards to look at."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        plan: Plan,
        readers: iam.IManagedPolicy,
        workgroup: str,
        **options: Any,
    ) -> None:
        super().__init__(scope, construct_id, description=f"Landfall {settings.stem}: marts in QuickSight", **options)
        self._settings = settings
        self.role = self._build_role(readers)
        self.source = self._build_source(workgroup)
        told = {
            name: known for name, known in columns_of_marts(plan).items() if plan.marts[name].source not in plan.crawls
        }
        columns = {name: outputs(known) for name, known in told.items()}
        self.datasets = {name: self._build_dataset(name, found) for name, found in columns.items()}
        for number, names in enumerate(groups([*columns], _MOST_SHEETS), start=1):
            sheets = definition({name: (self.datasets[name].attr_arn, columns[name]) for name in names})
            self._build_sheets("Analysis", number, sheets, _ANALYSIS)
            self._build_sheets("Dashboard", number, sheets, _DASHBOARD)
        for name, value in {"landfall:pipeline": settings.pipeline, "landfall:env": settings.env}.items():
            Tags.of(self).add(name, value)

    def _build_role(self, readers: iam.IManagedPolicy) -> iam.Role:
        """Build the role under which QuickSight asks Athena, in place of the account's own for all of QuickSight."""
        return iam.Role(
            self,
            "Reader",
            assumed_by=iam.ServicePrincipal(
                "quicksight.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            ),
            managed_policies=[readers],
        )

    def _build_source(self, workgroup: str) -> quicksight.CfnDataSource:
        source = quicksight.CfnDataSource(
            self,
            "Source",
            aws_account_id=self.account,
            data_source_id=self._settings.stem,
            name=f"Landfall {self._settings.stem}",
            type="ATHENA",
            data_source_parameters=quicksight.CfnDataSource.DataSourceParametersProperty(
                athena_parameters=quicksight.CfnDataSource.AthenaParametersProperty(
                    work_group=workgroup, role_arn=self.role.role_arn
                )
            ),
            permissions=[
                quicksight.CfnDataSource.ResourcePermissionProperty(
                    principal=self._settings.quicksight, actions=_of_quicksight(_DATA_SOURCE)
                )
            ],
        )
        source.node.add_dependency(self.role)
        return source

    def _build_dataset(self, mart: str, columns: Sequence[Output]) -> quicksight.CfnDataSet:
        """Build a dataset that asks Athena each time: what a batch has published is there at once."""
        database = self._settings.database("mart")
        sql = quicksight.CfnDataSet.CustomSqlProperty(
            data_source_arn=self.source.attr_arn,
            name=mart,
            sql_query=select(database, mart, columns),
            columns=[quicksight.CfnDataSet.InputColumnProperty(name=one.name, type=one.quicksight) for one in columns],
        )
        return quicksight.CfnDataSet(
            self,
            f"Dataset{resource_words(mart)}",
            aws_account_id=self.account,
            data_set_id=_identifier(f"{self._settings.stem}-{mart}"),
            name=f"{mart} ({self._settings.stem})",
            import_mode="DIRECT_QUERY",
            physical_table_map={_identifier(mart): quicksight.CfnDataSet.PhysicalTableProperty(custom_sql=sql)},
            permissions=[
                quicksight.CfnDataSet.ResourcePermissionProperty(
                    principal=self._settings.quicksight, actions=_of_quicksight(_DATA_SET)
                )
            ],
        )

    def _build_sheets(self, kind: str, number: int, sheets: Mapping[str, Any], actions: Sequence[str]) -> CfnResource:
        """Build an analysis or a dashboard, which have the same definition; QuickSight takes so many sheets in one."""
        more = f"-{number}" if number > 1 else ""
        properties = {
            "AwsAccountId": self.account,
            f"{kind}Id": f"{self._settings.stem}{more}",
            "Name": f"Landfall {self._settings.stem}{more}",
            "Definition": sheets,
            "Permissions": [{"Principal": self._settings.quicksight, "Actions": _of_quicksight(actions)}],
        }
        return CfnResource(self, f"{kind}{more}", type=f"AWS::QuickSight::{kind}", properties=properties)


def _of_quicksight(actions: Sequence[str]) -> list[str]:
    return [f"quicksight:{action}" for action in actions]


def _identifier(name: str) -> str:
    return name.replace("_", "-")
