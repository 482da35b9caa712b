"""extract_source as an operator sees it: run in moto, with jobs that succeed, fail once, or always fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.machine import LEDGER, Cloud, LambdaError, Outcome, run_machine

ASL = Path(__file__).parents[2] / "state_machines" / "extract_source.asl.json"
SUBSTITUTIONS = {
    "ExtractedTables": "customers,leads",
    "ExtractJobPrefix": "shop-dev-extract-",
    "LedgerTable": LEDGER,
    "NotifyFailureFunction": "notify",
    "RetrySeconds": "30",
}
JOB = "shop-dev-extract-customers"
LANDED = {
    "pk": "TABLE#customers",
    "sk": "EXTRACTION#run",
    "state": "landed",
    "rows": 12,
    "parts": 2,
    "key": "db/customers/2013-01-02T020000.000000Z.manifest.json",
    "watermark": "2013-01-02 01:59:00.0",
}
REFUSED = "SourceRefusedError: customers: ops (db:1521/OPS) refuses the user of secret landfall/ops: ORA-01017"
UNAVAILABLE = "SourceUnavailableError: customers: ops (db:1521/OPS) does not answer or broke off: refused"
Run = Callable[..., Outcome]


@pytest.fixture
def run() -> Run:
    definition = ASL.read_text()
    for name, value in SUBSTITUTIONS.items():
        definition = definition.replace(f"${{{name}}}", value)

    def start(cloud: Cloud, request: Mapping[str, Any] | None = None) -> Outcome:
        cloud.functions = {"notify": [{}]} | cloud.functions
        asked = {"table": "customers"} if request is None else request
        return run_machine(definition, asked, cloud, lambda: LANDED)[0]

    return start


def test_an_extraction_answers_with_what_landed(run: Run) -> None:
    cloud = Cloud()
    outcome = run(cloud)
    assert (outcome.status, outcome.output) == (
        "SUCCEEDED",
        {
            "table": "customers",
            "state": "landed",
            "rows": 12,
            "parts": 2,
            "key": LANDED["key"],
            "watermark": "2013-01-02 01:59:00.0",
        },
    )
    assert cloud.job_runs == [JOB]
    assert cloud.job_arguments == [{"--extraction_id": "run", "--extraction_mode": "incremental"}]
    assert [(told["recovered"], told["failures"]) for told in cloud.invocations["notify"]] == [(True, [])]


def test_mode_full_reaches_the_job(run: Run) -> None:
    cloud = Cloud()
    run(cloud, {"table": "customers", "mode": "full"})
    assert cloud.job_arguments == [{"--extraction_id": "run", "--extraction_mode": "full"}]


def test_a_value_to_go_on_after_reaches_the_job(run: Run) -> None:
    cloud = Cloud()
    run(cloud, {"table": "customers", "watermark": "2013-01-02 01:00:00"})
    assert cloud.job_arguments == [
        {
            "--extraction_id": "run",
            "--extraction_mode": "incremental",
            "--extraction_watermark": "2013-01-02 01:00:00",
        }
    ]


@pytest.mark.parametrize(
    "request_",
    [
        {"table": "customers", "mode": "full", "watermark": "1"},
        {"table": "customers", "watermark": 1},
        {"table": "customers", "watermark": ""},
        {"table": "customers", "watermark": None},
        {"table": "planes"},
        {"table": "customers", "mode": "everything"},
        {"table": "customers", "modes": "full"},
        {},
        {"table": ["customers"]},
    ],
)
def test_a_wrong_request_runs_no_job_and_is_told_what_is_allowed(run: Run, request_: dict[str, Any]) -> None:
    cloud = Cloud()
    outcome = run(cloud, request_)
    assert (outcome.status, outcome.error, cloud.job_runs) == ("FAILED", "InvalidRequestError", [])
    assert (outcome.cause or "").endswith(
        'the input must be {"table": one of customers, leads} and may hold "mode": incremental (what is new since the '
        'watermark) or full; beside incremental "watermark", the value (as text) after which to go on'
    )
    [told] = cloud.invocations["notify"]
    assert (told["failures"][0]["kind"], told["input"]) == ("extract", request_)


def test_a_database_that_does_not_answer_is_asked_again_with_growing_waits(run: Run) -> None:
    cloud = Cloud(jobs={JOB: [UNAVAILABLE, UNAVAILABLE, None]})
    outcome = run(cloud)
    assert (outcome.status, len(cloud.job_runs)) == ("SUCCEEDED", 3)
    assert len(cloud.waits) == 2 and 15 <= cloud.waits[0] <= 45 and 30 <= cloud.waits[1] <= 90
    assert [(told["recovered"], told["failures"]) for told in cloud.invocations["notify"]] == [(True, [])]


def test_a_database_that_stays_away_is_told_once_in_its_own_words(run: Run) -> None:
    cloud = Cloud(jobs={JOB: [f"Error Category: UNCLASSIFIED_ERROR; {UNAVAILABLE}"]})
    outcome = run(cloud)
    assert (outcome.status, outcome.error, len(cloud.job_runs)) == ("FAILED", "SourceUnavailableError", 4)
    assert outcome.cause == UNAVAILABLE.partition(": ")[2]
    [told] = cloud.invocations["notify"]
    assert told["table"] == "customers"
    assert told["failures"] == [
        {
            "kind": "extract",
            "name": "customers",
            "error": "SourceUnavailableError",
            "cause": UNAVAILABLE.partition(": ")[2],
            "skipped": [],
        }
    ]


def test_credentials_that_are_refused_are_not_tried_again(run: Run) -> None:
    """A second try could lock the account."""
    cloud = Cloud(jobs={JOB: [REFUSED]})
    outcome = run(cloud)
    assert (outcome.error, cloud.job_runs, cloud.waits) == ("SourceRefusedError", [JOB], [])


def test_a_job_that_ran_out_of_time_is_not_run_again(run: Run) -> None:
    cloud = Cloud(jobs={JOB: ["TIMEOUT"]})
    outcome = run(cloud)
    assert (outcome.status, cloud.job_runs) == ("FAILED", [JOB])


def test_a_notification_that_cannot_be_sent_does_not_hide_the_error(run: Run) -> None:
    cloud = Cloud(jobs={JOB: [REFUSED]}, functions={"notify": [LambdaError("ClientError", "no topic")]})
    outcome = run(cloud)
    assert (outcome.error, outcome.cause) == ("SourceRefusedError", REFUSED.partition(": ")[2])
