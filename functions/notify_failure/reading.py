"""Read the two events that ask for a message: the state machine's own, and EventBridge's about one cut off."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent

from functions.notify_failure.report import Report
from functions.shared.environment import Environment

_CUT_OFF = {
    "ABORTED": ("aborted", "ExecutionAbortedError", "somebody stopped the execution"),
    "FAILED": ("failed", "ExecutionFailedError", "the machine itself failed; the execution's last state says where"),
    "TIMED_OUT": ("timed_out", "ExecutionTimedOutError", "the execution took longer than the machine allows"),
}
_KINDS = {"-extract-source": "extract", "-maintain-lake": "maintain"}


def read_event(event: Mapping[str, Any], environment: Environment) -> Report:
    """Return what the event reports."""
    if event.get("source") == "aws.states":
        return _cut_off(EventBridgeEvent(dict(event)), environment)
    return Report(
        pipeline=environment.pipeline,
        environment=environment.environment,
        table=_text(event["table"]),
        execution=event["execution"]["id"],
        request=event["input"],
        failures=[] if event.get("recovered") else _lines(event["failures"]),
        summaries=_lines(event["summaries"]),
        redrives=int(event["execution"].get("redrives", 0)),
    )


def _cut_off(event: EventBridgeEvent, environment: Environment) -> Report:
    detail = event.detail
    kind, error, cause = _CUT_OFF[detail["status"]]
    request = _request(detail.get("input"))
    table = _text(request.get("table"))
    machine = str(detail["stateMachineArn"])
    kind = next((own for end, own in _KINDS.items() if machine.endswith(end)), kind)
    name, why = detail.get("error") or error, detail.get("cause") or cause
    return Report(
        pipeline=environment.pipeline,
        environment=environment.environment,
        table=table,
        execution=detail["executionArn"],
        request=request,
        failures=[{"kind": kind, "name": table or "the execution", "error": name, "cause": _lines(why), "skipped": []}],
        redrives=int(detail.get("redriveCount") or 0),
        is_end=detail["status"] == "FAILED",
        is_cut_off=detail["status"] != "FAILED",
    )


def _request(text: str | None) -> Mapping[str, Any]:
    try:
        request = json.loads(text or "{}")
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


def _lines(value: Any) -> Any:
    """Return what came with files, every text of it in one line: no key or value writes lines of a message."""
    if isinstance(value, Mapping):
        return {name: _lines(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_lines(one) for one in value]
    if isinstance(value, str):
        return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in value)
    return value


def _text(value: Any) -> str:
    return str(_lines(value)) if isinstance(value, str) else ""
