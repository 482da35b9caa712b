"""The template before two judges: cdk-nag's AwsSolutions rules and cfn-lint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from tests.infrastructure.stack import mistakes, synthesize


def test_every_finding_of_cdk_nag_is_mended_or_acknowledged(tmp_path: Path) -> None:
    def judge(app: App) -> None:
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))

    try:
        synthesize(tmp_path / "out", tmp_path / "build", prepare=judge)
    except RuntimeError:
        report = json.loads((tmp_path / "out" / "validation-report.json").read_text())
        violations = [v for plugin in report["pluginReports"] for v in plugin["violations"]]
        assert [(v["ruleName"], v["violatingConstructs"][0]["constructPath"]) for v in violations] == []
        raise


@pytest.mark.long
def test_cfn_lint_finds_nothing(cdk_out: Path) -> None:
    assert mistakes(cdk_out) == []
