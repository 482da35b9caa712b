"""What operators read: status, failures with the next step, progress, and a night of the demo in one line."""

from __future__ import annotations

import dataclasses
import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from functions.notify_failure.message import Report, body, subject
from orchestration.embedded.cli import words
from orchestration.embedded.cli.demo import changes, describe, next_commands
from orchestration.embedded.cli.options import DEFAULT_LAKE, DEFAULT_PIPELINE, Places
from orchestration.embedded.cli.outcome import print_result, print_run, told
from orchestration.embedded.cli.progress import Follower
from orchestration.embedded.cli.status import advice, as_object, print_status
from orchestration.embedded.cli.tables import print_result as print_table
from orchestration.embedded.demo import Round
from orchestration.embedded.report import (
    EXTRACTION,
    Batch,
    Execution,
    FailedFile,
    Happened,
    Notification,
    Status,
    TableStatus,
)

HERE = Places(DEFAULT_PIPELINE, DEFAULT_LAKE)
BEGUN = datetime(2024, 3, 1, 4, 5, tzinfo=UTC)
BOOKS = {
    "read": 3321,
    "inserted": 0,
    "updated": 1,
    "unchanged": 3320,
    "duplicate": 0,
    "rejected": 0,
    "deleting": 0,
    "deleted": 1,
}


def execution(status: str = "SUCCEEDED", **more: Any) -> Execution:
    ended = {"started": BEGUN, "stopped": BEGUN + timedelta(seconds=12.34)} | more
    return Execution(
        name="planes-1", arn="arn:planes-1", table="planes", input={"table": "planes"}, status=status, **ended
    )


BATCH = {"batch_id": "planes-1-0", "landings": 1, "rows": BOOKS, "marts": {"latest": None, "dim": None}}
GOOD = execution(output={"table": "planes", "batches": [BATCH]}, batches=(BATCH,))
BAD = execution("FAILED", error="ContractViolationError", cause="planes: file a.csv: column seats: 'many' is no int")
TRIPPED = execution("FAILED", error="LimitExceededError", cause="planes: max_deleted: 9 of 10 living keys would be …")


def notification(failed: Execution, kind: str, *skipped: str) -> Notification:
    """Return what notify_failure sends about an execution whose planes or dim_planes failed."""
    name = "dim_planes" if kind == "mart" else "planes"
    failure = {"kind": kind, "name": name, "error": failed.error, "cause": failed.cause, "skipped": list(skipped)}
    report = Report("nycflights", "dev", "planes", failed.arn, {"table": "planes"}, [failure])
    return Notification(subject(report), body(report), {})


def test_a_run_prints_books_then_failures_in_the_words_of_the_notification(capsys: pytest.CaptureFixture[str]) -> None:
    print_run(HERE, [GOOD, BAD], [notification(BAD, "stage")], unrouted=2)
    printed = capsys.readouterr().out
    [row] = [line for line in printed.splitlines() if line.startswith("│ planes")]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "planes", "1", "3321", "0", "1", "3320", "0", "0", "0", "1", "dim, latest",
    ]  # fmt: skip
    after = printed[printed.index("FAILED") :].splitlines()
    assert after[:3] == [
        "FAILED  planes  ContractViolationError",
        "  WHAT     A file of planes does not fit its contract and was not staged.",
        "  WHY      ContractViolationError: planes: file a.csv: column seats: 'many' is no int",
    ]
    assert [line.split()[0] for line in after[3:-2]] == ["SAFE", "TO", "RERUN", "RUNBOOK"]
    assert after[-2:] == [
        "2 objects unrouted: no contract's prefix claims the key.",
        "1 execution succeeded, 1 failed.",
    ]


def test_a_run_without_work_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_run(HERE, [], [])
    assert capsys.readouterr().out == "Nothing was pending.\n"


@pytest.mark.parametrize(
    ("failed", "kind", "request_text"),
    [
        (TRIPPED, "stage", """'{"table": "planes", "allow": ["max_deleted"]}'"""),
        (execution("FAILED", error="SparkException", cause="lost"), "mart", """'{"table": "planes"}'"""),
    ],
)
def test_the_input_to_rerun_is_a_command(failed: Execution, kind: str, request_text: str) -> None:
    [rerun] = [line for line in told(HERE, failed, [notification(failed, kind)]) if line.startswith("RERUN")]
    assert rerun == f"RERUN    .venv/bin/landfall start {request_text}"


