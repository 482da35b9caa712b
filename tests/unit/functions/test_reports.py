"""What a batch came to: which marts were built, which failed and why, and what is to be told of them."""

from __future__ import annotations

from typing import Any

import pytest

from functions.close_batch.report import MartOutcome, failures, mart_outcome, summary
from functions.shared.landings import Landing, landing_id
from functions.shared.settling import StageOutcome
from tests.unit.functions.conftest import small_plan

MARTS = frozenset({"dim_planes", "latest_planes", "fct_flights", "daily"})
BUILT = {"status": "published", "rows": {"total": 3}, "error": None}
BROKEN = {"status": "failed", "rows": None, "error": {"type": "MartSqlError", "message": "no column x"}}
REVISIONS = frozenset(small_plan().marts[mart].revision for mart in MARTS)
CUT_OFF = {"Error": "States.TaskFailed", "Cause": "LedgerBusyError: others write"}


class World:
    """The results that jobs wrote, by mart."""

    plan = small_plan()

    def __init__(self, **results: Any) -> None:
        self.results = {f"mart-{mart}": result for mart, result in results.items()}
        self.files = self

    def read(self, table: str, batch_id: str, name: str) -> Any:
        return self.results.get(name) if (table, batch_id) == ("planes", "b1") else None


def batch(**changes: Any) -> dict[str, Any]:
    return {"table": "planes", "batch_id": "b1", "mode": "incremental", "landings": 1, "marts": MARTS, **changes}


def outcome(*, marts_error: Any = None, published: bool = True, of: Any = None, **results: Any) -> MartOutcome:
    return mart_outcome(World(**results), of or batch(), published, marts_error)


def test_a_mart_that_failed_takes_those_that_read_it_along_and_no_others() -> None:
    of = batch(failed_marts={"dim_planes"}, skipped_marts={"fct_flights", "daily"})
    found = outcome(of=of, dim_planes=BROKEN, latest_planes=BUILT, daily=BUILT)
    assert found == MartOutcome(
        built=frozenset({"latest_planes"}),
        failed=frozenset({"dim_planes"}),
        skipped=frozenset({"fct_flights", "daily"}),
        errors={"dim_planes": ("MartSqlError", "no column x")},
        rows={"latest_planes": {"total": 3}},
        revisions=REVISIONS,
    )
    told = failures(World(), of, StageOutcome(True), found, {})
    skipped = ["daily", "fct_flights"]
    error = {"error": "MartSqlError", "cause": "no column x"}
    assert told == [{"kind": "mart", "name": "dim_planes", **error, "skipped": skipped, "mode": "incremental"}]
    shown = summary(World.plan, of, StageOutcome(True), found, {})
    assert (shown["marts"], shown["failed_marts"], shown["skipped_marts"]) == (
        {"latest_planes": {"total": 3}},
        {"dim_planes": "MartSqlError: no column x"},
        {"daily": "fct_flights was skipped", "fct_flights": "dim_planes failed"},
    )


def test_where_the_marts_were_cut_off_those_without_a_result_are_not_built() -> None:
    assert outcome(marts_error=CUT_OFF, latest_planes=BUILT, daily=BROKEN) == MartOutcome(
        built=frozenset({"latest_planes"}),
        unbuilt=frozenset({"dim_planes", "fct_flights", "daily"}),
        errors=dict.fromkeys(("daily", "dim_planes", "fct_flights"), ("LedgerBusyError", "others write")),
        rows={"latest_planes": {"total": 3}},
        revisions=REVISIONS,
    )


def test_where_they_were_not_those_without_a_result_are_built_and_nobody_knows_of_how_many_rows() -> None:
    assert outcome(latest_planes=BUILT) == MartOutcome(
        built=MARTS, rows={"latest_planes": {"total": 3}}, revisions=REVISIONS
    )


def test_nothing_was_built_of_a_batch_that_was_not_published_or_has_no_marts() -> None:
    assert outcome(published=False, marts_error=CUT_OFF, latest_planes=BUILT) == MartOutcome()
    assert outcome(of=batch(marts=frozenset())) == MartOutcome()


def test_marts_that_a_deployment_removed_meanwhile_neither_failed_nor_were_built() -> None:
    of = batch(
        marts={"latest_planes", "old", "older"}, failed_marts={"old"}, skipped_marts={"older"}, mart_errors={"old": "x"}
    )
    assert outcome(of=of, latest_planes=BUILT, old=BUILT) == MartOutcome(
        built=frozenset({"latest_planes"}),
        rows={"latest_planes": {"total": 3}},
        revisions=frozenset({small_plan().marts["latest_planes"].revision}),
    )


@pytest.mark.parametrize(
    ("result", "noted", "told"),
    [
        (BROKEN, {"dim_planes": "KeyError: 'a'"}, ("MartSqlError", "no column x")),
        ({"error": {"type": "KeyError", "message": ""}}, {}, ("KeyError", "KeyError")),
        (BUILT, {"dim_planes": "KeyError: 'a'"}, ("KeyError", "'a'")),
        (None, {"dim_planes": "boom"}, ("MartFailedError", "boom")),
        (None, {"other": "boom"}, ("MartFailedError", "no cause was given")),
    ],
)
def test_why_a_mart_failed(result: Any, noted: dict[str, str], told: tuple[str, str]) -> None:
    of = batch(marts={"dim_planes"}, failed_marts={"dim_planes"}, mart_errors=noted)
    assert outcome(of=of, dim_planes=result).errors == {"dim_planes": told}


