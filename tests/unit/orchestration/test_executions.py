"""Executions of earlier commands, brought back."""

from __future__ import annotations

from typing import Any

from moto import mock_aws

from orchestration.embedded.executions import Executions, Hooks


def nobody(*_: Any) -> None:
    """Hear what executions do, and do nothing."""


def test_an_execution_of_a_machine_that_is_gone_is_known_all_the_same() -> None:
    arn = "arn:aws:states:eu-west-1:123456789012:execution:shop-dev-extract-source:one"
    words = dict.fromkeys(("output", "error", "cause", "stopped"))
    machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:shop-dev-extract-source"
    began = {"arn": arn, "name": "one", "machine": machine, "input": "{}", "started": "2024-01-01T00:00:00+00:00"}
    executions = Executions(1, Hooks(nobody, nobody, nobody))
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        died = executions.restore([{**words, **began, "status": "RUNNING"}], "123456789012", "eu-west-1")
    assert [(one.name, one.status) for one in died] == [("one", "ABORTED")]
    assert executions.all() == died