@pytest.mark.parametrize(
    ("mode", "option"),
    [
        ({}, ""),
        ({"mode": "full"}, " --full"),
        ({"watermark": "2013-01-02 00:00:00"}, " --watermark '2013-01-02 00:00:00'"),
    ],
)
def test_an_extraction_is_begun_again_by_the_command_that_extracts(mode: dict[str, str], option: str) -> None:
    arn = "arn:aws:states:eu-west-1:123456789012:execution:shop-dev-extract-source:planes-1"
    lost = dataclasses.replace(execution("FAILED", error="SourceUnavailableError", cause="no answer"), arn=arn)
    failure = {"kind": "extract", "name": "planes", "error": lost.error, "cause": lost.cause, "skipped": []}
    report = Report("shop", "dev", "planes", arn, {"table": "planes", **mode}, [failure])
    lines = told(HERE, lost, [Notification(subject(report), body(report), {})])
    assert f"RERUN    .venv/bin/landfall extract planes{option}" in lines
    assert told(HERE, lost, [])[-1] == "RERUN    .venv/bin/landfall extract planes"


def test_the_newest_notification_of_an_execution_counts_and_no_other_s() -> None:
    other = notification(dataclasses.replace(BAD, arn="arn:other"), "stage")
    lines = told(HERE, BAD, [notification(BAD, "stage"), notification(BAD, "mart", "fct"), other])
    assert lines[0] == "WHAT     The mart dim_planes could not be built."
    assert "SKIPPED  fct, because of dim_planes; they show their last good state" in lines


def test_an_execution_that_nobody_was_told_of_speaks_for_itself() -> None:
    elsewhere = Places(Path("contracts/shop"), Path("my lake"))
    assert told(elsewhere, execution("TIMED_OUT"), []) == [
        "WHY      no cause was given",
        "RERUN    .venv/bin/landfall --pipeline contracts/shop --lake 'my lake' start "
        """'{"table": "planes"}'""",
    ]


def test_a_result_is_its_state_and_its_output_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(HERE, GOOD, [])
    first, _, rest = capsys.readouterr().out.partition("\n")
    assert (first, json.loads(rest)) == ("SUCCEEDED  planes  planes-1  12.3 s", GOOD.output)


STATUS = Status(
    tables=(
        TableStatus("flights", {"staged": 14, "duplicate": 3}, Batch("f-1", "published", BEGUN, BEGUN), None),
        TableStatus(
            table="planes",
            landings={"pending": 2, "failed": 7},
            lag=timedelta(minutes=3),
            failing=True,
            due_marts=("dim_planes", "fct"),
            failed=tuple(FailedFile(f"planes/{n}.csv", "'x' is no int") for n in range(7)),
        ),
    ),
    executions=(BAD, GOOD),
    unrouted=1,
    queued=3,
    dead=1,
)