def test_the_causes_of_many_marts_pass_from_state_to_state_together() -> None:
    long = {"status": "failed", "error": {"type": "E", "message": "x" * 2000}}
    one = outcome(of=batch(failed_marts={"daily"}), daily=long).errors
    assert one == {"daily": ("E", "x" * 1000)}


def landing(key: str, state: str, batch_id: str = "b1", **changes: Any) -> Landing:
    time = "2013-01-01T00:00:00.000000Z"
    return Landing(landing_id(key, "v"), "raw", key, "v", "1", time, "e", 1, state, batch_id=batch_id, **changes)


FOUND = {
    one.id: one
    for one in (
        landing("a.csv", "staged"),
        landing("b.csv", "failed", reason="no int", column="seats"),
        landing("c.csv", "failed", reason="no header"),
        landing("d.csv", "quarantined", reason="no date"),
        landing("e.csv", "failed", batch_id="other", reason="long ago"),
    )
}
IDS = {one.key: one.id for one in FOUND.values()}


def test_the_output_shows_the_files_of_the_batch_and_no_others() -> None:
    shown = summary(World.plan, batch(), StageOutcome(True, {"read": 1}), MartOutcome(), FOUND)
    assert shown == {
        "batch_id": "b1",
        "mode": "incremental",
        "landings": 1,
        "states": {"failed": 2, "quarantined": 1, "staged": 1},
        "rows": {"read": 1},
        "marts": {},
        "failed_files": [
            {"key": "b.csv", "reason": "no int", "column": "seats"},
            {"key": "c.csv", "reason": "no header", "column": ""},
        ],
        "quarantined_files": [{"key": "d.csv", "reason": "no date"}],
    }


@pytest.mark.parametrize(
    ("staged", "error", "cause", "skipped"),
    [
        (StageOutcome(False, error="KeyError", cause="'a'"), "KeyError", "'a'", sorted(MARTS)),
        (
            StageOutcome(False, error="LimitExceededError", cause="Too many.", blamed={IDS["b.csv"]: ("x", "")}),
            "LimitExceededError",
            "Too many. To blame: b.csv.",
            sorted(MARTS),
        ),
        (
            StageOutcome(True, blamed={IDS["c.csv"]: ("no header", ""), IDS["b.csv"]: ("no int", "seats")}),
            "ContractViolationError",
            "file c.csv: no header (and 1 more files)",
            [],
        ),
        (StageOutcome(True, blamed={"gone": ("x", "c")}), "ContractViolationError", "file gone: column c: x", []),
    ],
)
@pytest.mark.parametrize("holds", ["hold", "continue"])
def test_what_is_told_of_a_table(staged: StageOutcome, error: str, cause: str, skipped: list[str], holds: str) -> None:
    world, of = World(), batch()
    if holds == "hold":
        of["table"] = "weather"
    [told] = failures(world, of, staged, MartOutcome(), FOUND)
    assert told == {
        "kind": "stage",
        "name": of["table"],
        "error": error,
        "cause": cause,
        "skipped": skipped,
        "batch_id": "b1",
        "mode": "incremental",
        "gave_up": True,
        "holds": holds == "hold",
        "in_parts": False,
    }


def test_of_many_files_to_blame_three_are_named_and_of_many_that_failed_twenty_are_shown() -> None:
    many = [landing(f"{number:02}.csv", "failed", reason="x") for number in range(25)]
    staged = StageOutcome(
        False, error="LimitExceededError", cause="Too many.", blamed={one.id: ("x", "") for one in reversed(many)}
    )
    found = {one.id: one for one in many}
    [told] = failures(World(), batch(), staged, MartOutcome(), found)
    assert told["cause"] == "Too many. To blame: 00.csv, 01.csv, 02.csv and 22 more."
    [told] = failures(World(), batch(), staged, MartOutcome(), {one.id: one for one in many[:3]})
    assert told["cause"] == "Too many. To blame: 00.csv, 01.csv, 02.csv."
    shown = summary(World.plan, batch(), staged, MartOutcome(), found)
    assert [one["key"] for one in shown["failed_files"]] == [one.key for one in many[:20]]
    assert shown["skipped_marts"] == dict.fromkeys(sorted(MARTS), "nothing was published")


def test_nothing_is_told_of_a_batch_that_went_well() -> None:
    assert failures(World(), batch(), StageOutcome(True), MartOutcome(built=MARTS), FOUND) == []


def test_later_files_wait_only_for_one_of_this_batch() -> None:
    others = {id_: one for id_, one in FOUND.items() if one.batch_id != "b1" or one.state == "staged"}
    staged = StageOutcome(False, error="KeyError", cause="'a'")
    [told] = failures(World(), batch(table="weather"), staged, MartOutcome(), others)
    assert (told["gave_up"], told["holds"]) == (False, False)


def test_a_staged_file_whose_replay_is_given_up_is_told_of_and_holds_up_nobody() -> None:
    gave_up = landing("a.csv", "staged", reason="the replay failed: failed 3 times, last: heap")
    staged = StageOutcome(False, error="OutOfMemoryError", cause="heap")
    of = batch(table="weather", mode="replay")
    [told] = failures(World(), of, staged, MartOutcome(), {gave_up.id: gave_up})
    assert (told["gave_up"], told["holds"]) == (True, False)
    assert summary(World.plan, of, staged, MartOutcome(), {gave_up.id: gave_up})["failed_files"] == [
        {"key": "a.csv", "reason": gave_up.reason, "column": ""}
    ]
