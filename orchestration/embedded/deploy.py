"""Deploys an assembly into moto: assets to the bootstrap bucket, the template to CloudFormation."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import boto3

from orchestration.embedded.resources import teach_moto
from orchestration.embedded.synth import NESTED, Assembly, Asset

ACCOUNT = "123456789012"  # moto's
REGION: Literal["eu-west-1"] = "eu-west-1"
_BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"
_BOOTSTRAP_VERSION = "30"
_LONGEST_BUCKET_NAME = 63
_SUFFIX_LENGTH = 12


@dataclass(frozen=True)
class Stack:
    """What was deployed: physical ids by logical id, those in nested stacks too, and the outputs."""

    name: str
    resources: Mapping[str, str]
    outputs: Mapping[str, str]


def deploy(assembly: Assembly, lake_id: str) -> Stack:
    """Create the stack of an assembly; names that CloudFormation makes up depend on the lake's id alone."""
    teach_moto()
    _bootstrap(assembly)
    cloudformation = boto3.client("cloudformation", region_name=REGION)
    with _steady_names(lake_id), _json_templates():
        cloudformation.create_stack(
            StackName=assembly.stack_name,
            TemplateBody=assembly.template_text,
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    resources = dict(_resources(cloudformation, assembly.stack_name))
    [stack] = cloudformation.describe_stacks(StackName=assembly.stack_name)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())}
    return Stack(assembly.stack_name, resources, outputs)


def _resources(cloudformation: Any, stack: str) -> Iterator[tuple[str, str]]:
    """Yield logical and physical ids of a stack's resources and of those nested in it."""
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for one in page["StackResourceSummaries"]:
            yield one["LogicalResourceId"], one["PhysicalResourceId"]
            if one["ResourceType"] == NESTED:
                yield from _resources(cloudformation, one["PhysicalResourceId"])


def _bootstrap(assembly: Assembly) -> None:
    """Provide what `cdk bootstrap` and AWS itself provide: the assets' bucket and public parameters."""
    s3 = boto3.client("s3", region_name=REGION)
    ssm = boto3.client("ssm", region_name=REGION)
    ssm.put_parameter(Name=_BOOTSTRAP, Value=_BOOTSTRAP_VERSION, Type="String")
    parameters = [one["Default"] for one in assembly.template.get("Parameters", {}).values()]
    publish_layers(name for name in parameters if name.startswith("/aws/service/powertools/"))
    assets = list(assembly.assets(ACCOUNT, REGION))
    for bucket in sorted({asset.bucket for asset in assets}):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for asset in assets:
        s3.put_object(Bucket=asset.bucket, Key=asset.key, Body=_content(asset))


def publish_layers(parameters: Iterable[str]) -> None:
    """Publish an empty layer in the place of the public one, and the parameters that hold its ARN.

    Functions run in this process, which has Powertools. The names of public parameters are reserved, so that
    PutParameter refuses them.
    """
    from moto.ssm import models

    parameter_model: Any = models.Parameter

    lambda_ = boto3.client("lambda", region_name=REGION)
    layer = lambda_.publish_layer_version(LayerName="AWSLambdaPowertoolsPythonV3", Content={"ZipFile": _zip({})})
    backend = models.ssm_backends[ACCOUNT][REGION]
    for parameter in parameters:
        backend._parameters[parameter].append(
            parameter_model(
                account_id=ACCOUNT,
                name=parameter,
                value=layer["LayerVersionArn"],
                parameter_type="String",
                description="",
                allowed_pattern=None,
                keyid=None,
                last_modified_date=datetime.now(UTC),
                version=1,
                data_type="text",
            )
        )


def _content(asset: Asset) -> bytes:
    if not asset.is_folder:
        return asset.path.read_bytes()
    return _zip({path.relative_to(asset.path).as_posix(): path for path in sorted(asset.path.rglob("*.*"))})


def _zip(files: Mapping[str, Path]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, path in files.items():
            if path.is_file():
                archive.write(path, name)
    return packed.getvalue()


@contextmanager
def _steady_names(lake_id: str) -> Iterator[None]:
    """Let the names that CloudFormation makes up be the same in every command: table files hold bucket names."""

    def name(resource_type: str, stack_name: str, logical_id: str) -> str:
        suffix = hashlib.sha256(f"{lake_id} {logical_id}".encode()).hexdigest()[:_SUFFIX_LENGTH]
        if resource_type != "AWS::S3::Bucket":
            return f"{stack_name}-{logical_id}-{suffix}"
        end = f"-{logical_id}-{suffix}".lower()
        return f"{stack_name[: _LONGEST_BUCKET_NAME - len(end)]}{end}"

    with mock.patch("moto.cloudformation.parsing.generate_resource_name", name):
        yield


@contextmanager
def _json_templates() -> Iterator[None]:
    """Let moto read the templates as the JSON that they are; as YAML, which JSON is too, it takes a second."""
    with mock.patch("moto.cloudformation.models.Stack.parse_template", staticmethod(json.loads)):
        yield
