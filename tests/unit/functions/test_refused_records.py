"""Records that staging refused, and checks that only warned, reach the execution's output and the notification."""

from __future__ import annotations

from functions.close_batch.report import MartOutcome, failures, summary
from functions.shared.settling import read_outcome
from tests.unit.functions.conftest import small_plan

REFUSED = [
    {"file": "crm/planes/a.csv", "row": 2, "column": "seats", "reason": "'x' is no int"},
    {"file": "crm/planes/a.csv", "row": 7, "column": None, "reason": "has more or fewer fields than the header"},
]
PLAN = small_plan()
BATCH = {"table": "planes", "batch_id": "b1", "mode": "incremental", "landings": 1}
RESULT = {
    "status": "published",
    "books": {"read": 9, "rejected": 2},
    "superseded_landings": [],
    "quarantined_landings": [],
    "failed_landings": [],
    "rejected": REFUSED,
    "warnings": {"sane": 3},
    "error": None,
}


class World:
    plan = small_plan()


def test_the_output_of_an_execution_shows_the_first_refused_records_and_the_warnings():
    told = summary(PLAN, BATCH, read_outcome(RESULT, None), MartOutcome(), {})
    assert (told["refused_records"], told["warnings"]) == (REFUSED, {"sane": 3})


def test_the_message_of_a_breaker_shows_what_would_have_been_refused():
    error = {"type": "LimitExceededError", "message": "planes: max_rejected: 2 of 9 records read would be rejected."}
    outcome = read_outcome({**RESULT, "status": "failed", "books": None, "error": error}, None)
    (told,) = failures(World, BATCH, outcome, MartOutcome(), {})
    assert told["cause"] == (
        "planes: max_rejected: 2 of 9 records read would be rejected. The first: file crm/planes/a.csv, record 2: "
        "column seats: 'x' is no int; file crm/planes/a.csv, record 7: has more or fewer fields than the header."
    )
    assert "refused_records" not in summary(PLAN, BATCH, outcome, MartOutcome(), {})  # nothing is in quarantine


def test_a_result_without_those_words_is_read_as_before():
    old = {name: value for name, value in RESULT.items() if name not in ("rejected", "warnings")}
    outcome = read_outcome(old, None)
    assert (outcome.rejected, outcome.warnings) == ((), {})
    assert "refused_records" not in summary(PLAN, BATCH, outcome, MartOutcome(), {})
