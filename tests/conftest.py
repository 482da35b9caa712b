"""Fixtures that all tests share: one Spark session per run, fake credentials before the first client."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_SESSION_TOKEN="testing",
    AWS_DEFAULT_REGION="eu-west-1",
    AWS_EC2_METADATA_DISABLED="true",
    TZ="UTC",
)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """The one Spark session of a test run; buckets are folders, catalogs are called like the layers."""
    from orchestration.embedded.profile import JAVA_FOR_LITTLE
    from orchestration.embedded.session import LAYERS, laptop_session

    root: Path = tmp_path_factory.mktemp("lake")
    buckets = {layer: "test-mart" if layer == "mart" else "test-staging" for layer in LAYERS}
    warehouses = {layer: f"s3://{name}/" for layer, name in buckets.items()}
    session = laptop_session(root, warehouses, ["test-raw"], java_options=f"{JAVA_FOR_LITTLE} -Xms1g -Xmn512m")
    session.conf.set("landfall.test.root", str(root))
    yield session
    session.stop()


@pytest.fixture
def generated_code():
    """The test's Spark generates code, as Glue's does: for few rows that costs more than it saves."""


@pytest.fixture
def profiled(spark, request):
    """The session, set up for little data, or for much where the test asks for generated code."""
    from orchestration.embedded.profile import LITTLE, MUCH

    for name, value in (MUCH if "generated_code" in request.fixturenames else LITTLE).items():
        spark.conf.set(name, value)
    return spark


@pytest.fixture
def lake(profiled):
    """A lake of its own for one test: a database prefix that no other test has."""
    from spark_jobs.layers.lake import Lake

    return Lake(profiled, f"t{uuid.uuid4().hex[:12]}_dev")
