"""What people read when a database could not be extracted."""

from __future__ import annotations

from typing import Any

from functions.notify_failure.message import attributes, body, subject
from functions.notify_failure.reading import read_event
from functions.notify_failure.report import Report
from functions.shared.environment import Environment

ARN = "arn:aws:states:eu-west-1:123456789012:execution:shop-dev-extract-source:run-1"
ENVIRONMENT = Environment("ledger", "artifacts", "arn", "plan.json", "shop", "dev", "stage-", "mart-", 1, 1, 1, "topic")
CAUSE = "planes: ops (db.example.com:1521/OPS) does not answer or broke off: Connection refused"


def report(error: str, cause: str) -> Report:
    failure = {"kind": "extract", "name": "planes", "error": error, "cause": cause, "skipped": []}
    return Report("shop", "dev", "planes", ARN, {"table": "planes", "mode": "full"}, [failure])


def test_an_extraction_that_failed_says_that_nothing_landed_and_how_to_start_it_again() -> None:
    told = report("SourceUnavailableError", CAUSE)
    assert subject(told) == "[shop-dev] planes: not extracted: SourceUnavailableError"
    assert body(told).splitlines()[0] == "Pipeline shop-dev, table planes: planes failed."
    assert body(told).split("\n\n")[1].splitlines() == [
        "WHAT     planes could not be extracted from its database, also when it was tried again.",
        f"WHY      SourceUnavailableError: {CAUSE}",
        "SAFE     Nothing half-written lands: staging.planes and its marts are as they were, and so is the watermark.",
        "TO DO    Remove the cause and start the extraction again; the next by schedule reads all that is missing.",
        'RERUN    {"table": "planes", "mode": "full"}',
        "RUNBOOK  docs/runbook.md#an-extraction-fails",
    ]
    assert "stateMachine:shop-dev-extract-source" in body(told)
    assert attributes(told)["severity"]["StringValue"] == "error"


def test_an_input_that_was_refused_is_not_the_one_to_start_again() -> None:
    cause = "planes: mode full would land every row a second time. To set its watermark: start "
    told = report("SourceRefusedError", cause + '{"table": "planes", "watermark": "<value after which to go on>"}')
    assert body(told).split("\n\n")[1].splitlines()[3:5] == [
        "TO DO    Start the input that the sentence above names; where it says <…>, put the value.",
        'RERUN    {"table": "planes", "watermark": "<value after which to go on>"}',
    ]


def test_a_table_that_is_not_extracted_is_an_input_that_was_refused() -> None:
    told = report("InvalidRequestError", "planes is not extracted from a database")
    assert "The execution's input was refused; nothing was done." in body(told)


def test_an_extraction_that_was_cut_off_is_told_as_an_extraction() -> None:
    detail: dict[str, Any] = {
        "executionArn": ARN,
        "stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:shop-dev-extract-source",
        "status": "ABORTED",
        "input": '{"table": "planes"}',
    }
    told = read_event({"source": "aws.states", "detail": detail}, ENVIRONMENT)
    assert (told.kind, told.failures[0]["error"]) == ("extract", "ExecutionAbortedError")
    assert "planes could not be extracted from its database." in body(told)


def test_an_extraction_that_succeeds_again_is_told_so() -> None:
    told = Report("shop", "dev", "planes", ARN, {"table": "planes"}, [])
    assert subject(told) == "[shop-dev] planes: extracted again"
    again = "Pipeline shop-dev, table planes: it is extracted again; what was missing has landed."
    assert body(told).splitlines()[0] == again
