"""EventBridge: what Step Functions tells of an execution's end, to the functions that the deployed rules name."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.events.models import EventPattern

from orchestration.embedded.report import Execution

_MILLISECONDS = 1000


def tell_rules(
    events: Any, execution: Execution, machine: str, invoke: Callable[[str, Any], Mapping[str, Any]]
) -> None:
    """Invoke the Lambda targets of the rules that match an execution's end."""
    event = status_change(execution, machine)
    for rule in events.list_rules()["Rules"]:
        pattern = rule.get("EventPattern")
        if rule["State"] == "ENABLED" and pattern and EventPattern.load(pattern).matches_event(event):
            for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
                if ":lambda:" in target["Arn"]:
                    invoke(target["Arn"], event)


def status_change(execution: Execution, machine: str) -> Any:
    """Return the event `Step Functions Execution Status Change` of an execution."""
    region, account = execution.arn.split(":")[3:5]
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": account,
        "time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "region": region,
        "resources": [execution.arn],
        "detail": {
            "executionArn": execution.arn,
            "stateMachineArn": machine,
            "name": execution.name,
            "status": execution.status,
            "startDate": _milliseconds(execution.started),
            "stopDate": _milliseconds(execution.stopped),
            "input": json.dumps(execution.input),
            "output": json.dumps(execution.output) if execution.output is not None else None,
            "error": execution.error,
            "cause": execution.cause,
        },
    }


def _milliseconds(when: datetime | None) -> int | None:
    return int(when.timestamp() * _MILLISECONDS) if when else None
