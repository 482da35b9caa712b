"""The CDK's command line bootstraps, deploys and destroys the shop on a moto server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from orchestration.embedded.synth import ROOT, node
from tests.pipeline.conftest import SHOP

pytestmark = pytest.mark.long
CDK = "aws-cdk@2.1148.1"
REGION = "eu-west-1"
ACCOUNT = "123456789012"


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.pipeline.moto_cloud"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_the_stack_is_deployed_and_destroyed_by_the_cdk_s_command_line(endpoint: str, tmp_path: Path) -> None:
    npx = node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npx-cli.js"
    environment = {
        **os.environ,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_DEFAULT_ACCOUNT": ACCOUNT,
        "CDK_DEFAULT_REGION": REGION,
        "JSII_NODE": str(node()),
        "PATH": f"{node().parent}{os.pathsep}{os.environ['PATH']}",
    }
    common = ["--app", f"{sys.executable} app.py", "--context", "env=dev", "--context", f"pipeline={SHOP}"]
    common += ["--output", str(tmp_path / "cdk.out")]

    def cdk(*words: str) -> None:
        done = subprocess.run(
            [str(node()), str(npx), "--yes", CDK, *words],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert done.returncode == 0, done.stderr[-3000:]

    cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}")
    cdk("deploy", *common, "--require-approval", "never", "--method", "direct")
    cloudformation = boto3.client("cloudformation", region_name=REGION, endpoint_url=endpoint)
    [stack] = cloudformation.describe_stacks(StackName="landfall-shop-dev")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    glue = boto3.client("glue", region_name=REGION, endpoint_url=endpoint)
    assert sorted(job["Name"] for job in glue.get_jobs()["Jobs"]) == [
        "shop-dev-maintain",
        "shop-dev-mart-city_sales",
        "shop-dev-mart-dim_customers",
        "shop-dev-mart-fct_orders",
        "shop-dev-mart-latest_customers",
        "shop-dev-stage-customers",
        "shop-dev-stage-orders",
    ]
    cdk("destroy", *common, "--force")
    names = [one["StackName"] for one in cloudformation.describe_stacks()["Stacks"]]
    assert "landfall-shop-dev" not in names
    assert glue.get_jobs()["Jobs"] == []
