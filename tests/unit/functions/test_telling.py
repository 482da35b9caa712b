"""Who is told, and how often: each failure once, whoever tries again meanwhile."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from functions.notify_failure.handler import handle
from functions.notify_failure.message import attributes, body, subject
from functions.notify_failure.reading import read_event
from tests.unit.functions.conftest import Pipeline, environment, recorded
from tests.unit.functions.test_messages import (
    ABORTED,
    ARN,
    BUSY,
    CLOSE,
    MART,
    NEXT,
    OUT_OF_MEMORY,
    REFUSED,
    VIOLATION,
    failure,
)


class Topic:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def publish(self, **message: Any) -> None:
        self.messages.append(message)

    @property
    def subjects(self) -> list[str]:
        return [message["Subject"] for message in self.messages]


def event(**changes: Any) -> dict[str, Any]:
    """Return what the state machine asks with."""
    told = {"execution": {"id": ARN, "name": "planes-12-5"}, "table": "planes", "input": {"table": "planes"}}
    return told | {"failures": [VIOLATION], "summaries": []} | changes


def ended(status: str, redrives: int = 0) -> dict[str, Any]:
    """Return EventBridge's event of the same execution."""
    told = recorded("execution_aborted")
    told["detail"] |= {"status": status, "executionArn": ARN, "redriveCount": redrives}
    return told


def redriven(redrives: int) -> dict[str, Any]:
    """Return what the state machine asks with when it has been redriven."""
    return event(execution={"id": ARN, "name": "planes-12-5", "redrives": redrives})


def test_the_topic_and_the_console_are_told_all_of_an_execution(pipeline: Pipeline) -> None:
    topic, here, batches = Topic(), environment("machine", TOPIC_ARN="topic"), [{"batch_id": "b", "states": {}}]
    whole = read_event(event(summaries=batches), here)
    shown = {"failures": [VIOLATION], "batches": batches}
    assert handle(event(summaries=batches), here, pipeline.world.ledger, topic) == {
        "told": True,
        "subject": "[nycflights-dev] planes: a file breaks its contract",
        **shown,
    }
    assert topic.messages == [
        {
            "TopicArn": "topic",
            "Subject": "[nycflights-dev] planes: a file breaks its contract",
            "Message": body(whole),
            "MessageAttributes": attributes(whole),
        }
    ]


def test_the_machine_s_own_error_is_told_where_eventbridge_knows_it(pipeline: Pipeline) -> None:
    told = ended("FAILED")
    told["detail"] |= {"error": "States.Runtime", "cause": "$batch.waves\nis no list", "input": None}
    [one] = (found := read_event(told, environment("machine"))).failures
    assert (found.table, one["name"], one["error"], one["cause"]) == (
        "",
        "the execution",
        "States.Runtime",
        "$batch.waves\\nis no list",
    )


def test_an_execution_is_told_once_whoever_reports_it(pipeline: Pipeline) -> None:
    topic, here = Topic(), environment("machine", TOPIC_ARN="topic")
    for one in (event(), event(), ended("FAILED")):
        handle(one, here, pipeline.world.ledger, topic)
    assert topic.subjects == ["[nycflights-dev] planes: a file breaks its contract"]
    handle(event(recovered=True, failures=[]), here, pipeline.world.ledger, topic)
    assert topic.subjects[1:] == ["[nycflights-dev] planes: recovered"]


def test_an_execution_that_is_redriven_is_told_again_unless_it_only_ends_again(pipeline: Pipeline) -> None:
    topic, here = Topic(), environment("machine", TOPIC_ARN="topic")

    def tell(*events: dict[str, Any]) -> list[bool]:
        return [bool(handle(one, here, pipeline.world.ledger, topic)["told"]) for one in events]

    assert tell(ended("ABORTED"), ended("ABORTED", 1), ended("ABORTED", 1)) == [True, True, False]
    assert tell(redriven(2), redriven(2), ended("FAILED", 2), ended("FAILED", 3)) == [True, False, False, False]
    assert tell(ended("TIMED_OUT", 4), redriven(5), ended("FAILED", 5), redriven(6)) == [True, True, False, True]
    assert topic.subjects == [
        "[nycflights-dev] planes: aborted: ExecutionAbortedError",
        "[nycflights-dev] planes: aborted: ExecutionAbortedError",
        "[nycflights-dev] planes: a file breaks its contract",
        "[nycflights-dev] planes: timed out: ExecutionTimedOutError",
        *["[nycflights-dev] planes: a file breaks its contract"] * 2,
    ]


