"""What people read when a maintenance failed."""

from __future__ import annotations

import json

from functions.notify_failure.message import attributes, body, subject
from functions.notify_failure.reading import read_event
from functions.notify_failure.report import Report
from functions.shared.environment import Environment

ENVIRONMENT = Environment("ledger", "artifacts", "arn", "plan.json", "shop", "dev", "stage-", "mart-", 1, 1, 1, "topic")
ARN = "arn:aws:states:eu-west-1:123456789012:execution:shop-dev-maintain-lake:run-1"


def report(error: str, cause: str) -> Report:
    failure = {"kind": "maintain", "name": "the maintenance", "error": error, "cause": cause, "skipped": []}
    return Report("shop", "dev", "", ARN, {}, [failure])


def test_a_maintenance_that_failed_says_that_no_data_is_at_stake() -> None:
    told = report("MaintenanceFailedError", "staging.planes: OSError: no space")
    assert subject(told) == "[shop-dev] maintenance: failed: MaintenanceFailedError"
    assert body(told).split("\n\n")[:2] == [
        "Pipeline shop-dev: the maintenance of its tables failed.",
        "WHAT     The maintenance left tables as they were.\n"
        "WHY      MaintenanceFailedError: staging.planes: OSError: no space\n"
        "SAFE     Every table is whole and shows all its rows: what was not done costs storage and speed, no data.\n"
        "TO DO    Remove the cause; the next maintenance does what this one left, and so does one that is started "
        "now.\n"
        "RUNBOOK  docs/runbook.md#a-maintenance-fails",
    ]
    assert attributes(told)["severity"]["StringValue"] == "error"


def test_an_input_that_was_refused_is_told_as_such() -> None:
    assert "The execution's input was refused; nothing was done." in body(report("InvalidRequestError", "must be {}"))


def test_a_maintenance_that_was_cut_off_is_told_as_a_maintenance() -> None:
    detail = {
        "executionArn": ARN,
        "stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:shop-dev-maintain-lake",
        "status": "TIMED_OUT",
        "input": json.dumps({}),
    }
    told = read_event({"source": "aws.states", "detail": detail}, ENVIRONMENT)
    assert (told.kind, told.failures[0]["error"]) == ("maintain", "ExecutionTimedOutError")
    assert subject(told) == "[shop-dev] maintenance: failed: ExecutionTimedOutError"