def test_status_shows_landings_last_batch_lag_and_executions(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(STATUS)
    lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert cells == [
        ["flights", "0", "0", "14", "0", "0", "3", "0", "published 2024-03-01 04:05 UTC", "none"],
        ["planes", "2", "0", "0", "7", "0", "0", "0", "none", "3 min 00 s"],
        ["planes", "FAILED", "2024-03-01 04:05 UTC", "12.3 s", "planes-1", "ContractViolationError"],
        ["planes", "SUCCEEDED", "2024-03-01 04:05 UTC", "12.3 s", "planes-1", ""],
    ]
    assert lines[-len(advice(STATUS)) :] == advice(STATUS)


def test_status_says_what_waits_for_whom() -> None:
    assert advice(STATUS) == [
        *(f"planes: planes/{n}.csv failed: 'x' is no int" for n in range(5)),
        "planes: 2 more failed: landfall status --json tells why",
        """planes: dim_planes and fct not up to date; landfall start '{"table": "planes"}'""",
        "3 events in the queue: landfall run works on what has landed.",
        "2 landings pending: landfall run works on them.",
        "1 object unrouted: no contract's prefix claims the key.",
        "1 message in the dead-letter queue: see the logs of receive_files in logs/functions.",
    ]


def test_status_tells_files_that_run_would_not_take() -> None:
    table = TableStatus("planes", {"pending": 2, "failed": 1}, held=1, held_by="planes/1.csv")
    assert advice(Status((table,))) == [
        "planes: 1 landing waits for planes/1.csv, which failed (on_failed_file: hold): land that key again as it "
        "should be (and replay the others of a snapshot in parts), or replay it; under another key it waits too",
        "1 landing pending: landfall run works on them.",
    ]


def test_no_key_or_value_speaks_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    failed = FailedFile("planes/\x1b]0;owned\x07\nplanes: all is well.csv", "'\x9b2J' is no int")
    print_status(Status((TableStatus("planes", {"failed": 1}, failed=(failed,)),)))
    print_table(["na\x1bme"], [("\x1b[2JAda\tB\nC\r",)])
    out = capsys.readouterr().out
    assert "planes: planes/\\x1b]0;owned\\x07\\nplanes: all is well.csv failed: '\\x9b2J' is no int\n" in out
    assert "na\\x1bme" in out and "\\x1b[2JAda" in out and "C\\r" in out
    assert not set("\x1b\x07\x9b\r").intersection(out)


def test_status_of_a_new_lake_says_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(Status((TableStatus("planes", {}),)))
    assert capsys.readouterr().out.splitlines()[-1] == (
        "No execution has run in this lake: land a file, then landfall run."
    )


def test_status_of_a_lake_where_all_waits_in_the_queue(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(Status((TableStatus("planes", {}),), queued=1))
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "No execution has run in this lake.",
        "1 event in the queue: landfall run works on what has landed.",
    ]


def test_status_as_json_has_iso_times_and_seconds() -> None:
    seen = json.loads(json.dumps(as_object(Places(Path("p"), Path("l")), STATUS)))
    assert (seen["pipeline"], seen["lake"], seen["unrouted"]) == ("p", "l", 1)
    assert (seen["queued"], seen["dead_letters"]) == (3, 1)
    assert seen["tables"][1]["lag"] == 180
    assert seen["tables"][0]["last_batch"]["closed"] == "2024-03-01T04:05:00Z"
    assert seen["tables"][0]["landings"] == {"staged": 14, "duplicate": 3}
    assert (seen["executions"][0]["status"], seen["executions"][0]["seconds"]) == ("FAILED", 12.34)


def test_progress_writes_a_line_for_each_job_that_ends_and_each_failure() -> None:
    text = io.StringIO()
    follow = Follower(Console(file=text, width=200), None)
    follow(Happened("execution", "planes", "planes-1", "RUNNING"))
    follow(Happened("state", "planes", "Stage the table", ""))
    assert follow.now() == "planes: Stage the table"
    follow(Happened("job", "planes", "planes", "starting"))
    follow(Happened("job", "planes", "planes", "running"))
    assert follow.now() == "planes: planes"
    follow(Happened("job", "planes", "planes", "succeeded"))
    follow(Happened("job", "planes", "dim_planes", "running"))
    follow(Happened("job", "planes", "dim_planes", "failed"))
    follow(Happened("job", "planes_register", EXTRACTION, "running"))
    follow(Happened("job", "planes_register", EXTRACTION, "succeeded"))
    follow(Happened("execution", "planes", "planes-1", "FAILED"))
    follow(Happened("notification", "planes", "", "[nycflights] planes failed"))
    assert text.getvalue().splitlines() == [
        "planes: staged in 0.0 s",
        "planes: failed: dim_planes in 0.0 s",
        "planes_register: extracted in 0.0 s",
        "planes: execution planes-1 FAILED",
        "notified: [nycflights] planes failed",
    ]
    assert follow.now() == "waiting for events"


def test_a_few_nights_of_the_demo_are_one_line() -> None:
    done = Round(date(2013, 1, 4), date(2013, 1, 6), (), (GOOD,))
    assert describe(done, timedelta(seconds=6)) == (
        "2013-01-04 to 2013-01-06, 0 files, 6.0 s: planes 3,321 read (1 updated, 1 deleted)"
    )


def test_what_was_extracted_meanwhile_is_told_first() -> None:
    extracted = replace(
        GOOD, table="planes_register", batches=(), output={"rows": 3321, "key": "reference/…", "state": "landed"}
    )
    done = Round(date(2013, 1, 4), date(2013, 1, 6), (), (extracted, GOOD))
    assert describe(done, timedelta(seconds=6)).endswith(
        "planes_register 3,321 extracted by JDBC; planes 3,321 read (1 updated, 1 deleted)"
    )


def test_a_night_that_landed_before_says_so() -> None:
    done = Round(date(2013, 1, 4), date(2013, 1, 4), (), ())
    assert describe(done, timedelta(seconds=1)) == (
        "2013-01-04, 0 files, 1.0 s: landed before, and duplicates change nothing"
    )


def test_a_batch_that_changes_nothing_says_so() -> None:
    assert changes({"read": 3321, "unchanged": 3321}) == "3,321 read (no change)"


@pytest.mark.parametrize(("lake", "option"), [(DEFAULT_LAKE, ""), (Path("my lake"), " --lake 'my lake'")])
def test_the_next_commands_name_the_lake_when_it_is_another(lake: Path, option: str) -> None:
    commands = [command for _, command in next_commands(Places(DEFAULT_PIPELINE, lake), Path("late.csv"), "a/b.csv")]
    assert len(commands) == 3
    assert all(part.startswith(f".venv/bin/landfall{option} ") for c in commands for part in c.split(" && "))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (59.94, "59.9 s"), (185, "3 min 05 s"), (7_800, "2 h 10 min"), (442_800, "5 d 3 h")],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert words.duration(timedelta(seconds=seconds)) == text


def test_words_are_counted_and_listed() -> None:
    assert [words.counted(n, "batch", "batches") for n in (0, 1, 2_000)] == ["0 batches", "1 batch", "2,000 batches"]
    assert [words.listed(w) for w in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
