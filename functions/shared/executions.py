"""Executions of the state machine: whether one still runs, and how one is started."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

RUNNING = ("RUNNING", "PENDING_REDRIVE")


@dataclass(frozen=True)
class Executions:
    """The executions of one state machine."""

    client: Any
    state_machine_arn: str

    def arn(self, name: str) -> str:
        return self.state_machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"

    def is_running(self, arn: str) -> bool:
        """Tell whether an execution runs; one that Step Functions has forgotten does not."""
        try:
            status = self.client.describe_execution(executionArn=arn)["status"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
                return False
            raise
        return status in RUNNING

    def start(self, name: str, request: Mapping[str, Any]) -> bool:
        """Start an execution; False where one of this name exists and is not the same request still running."""
        try:
            self.client.start_execution(
                stateMachineArn=self.state_machine_arn, name=name, input=json.dumps(request, sort_keys=True)
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionAlreadyExists":
                return False
            raise
        return True