def test_an_execution_that_was_cut_off_and_redriven_is_told_of_though_the_step_that_tells_fails(
    pipeline: Pipeline,
) -> None:
    topic, here = Topic(), environment("machine", TOPIC_ARN="topic")
    events = (ended("ABORTED"), ended("FAILED", 1), ended("FAILED", 2), ended("TIMED_OUT", 3), ended("FAILED", 4))
    told = [handle(one, here, pipeline.world.ledger, topic)["told"] for one in events]
    assert told == [True, True, False, True, True]


def test_work_that_is_tried_again_and_fails_alike_is_told_once_until_it_is_given_up_or_recovers(
    pipeline: Pipeline,
) -> None:
    topic, here = Topic(), environment("machine", TOPIC_ARN="topic")

    def run(name: str, *failures: dict[str, Any], **changes: Any) -> bool:
        told = event(execution={"id": f"{ARN}-{name}", "name": name}, failures=list(failures), **changes)
        return bool(handle(told, here, pipeline.world.ledger, topic)["told"])

    assert [run("a", OUT_OF_MEMORY), run("b", OUT_OF_MEMORY), run("c", MART), run("d", MART)] == [
        True,
        False,
        True,
        False,
    ]
    given_up = [{"batch_id": "b", "states": {"failed": 1}, "failed_files": [{"key": "crm/x.csv", "reason": "3 times"}]}]
    assert run("e", OUT_OF_MEMORY, summaries=given_up)
    assert [run("f", recovered=True), run("g", MART)] == [True, True]
    assert topic.subjects == [
        "[nycflights-dev] planes: not staged: OutOfMemoryError",
        "[nycflights-dev] planes: mart dim_planes failed: SparkException",
        "[nycflights-dev] planes: not staged: OutOfMemoryError",
        "[nycflights-dev] planes: recovered",
        "[nycflights-dev] planes: mart dim_planes failed: SparkException",
    ]


OTHER_CAUSE = OUT_OF_MEMORY | {"cause": "Container killed by YARN"}
OTHER_ERROR = OUT_OF_MEMORY | {"error": "ExecutorLostError"}
OTHER_MART = MART | {"name": "latest_planes"}
SAME_WORDS = MART | {"kind": "stage", "name": "dim_planes"}


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ([OUT_OF_MEMORY], [OUT_OF_MEMORY], False),
        ([OUT_OF_MEMORY], [OTHER_CAUSE], True),
        ([OUT_OF_MEMORY], [OTHER_ERROR], True),
        ([MART], [OTHER_MART], True),
        ([MART], [SAME_WORDS], True),
        ([OUT_OF_MEMORY], [OUT_OF_MEMORY, MART], True),
        ([NEXT], [NEXT], False),
        ([MART, CLOSE], [MART, CLOSE], False),
        ([MART, CLOSE], [MART, NEXT], True),
        ([ABORTED], [ABORTED], True),
        (
            [failure("open", "planes", "Lambda.Unknown", f"RequestId: {uuid.uuid4()} died")],
            [failure("open", "planes", "Lambda.Unknown", f"RequestId: {uuid.uuid4()} died")],
            False,
        ),
    ],
)
def test_a_failure_is_told_again_unless_it_is_that_of_work_that_is_tried_again_by_itself(
    pipeline: Pipeline, first: list[dict[str, Any]], second: list[dict[str, Any]], told: bool
) -> None:
    assert tell(pipeline, "a", *first) is True
    assert tell(pipeline, "b", *second) is told


