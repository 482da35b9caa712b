"""SageMaker: a notebook instance that reads the marts, with a first notebook on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aws_cdk import ArnFormat, CfnOutput, Fn, RemovalPolicy, Stack, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from contracts.model import Plan
from orchestration.acknowledgments import acknowledge
from orchestration.grants import allow
from orchestration.settings import Settings

NOTEBOOK = Path("orchestration", "notebooks", "marts.ipynb")
SETUP = Path("orchestration", "notebooks", "on_start.sh")
_LOG_GROUP = "/aws/sagemaker/NotebookInstances"


class SageMakerStack(Stack):
    """One instance whose role reads marts; its volume is encrypted under a key of its own."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        plan: Plan,
        readers: iam.IManagedPolicy,
        workgroup: str,
        root: Path,
        **options: Any,
    ) -> None:
        super().__init__(scope, construct_id, description=f"Landfall {settings.stem}: notebooks on marts", **options)
        self._settings = settings
        self.role = self._build_role(readers)
        self.key = self._build_key()
        self.notebook = s3_assets.Asset(self, "Marts", path=str(root / NOTEBOOK))
        self._allow_notebook()
        setup = self._build_setup((root / SETUP).read_text(encoding="utf-8"), plan, workgroup)
        self.instance = self._build_instance(setup)
        CfnOutput(self, "NotebookName", value=self.instance.ref)
        for name, value in {"landfall:pipeline": settings.pipeline, "landfall:env": settings.env}.items():
            Tags.of(self).add(name, value)

    def _build_role(self, readers: iam.IManagedPolicy) -> iam.Role:
        """Build a role that reads marts and writes its own logs."""
        role = iam.Role(
            self,
            "Analyst",
            assumed_by=iam.ServicePrincipal(
                "sagemaker.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            ),
            managed_policies=[readers],
        )
        streams = self.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{_LOG_GROUP}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        actions = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
        allow(role, actions, [streams], "SageMaker names the streams; the group is the border.")
        return role

    def _build_key(self) -> kms.Key:
        """Build the key under which the instance's volume is encrypted."""
        return kms.Key(
            self,
            "Key",
            description=f"Landfall {self._settings.stem}: the notebook's volume",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _allow_notebook(self) -> None:
        bucket = self.notebook.bucket
        allow(self.role, ("s3:GetObject",), [bucket.arn_for_objects(self.notebook.s3_object_key)])

    def _build_setup(self, script: str, plan: Plan, workgroup: str) -> sagemaker.CfnNotebookInstanceLifecycleConfig:
        """Fill the script's placeholders; it runs whenever the instance starts."""
        told = {
            "database": self._settings.database("mart"),
            "workgroup": workgroup,
            "marts": sorted(plan.marts),
        }
        values = {"Settings": json.dumps(told), "Notebook": self.notebook.s3_object_url}
        hook = sagemaker.CfnNotebookInstanceLifecycleConfig.NotebookInstanceLifecycleHookProperty(
            content=Fn.base64(Fn.sub(script, values))
        )
        return sagemaker.CfnNotebookInstanceLifecycleConfig(self, "Setup", on_start=[hook])

    def _build_instance(self, setup: sagemaker.CfnNotebookInstanceLifecycleConfig) -> sagemaker.CfnNotebookInstance:
        subnet, *groups = self._settings.sagemaker.split(",")
        has_network = subnet != "true"
        instance = sagemaker.CfnNotebookInstance(
            self,
            "Instance",
            instance_type="ml.t3.medium",
            platform_identifier="notebook-al2023-v1",
            role_arn=self.role.role_arn,
            kms_key_id=self.key.key_arn,
            lifecycle_config_name=setup.attr_notebook_instance_lifecycle_config_name,
            root_access="Disabled",
            volume_size_in_gb=20,
            direct_internet_access="Disabled" if has_network else "Enabled",
            subnet_id=subnet if has_network else None,
            security_group_ids=groups or None,
            instance_metadata_service_configuration=(
                sagemaker.CfnNotebookInstance.InstanceMetadataServiceConfigurationProperty(
                    minimum_instance_metadata_service_version="2"
                )
            ),
        )
        instance.node.add_dependency(self.role)
        if not has_network:
            why = "The setting names no subnet: a pipeline has no network of its own. With one, both are as asked."
            acknowledge(instance, "SM1", why)
            acknowledge(instance, "SM3", why)
        return instance
