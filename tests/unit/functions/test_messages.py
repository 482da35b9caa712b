"""What people are told: one message for each execution, in words, with all that is needed to act."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from functions.notify_failure.message import attributes, body, subject
from functions.notify_failure.report import Report

ARN = "arn:aws:states:eu-west-1:123456789012:execution:nycflights-dev-table-pipeline:planes-12-5"
CONSOLE = "https://eu-west-1.console.aws.amazon.com"
RUNBOOK = Path(__file__).parents[3] / "docs" / "runbook.md"


def failure(kind: str, name: str, error: str, cause: str, *skipped: str) -> dict[str, Any]:
    return {"kind": kind, "name": name, "error": error, "cause": cause, "skipped": list(skipped)}


def report(*failures: dict[str, Any], summaries: list[dict[str, Any]] | None = None, table: str = "planes") -> Report:
    return Report("nycflights", "dev", table, ARN, {"table": table}, failures, summaries or [])


VIOLATION = failure(
    "stage", "planes", "ContractViolationError", "planes: file crm/x.csv: column seats: 'many' is no int", "dim_planes"
)
LIMIT = failure("stage", "planes", "LimitExceededError", "planes: max_deleted: 4 of 9 living keys would be deleted")
MART = failure("mart", "dim_planes", "SparkException", "no space left", "fct_flights", "daily")
OUTGROWN = MART | {
    "error": "MartSchemaError",
    "cause": 'Or else build the mart anew: start {"table": "weather", "mode": "rebuild", "marts": ["dim_planes"]}',
}
SCHEMA = failure("stage", "planes", "SchemaChangeError", "staging.planes: column seats is int and would be string")
OUT_OF_MEMORY = failure("stage", "planes", "OutOfMemoryError", "Java heap space")
REFUSED = failure("open", "planes", "InvalidRequestError", "mode 'x': it must be one of incremental")
BUSY = failure("open", "planes", "TableBusyError", "the execution planes-1-0 works on planes")
CLOSE = failure("close", "planes", "StaleLeaseError", "planes: another one has taken the table over")
ABORTED = failure("aborted", "planes", "ExecutionAbortedError", "somebody stopped the execution")
NEXT = failure("next", "planes", "LedgerBusyError", "the ledger is overloaded")


@pytest.mark.parametrize(
    ("failures", "line"),
    [
        ([VIOLATION], "[nycflights-dev] planes: a file breaks its contract"),
        ([LIMIT], "[nycflights-dev] planes: stopped by limit max_deleted"),
        ([SCHEMA], "[nycflights-dev] planes: its table cannot follow its contract"),
        ([OUT_OF_MEMORY], "[nycflights-dev] planes: not staged: OutOfMemoryError"),
        ([MART], "[nycflights-dev] planes: mart dim_planes failed: SparkException"),
        ([MART, MART, MART], "[nycflights-dev] planes: mart dim_planes failed: SparkException (+2 more)"),
        ([REFUSED], "[nycflights-dev] planes: refused: InvalidRequestError"),
        ([NEXT], "[nycflights-dev] planes: broken off: LedgerBusyError"),
        ([CLOSE | {"kind": "hand_over"}], "[nycflights-dev] planes: not handed over: StaleLeaseError"),
        (
            [VIOLATION | {"error": "OverwriteRefusedError"}],
            "[nycflights-dev] planes: a file that landed again was refused",
        ),
        ([MART | {"error": "JobTimeoutError"}], "[nycflights-dev] planes: mart dim_planes failed: JobTimeoutError"),
        ([VIOLATION | {"error": "JobTimeoutError"}], "[nycflights-dev] planes: the staging job ran out of time"),
        ([MART | {"error": ""}], "[nycflights-dev] planes: mart dim_planes failed"),
        ([ABORTED], "[nycflights-dev] planes: aborted: ExecutionAbortedError"),
        ([ABORTED | {"kind": "timed_out"}], "[nycflights-dev] planes: timed out: ExecutionAbortedError"),
        ([], "[nycflights-dev] planes: recovered"),
    ],
)
def test_the_subject_says_pipeline_table_and_what(failures: list[dict[str, Any]], line: str) -> None:
    assert subject(report(*failures)) == line


@pytest.mark.parametrize(
    ("failures", "line"),
    [
        ([MART, VIOLATION, MART], "dim_planes, planes failed."),
        ([BUSY], "the execution did not begin."),
        (
            [],
            "recovered. What is tried again by itself was done, and no mart is due. Files that were refused stay so "
            "until they are sent again or replayed.",
        ),
    ],
)
def test_the_first_line_says_what_is_the_matter(failures: list[dict[str, Any]], line: str) -> None:
    assert body(report(*failures)).splitlines()[0] == f"Pipeline nycflights-dev, table planes: {line}"


ANEW, LATER = {"mode": "rebuild"}, {"mode": "incremental", "batch_id": "b"}
REBUILD = {"table": "planes", "mode": "rebuild"}
PLAIN, REPLAY = {"table": "planes"}, {"table": "planes", "mode": "replay", "batch_id": "b"}
MISFIT, STAGING, BEGIN = "a-file-does-not-fit-its-contract", "a-staging-job-fails", "an-execution-could-not-begin"
BROKE_OFF = "an-execution-ended-without-closing-its-batch"


def rerun(failed: dict[str, Any], request: dict[str, Any]) -> Any:
    """Return the input that the message says to start, None where it says none."""
    told = body(Report("nycflights", "dev", str(request.get("table", "")), ARN, request, (failed,), [])).splitlines()
    lines = [line.removeprefix("RERUN") for line in told if line.startswith("RERUN")]
    return json.loads(*lines) if lines else None


@pytest.mark.parametrize("request_", [REBUILD, REBUILD | {"layer": "staging"}])
@pytest.mark.parametrize(
    ("failed", "section", "again"),
    [
        (VIOLATION | LATER, MISFIT, REPLAY),
        (VIOLATION | {"error": "OverwriteRefusedError"}, MISFIT, None),
        (LIMIT | LATER, "a-limit-stopped-a-batch", {"table": "planes", "allow": ["max_deleted"]}),
        (SCHEMA | LATER, "a-contract-that-its-table-cannot-follow", REPLAY),
        (OUT_OF_MEMORY | LATER | {"gave_up": False}, STAGING, PLAIN),
        (OUT_OF_MEMORY | LATER | {"gave_up": True}, STAGING, REPLAY),
        (MART | LATER, "a-mart-fails", PLAIN),
        (OUTGROWN | LATER, "a-mart-fails", {"table": "weather", "mode": "rebuild", "marts": ["dim_planes"]}),
        (OUTGROWN | {"cause": "NULL without a type"}, "a-mart-fails", PLAIN),
        (OUTGROWN | ANEW, "a-mart-fails", REBUILD | {"marts": ["daily", "dim_planes", "fct_flights"]}),
        (MART | ANEW, "a-mart-fails", REBUILD | {"marts": ["daily", "dim_planes", "fct_flights"]}),
        (REFUSED, "an-input-was-refused", None),
        (NEXT, BROKE_OFF, PLAIN),
        (CLOSE, BROKE_OFF, PLAIN),
        (CLOSE | {"kind": "hand_over"}, BROKE_OFF, PLAIN),
        (CLOSE | {"error": "TableRemovedError"}, BROKE_OFF, None),
        (ABORTED, BROKE_OFF, PLAIN),
        (ABORTED | {"kind": "timed_out"}, BROKE_OFF, PLAIN),
    ],
)
def test_a_message_leads_to_a_section_of_the_runbook_and_gives_the_input_for_what_failed(
    failed: dict[str, Any], section: str, again: Any, request_: dict[str, Any]
) -> None:
    told = body(Report("nycflights", "dev", "planes", ARN, request_, (failed,), []))
    headings = [line.lstrip("# ") for line in RUNBOOK.read_text().splitlines() if line.startswith("#")]
    assert f"RUNBOOK  docs/runbook.md#{section}" in told.splitlines()
    assert section in {heading.lower().replace(" ", "-") for heading in headings}
    assert rerun(failed, request_) == again


def test_what_could_not_begin_begins_by_the_same_input() -> None:
    for request in (REBUILD, REBUILD | {"layer": "staging"}):
        assert rerun(BUSY, request) == request
        assert f"#{BEGIN}" in body(Report("nycflights", "dev", "planes", ARN, request, (BUSY,), []))


@pytest.mark.parametrize("failed", [ABORTED, ABORTED | {"kind": "failed"}])
def test_an_execution_of_which_nobody_knows_the_table_is_not_to_be_started_again(failed: dict[str, Any]) -> None:
    assert rerun(failed, {}) is None


def lines(request: dict[str, Any], failed: dict[str, Any]) -> dict[str, str]:
    """Return what the message says of a failure, by the word that begins the line."""
    told = body(Report("nycflights", "dev", "planes", ARN, request, (failed,), [])).split("\n\n")[1]
    return {line[:8].strip(): line[9:] for line in told.splitlines()}


@pytest.mark.parametrize(
    ("kind", "how"), [("aborted", "was aborted"), ("timed_out", "ran out of time"), ("close", "broke off")]
)
def test_how_an_execution_was_cut_off_is_told(kind: str, how: str) -> None:
    told = lines(PLAIN, CLOSE | {"kind": kind})
    assert told["WHAT"] == f"The execution {how} before its work on planes was done."


def test_where_later_files_wait_for_one_that_failed_it_is_to_be_sent_under_its_key() -> None:
    told = lines(PLAIN, VIOLATION | LATER | {"holds": True})
    assert told["SAFE"].endswith("the files stay in the raw bucket. Later files wait for it (on_failed_file: hold).")
    assert told["TO DO"] == (
        "Send the file again as it should be, under the same key, for which later files wait; or correct the contract, "
        "deploy, and replay."
    )


@pytest.mark.parametrize("holds", [False, True])
def test_of_a_snapshot_in_parts_all_are_to_be_replayed_also_after_one_was_sent_again(holds: bool) -> None:
    told = lines(PLAIN, VIOLATION | LATER | {"holds": holds, "in_parts": True})
    key = "the same key, for which later files wait," if holds else "the same key,"
    assert told["SAFE"].endswith("hold)." if holds else "Other snapshots are staged without it.")
    assert told["TO DO"] == (
        f"Send the part again as it should be, under {key} or correct the contract and deploy; then replay: all parts "
        "of its snapshot failed with it."
    )
    told = lines(PLAIN, LIMIT | LATER | {"in_parts": True})
    assert told["TO DO"].endswith(
        "send it again as it should be, under the same key, and replay the other parts of its snapshot."
    )


def test_a_mart_that_could_not_be_built_anew_is_not_said_to_be_built_anew_by_the_next_batch() -> None:
    todo = "Remove the cause and start the rebuild of what it left: the next batch of the table builds nothing anew."
    assert lines(REBUILD, MART | ANEW)["TO DO"] == todo


def test_a_table_that_could_not_be_staged_anew_is_started_as_it_was_and_let_through() -> None:
    request = {"table": "planes", "mode": "rebuild", "layer": "staging", "allow": ["min_rows"]}
    again = {LIMIT["error"]: {**request, "allow": ["max_deleted", "min_rows"]}, OUT_OF_MEMORY["error"]: request}
    for failed in (LIMIT, OUT_OF_MEMORY):
        assert rerun(failed | ANEW, request) == again[failed["error"]]
        assert lines(request, failed | ANEW)["TO DO"] == lines(PLAIN, failed)["TO DO"]


def test_a_file_that_stops_a_rebuild_is_not_to_be_sent_again() -> None:
    request = {"table": "planes", "mode": "rebuild", "layer": "staging"}
    told = Report("nycflights", "dev", "planes", ARN, request, (VIOLATION | ANEW,), [])
    assert body(told).splitlines()[2:8] == [
        "WHAT     A file of planes does not fit its contract: nothing is staged anew.",
        "WHY      ContractViolationError: planes: file crm/x.csv: column seats: 'many' is no int",
        "SAFE     staging.planes and its marts are as they were before the batch.",
        "SKIPPED  dim_planes, because of planes; they show their last good state",
        "TO DO    Correct the contract so that it takes the file too, deploy, and start the rebuild again; one that "
        "was never staged is left out then.",
        f"RERUN    {json.dumps(request)}",
    ]


def test_a_file_that_is_gone_and_stops_a_rebuild_can_be_left_out() -> None:
    request = {"table": "planes", "mode": "rebuild", "layer": "staging", "allow": ["max_deleted"]}
    gone = VIOLATION | ANEW | {"cause": "file crm/x.csv: is gone: somebody deleted its version v from the raw bucket"}
    told = Report("nycflights", "dev", "planes", ARN, request, (gone,), [])
    assert body(told).splitlines()[2:8] == [
        "WHAT     A file of planes is in the raw bucket no more: nothing is staged anew.",
        f"WHY      ContractViolationError: {gone['cause']}",
        "SAFE     staging.planes and its marts are as they were before the batch.",
        "SKIPPED  dim_planes, because of planes; they show their last good state",
        "TO DO    Send it again as it was, under the same key, and start the rebuild again; where its rows may leave "
        "the table with it, this input goes without such files.",
        f"RERUN    {json.dumps({**request, 'allow': ['max_deleted', 'missing_files']})}",
    ]
    in_parts = Report("nycflights", "dev", "planes", ARN, request, (gone | {"in_parts": True},), [])
    assert body(in_parts).splitlines()[6:8] == [
        "TO DO    Send it again as it was, under the same key, and start the rebuild again: no snapshot in parts is "
        "staged without one of them.",
        f"RERUN    {json.dumps(request)}",
    ]


def test_the_body_is_cut_where_sns_takes_no_more_bytes() -> None:
    failures = [failure("mart", f"mart_{n}", "MartSchemaError", "値" * 900) for n in range(100)]
    told = report(*failures)
    most = 250_000 - len(attributes(told)["report"]["StringValue"])
    assert most - 10 < len(body(told).encode()) <= most
    assert body(told).startswith("Pipeline nycflights-dev, table planes")


@pytest.mark.parametrize("mode", ["incremental", "rebuild"])
def test_sns_takes_a_message_of_twenty_marts_that_each_keep_three_hundred_others_from_being_built(mode: str) -> None:
    """Of a rebuild the inputs to start again name them all."""
    skipped = [f"fct_of_customers_by_{n:04}" for n in range(300)]
    broken = (failure("mart", f"dim_{n}", "MartSqlError", "x" * 1000, *skipped) | {"mode": mode} for n in range(20))
    told = report(*broken)
    facts = [text for name, one in attributes(told).items() for text in (name, *one.values())]
    assert len(body(told).encode()) + sum(len(text.encode()) for text in facts) <= 256 * 1024
    detail = json.loads(attributes(told)["report"]["StringValue"])
    assert detail.keys() == {"execution", "failures", *(("input", "rerun") if mode == "incremental" else ())}
    shown = [(one["name"], one["cause"], one["skipped"]) for one in detail["failures"]]
    assert shown == [(f"dim_{n}", "x" * 500, skipped[:20]) for n in range(10)]


def test_the_subject_is_short_and_plain_whatever_the_names_are() -> None:
    told = subject(report(failure("mart", "ä" * 200, "Error\nof many\tlines", ""), MART, table="t" * 60))
    assert len(told) == 100 and told.isascii() and told.isprintable()
    assert told.endswith(" (+1 more)")


def test_the_body_of_a_file_that_breaks_its_contract() -> None:
    summaries = [
        {
            "batch_id": "planes-12-5-0",
            "states": {"failed": 1, "pending": 1},
            "marts": {},
            "failed_files": [{"key": "crm/x.csv", "reason": "'many' is no int"}],
        },
        {
            "batch_id": "planes-12-5-1",
            "states": {"quarantined": 1, "staged": 1},
            "marts": {},
            "rows": {"read": 9, "rejected": 1},
            "quarantined_files": [{"key": "crm/z.csv", "reason": "no date in the key"}],
            "refused_records": [{"file": "crm/y.csv", "row": 2, "column": "seats", "reason": "'x' is no int"}],
        },
    ]
    violation = VIOLATION | {"batch_id": "planes-12-5-0"}
    assert body(report(violation, summaries=summaries)).splitlines() == [
        "Pipeline nycflights-dev, table planes: planes failed.",
        "",
        "WHAT     A file of planes does not fit its contract and was not staged.",
        "WHY      ContractViolationError: planes: file crm/x.csv: column seats: 'many' is no int",
        "SAFE     staging.planes and its marts are as they were before the batch; the files stay in the raw bucket. "
        "Files that fit are staged without it.",
        "SKIPPED  dim_planes, because of planes; they show their last good state",
        "TO DO    Send the file again as it should be, under any key; or correct the contract, deploy, and replay.",
        'RERUN    {"table": "planes", "mode": "replay", "batch_id": "planes-12-5-0"}',
        "RUNBOOK  docs/runbook.md#a-file-does-not-fit-its-contract",
        "",
        "Batches of this execution:",
        "  planes-12-5-0: landings 1 failed, 1 pending",
        "    crm/x.csv: 'many' is no int",
        "  planes-12-5-1: landings 1 quarantined, 1 staged",
        "    crm/z.csv: no date in the key",
        "    in quarantine 1 of 9 records: crm/y.csv record 2: column seats: 'x' is no int",
        "",
        f"Execution: {CONSOLE}/states/home?region=eu-west-1#/v2/executions/details/{ARN}",
        'Its input: {"table": "planes"}',
        f"Logs of its jobs: {CONSOLE}/cloudwatch/home?region=eu-west-1#logsV2:log-groups/log-group/"
        "$252Flandfall$252Fnycflights-dev$252Fjobs$252Foutput",
        f"To start one: {CONSOLE}/states/home?region=eu-west-1#/statemachines/view/"
        "arn:aws:states:eu-west-1:123456789012:stateMachine:nycflights-dev-table-pipeline, New execution",
    ]


def test_skipped_marts_are_told_in_order_and_batches_where_there_were_any() -> None:
    told = body(report(failure("mart", "dim_planes", "SparkException", "", "e", "c", "a", "d", "b"))).splitlines()
    assert "SKIPPED  a, b, c, d, e, because of dim_planes; they show their last good state" in told
    assert "Batches of this execution:" not in told
    batch = {"batch_id": "planes-12-5-1", "states": {}, "marts": {"latest_planes": {}, "dim_planes": {}}}
    told = body(report(MART, summaries=[batch])).splitlines()
    assert "  planes-12-5-1: landings none; marts built: dim_planes, latest_planes" in told


def test_marts_that_a_later_batch_built_are_not_called_skipped() -> None:
    built = [{"batch_id": "b", "states": {"staged": 1}, "marts": {"dim_planes": {"total": 3}}}]
    assert "SKIPPED" not in body(report(VIOLATION, summaries=built))


def test_a_limit_is_let_through_by_the_input_that_the_message_gives() -> None:
    assert 'RERUN    {"table": "planes", "allow": ["max_deleted"]}' in body(report(LIMIT))


@pytest.mark.parametrize(
    ("failures", "kind", "severity"),
    [
        ([VIOLATION], "stage", "error"),
        ([MART], "mart", "error"),
        ([BUSY], "open", "error"),
        ([NEXT], "next", "critical"),
        ([MART, CLOSE], "mart", "critical"),
        ([], "recovered", "info"),
    ],
)
def test_the_same_for_chat_tools(failures: list[dict[str, Any]], kind: str, severity: str) -> None:
    told = {name: one["StringValue"] for name, one in attributes(report(*failures)).items()}
    assert {name: told[name] for name in ("severity", "kind", "table", "pipeline", "environment")} == {
        "severity": severity,
        "kind": kind,
        "table": "planes",
        "pipeline": "nycflights",
        "environment": "dev",
    }
    detail = json.loads(told["report"])
    assert (detail["execution"], detail["failures"], detail["input"]) == (ARN, failures, {"table": "planes"})