def test_what_somebody_asked_for_is_told_each_time_unless_it_is_tried_again_without_being_asked_for(
    pipeline: Pipeline,
) -> None:
    asked = {"table": "planes", "mode": "replay", "from": "2013-01-01"}
    told = [tell(pipeline, str(number), one, input=asked) for number, one in enumerate([BUSY, BUSY, MART, MART])]
    assert told == [True, True, True, False]


def test_what_is_tried_again_is_told_again_after_a_day(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.time()
    for name, hours, told in (("a", 0, True), ("b", 23, False), ("c", 25, True), ("d", 48, False)):
        monkeypatch.setattr(time, "time", lambda hours=hours: begun + hours * 3600)
        assert tell(pipeline, name, OUT_OF_MEMORY) is told
    kept = {note["sk"]: round((note["expires_at"] - begun) / 3600) for note in pipeline.items("", "TOLD")}
    hours = {f"failed#{ARN}-{name}": 30 * 24 + at for name, at in (("a", 0), ("b", 23), ("c", 25), ("d", 48))}
    assert kept == {**hours, "table#planes": 30 * 24 + 25}


def test_an_execution_whose_failure_needed_no_message_gets_none_for_having_failed(pipeline: Pipeline) -> None:
    tell(pipeline, "a", OUT_OF_MEMORY)
    assert tell(pipeline, "b", OUT_OF_MEMORY) is False
    told = ended("FAILED")
    told["detail"]["executionArn"] = f"{ARN}-b"
    assert handle(told, environment("machine"), pipeline.world.ledger, Topic())["told"] is False


def tell(pipeline: Pipeline, name: str, *failures: dict[str, Any], arn: str = ARN, **changes: Any) -> bool:
    """Tell how one execution ended, well or with failures; return whether there was a message."""
    execution = {"id": f"{arn}-{name}", "name": name}
    ending = event(execution=execution, failures=list(failures), recovered=not failures, **changes)
    return bool(handle(ending, environment("machine", TOPIC_ARN="topic"), pipeline.world.ledger, Topic())["told"])


def test_files_that_break_their_contract_alike_are_told_of_each(pipeline: Pipeline) -> None:
    topic, here = Topic(), environment("machine", TOPIC_ARN="topic")
    files = [{"batch_id": "b", "states": {"failed": 1}, "failed_files": [{"key": "crm/x.csv", "reason": "no int"}]}]
    for name in ("a", "b"):
        told = event(execution={"id": f"{ARN}-{name}", "name": name}, summaries=files)
        handle(told, here, pipeline.world.ledger, topic)
    assert topic.subjects == ["[nycflights-dev] planes: a file breaks its contract"] * 2


@pytest.mark.parametrize(
    ("status", "what", "why"),
    [
        ("ABORTED", "aborted", "somebody stopped the execution"),
        ("TIMED_OUT", "timed out", "the execution took longer than the machine allows"),
        ("FAILED", "failed", "the machine itself failed; the execution's last state says where"),
    ],
)
def test_an_execution_that_could_not_tell_so_itself_is_told_and_its_table_counts_as_failing(
    pipeline: Pipeline, status: str, what: str, why: str
) -> None:
    pipeline.land("crm/planes/a.csv")
    topic = Topic()
    told = handle(ended(status), environment("machine", TOPIC_ARN="topic"), pipeline.world.ledger, topic)
    error = f"Execution{what.title().replace(' ', '')}Error"
    assert told["failures"] == [failure(what.replace(" ", "_"), "planes", error, why)]
    assert topic.subjects == [f"[nycflights-dev] planes: {what}: {error}"]
    [lease] = pipeline.items("LEASE")
    assert lease["failing"] is True


def test_a_table_is_not_ill_because_an_input_was_refused(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    handle(event(failures=[REFUSED]), environment("machine", TOPIC_ARN="t"), pipeline.world.ledger, Topic())
    assert "failing" not in pipeline.items("LEASE")[0]


def test_an_extraction_that_succeeds_again_is_told_once_and_says_nothing_of_its_table(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    topic, here = Topic(), environment("machine", TOPIC_ARN="topic")
    lost = failure("extract", "planes", "SourceRefusedError", "secret x: the password is wrong")

    def run(name: str, *failures: dict[str, Any]) -> None:
        execution = {"id": f"arn:aws:states:eu-west-1:1:execution:shop-dev-extract-source:{name}", "name": name}
        told = event(execution=execution, failures=list(failures), recovered=not failures)
        handle(told, here, pipeline.world.ledger, topic)

    for name, failures in (("a", ()), ("b", (lost,)), ("b2", (lost,)), ("c", ()), ("c", ()), ("d", ())):
        run(name, *failures)
    assert topic.subjects == [
        "[nycflights-dev] planes: not extracted: SourceRefusedError",
        "[nycflights-dev] planes: extracted again",
    ]
    assert "failing" not in pipeline.items("LEASE")[0]


EXTRACTION = "arn:aws:states:eu-west-1:1:execution:shop-dev-extract-source:x"


def test_what_an_extraction_tells_and_what_its_table_tells_are_two_things(pipeline: Pipeline) -> None:
    lost = failure("extract", "planes", "SourceRefusedError", "secret x: the password is wrong")
    refused = failure("extract", "planes", "InvalidRequestError", "no word 'tabel'")
    assert tell(pipeline, "a", OUT_OF_MEMORY) is True
    assert tell(pipeline, "b", arn=EXTRACTION) is False
    assert tell(pipeline, "c", refused, arn=EXTRACTION) is True
    assert tell(pipeline, "d", arn=EXTRACTION) is False
    assert tell(pipeline, "e", lost, arn=EXTRACTION) is True
    assert tell(pipeline, "f", OUT_OF_MEMORY) is False
    assert tell(pipeline, "g", arn=EXTRACTION) is True


def test_a_table_for_which_nothing_has_landed_is_not_ill(pipeline: Pipeline) -> None:
    assert tell(pipeline, "a", ABORTED) is True
    assert pipeline.items("LEASE") == []


def test_no_key_writes_lines_of_a_message(pipeline: Pipeline) -> None:
    key = "crm/Zürich\n\nRUNBOOK  https://evil.example\u2028TO DO    Sign in there.csv"
    violation = VIOLATION | {"cause": f"planes: file {key}: 'x' is no int"}
    summaries = [{"batch_id": "b", "states": {"failed": 1}, "failed_files": [{"key": key, "reason": "no int"}]}]
    told = body(read_event(event(failures=[violation], summaries=summaries), environment("machine")))
    assert [line for line in told.splitlines() if line.startswith(("RUNBOOK", "TO DO"))] == [
        "TO DO    Send the file again as it should be, under any key; or correct the contract, deploy, and replay.",
        "RUNBOOK  docs/runbook.md#a-file-does-not-fit-its-contract",
    ]
    assert "crm/Zürich\\n\\nRUNBOOK  https://evil.example\\u2028TO DO    Sign in there.csv: no int" in told


@pytest.mark.parametrize("typed", ["[1", "[1]", '"planes"', '{"table": 7}', "{}", "", None])
def test_an_input_that_is_no_request_is_told_all_the_same(typed: str | None) -> None:
    told = ended("ABORTED")
    told["detail"]["input"] = typed
    report = read_event(told, environment("machine"))
    assert subject(report) == "[nycflights-dev] unknown table: aborted: ExecutionAbortedError"
    assert body(report).startswith("Pipeline nycflights-dev, table unknown: the execution failed.")


@pytest.mark.parametrize("typed", [event(table="pl\0anes\nTO DO"), ended("ABORTED")])
def test_no_name_of_a_table_does_so_or_holds_what_sns_refuses(typed: dict[str, Any]) -> None:
    if "detail" in typed:
        typed["detail"]["input"] = '{"table": "pl\\u0000anes\\nTO DO"}'
    told = read_event(typed, environment("machine"))
    assert subject(told).startswith("[nycflights-dev] pl\\x00anes\\nTO DO: ")
    assert attributes(told)["table"]["StringValue"] == "pl\\x00anes\\nTO DO"
