"""Job arguments as Glue hands them over, and those that it keeps for itself."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from orchestration import embedded

UTILS = Path(embedded.__file__).parent / "glue_shim" / "awsglue" / "utils.py"
ARGUMENTS = ["job.py", "--table", "planes", "--mode", "x", "--JOB_NAME", "stage"]


@pytest.fixture(scope="module")
def utils() -> ModuleType:
    spec = importlib.util.spec_from_file_location("glue_utils", UTILS)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_script_gets_the_arguments_that_it_asks_for(utils: ModuleType) -> None:
    assert utils.getResolvedOptions(ARGUMENTS, ["table", "JOB_NAME"]) == {"table": "planes", "JOB_NAME": "stage"}


def test_an_argument_that_is_missing_or_glue_s_own_is_refused(utils: ModuleType) -> None:
    with pytest.raises(utils.GlueArgumentError, match="--result"):
        utils.getResolvedOptions(ARGUMENTS, ["table", "result"])
    with pytest.raises(utils.GlueArgumentError, match="--mode is an argument of Glue's own"):
        utils.getResolvedOptions(ARGUMENTS, ["table", "mode"])
