"""When a table fails, when it has recovered, and when an execution hands over to another."""

from __future__ import annotations

import pytest

from functions.close_batch import closing
from functions.shared.lease import Caller
from tests.unit.functions.conftest import Pipeline, failed, opened, published, task_failed


def test_a_table_recovers_once(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    caller = pipeline.start("one")
    pipeline.close(pipeline.open(caller), caller, stage_error=task_failed("Boom"))
    pipeline.stop("one")
    assert pipeline.items("LEASE")[0]["failing"] is True
    recovered = []
    for name in ("two", "three"):
        pipeline.land(f"crm/planes/{name}.csv")
        batch = pipeline.open(pipeline.start(name))
        pipeline.stage(batch)
        recovered.append(pipeline.close(batch, pipeline.caller(name))["recovered"])
        pipeline.stop(name)
    assert recovered == [True, False]


@pytest.mark.parametrize(("errors", "recovered"), [((), True), (("OutOfMemoryError",), False)])
def test_a_table_recovers_too_where_only_a_copy_was_left_to_look_at(
    pipeline: Pipeline, errors: tuple[str, ...], recovered: bool
) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.close(batch, caller, stage_error=task_failed("OutOfMemoryError: heap"))
    pipeline.stop(caller.name)
    caller = pipeline.start("again")
    batch = pipeline.open(caller)
    pipeline.land("crm/planes/a.csv", "v2", etag="etag-v1")
    pipeline.stage(batch)
    assert pipeline.close(batch, caller, errors_before=errors)["more"] is True
    last = pipeline.open(Caller(caller.id, caller.name, 1, errors))
    [lease] = pipeline.items("LEASE")
    assert (last["action"], last["recovered"], "failing" in lease) == ("nothing", recovered, not recovered)
    assert pipeline.states() == {"crm/planes/a.csv v1": "staged", "crm/planes/a.csv v2": "duplicate"}


def test_a_failure_earlier_in_the_execution_is_no_recovery(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.stage(batch)
    assert pipeline.close(batch, caller, errors_before=("OutOfMemoryError",))["recovered"] is False
    assert pipeline.items("LEASE")[0]["failing"] is True


def test_a_file_that_is_refused_makes_no_table_ill_and_the_next_one_is_no_recovery(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    bad = failed(batch["batch_id"], "ContractViolationError", "planes: file crm/planes/a.csv: 'x' is no int")
    pipeline.write(batch, "stage", bad | {"stays": True})
    [told] = pipeline.close(batch, caller, stage_error=task_failed("ContractViolationError: x"))["failures"]
    assert (told["error"], told["holds"]) == ("ContractViolationError", False)
    assert pipeline.states() == {"crm/planes/a.csv v1": "failed"}
    assert "failing" not in pipeline.items("LEASE")[0]
    pipeline.stop(caller.name)
    batch, caller = opened(pipeline, "crm/planes/b.csv")
    pipeline.stage(batch)
    assert pipeline.close(batch, caller)["recovered"] is False


def test_a_table_has_not_recovered_while_a_mart_is_due(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.write(batch, "stage", published(batch["batch_id"]))
    answer = pipeline.close(batch, caller, marts_error={"Error": "LedgerUnavailableError", "Cause": "Boom"})
    assert len(answer["failures"]) == 4
    pipeline.stop(caller.name)
    recovered = []
    for name, marts in (("one", ["latest_planes"]), ("rest", [])):
        batch = pipeline.open(pipeline.start(name), **({"marts": marts} if marts else {}))
        for mart in [mart["mart"] for wave in batch["waves"] for mart in wave]:
            pipeline.write(batch, f"mart-{mart}", {"status": "published", "rows": {"total": 1}, "error": None})
        answer = pipeline.close(batch, pipeline.caller(name))
        recovered.append((answer["recovered"], pipeline.items("LEASE")[0].get("due_marts", set())))
        pipeline.stop(name)
    assert recovered == [(False, {"daily", "dim_planes", "fct_flights"}), (True, set())]


def test_an_execution_hands_over_before_it_has_more_to_tell_than_states_can_pass_on(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.land("crm/planes/b.csv")
    pipeline.stage(batch)
    monkeypatch.setattr(closing, "_MOST_BYTES", 100)
    answer = pipeline.close(batch, caller)
    assert (answer["more"], answer["hand_over"]["name"]) == (False, f"{caller.name}-h1")
    monkeypatch.undo()
    assert pipeline.open(pipeline.start(answer["hand_over"]["name"]))["action"] == "stage"


@pytest.mark.parametrize("errors", [(), ("OutOfMemoryError",)], ids=["before it began", "while it ran"])
def test_a_table_that_fails_does_so_until_who_takes_over_has_done_the_rest(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, errors: tuple[str, ...]
) -> None:
    if not errors:
        batch, caller = opened(pipeline, "crm/planes/a.csv")
        pipeline.close(batch, caller, stage_error=task_failed("OutOfMemoryError: heap"))
        pipeline.stop(caller.name)
    batch, caller = opened(pipeline, "crm/planes/b.csv")
    pipeline.land("crm/planes/c.csv")
    pipeline.stage(batch)
    monkeypatch.setattr(closing, "_MOST_BYTES", 100)
    answer = pipeline.close(batch, caller, errors_before=errors)
    assert (answer["recovered"], pipeline.items("LEASE")[0]["failing"]) == (False, True)
    successor = pipeline.start(answer["hand_over"]["name"])
    batch = pipeline.open(successor)
    pipeline.stage(batch)
    assert pipeline.close(batch, successor)["recovered"] is True


def test_an_execution_hands_over_when_its_history_runs_full_and_only_if_there_is_more(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "_MOST_EVENTS", 700)
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.land("crm/planes/b.csv")
    pipeline.stage(batch)
    asked = {"table": "planes", "mode": "replay", "prefix": "crm/", "marts": ["removed", "dim_planes"]}
    assert pipeline.close(batch, caller, iteration=0)["more"] is True
    batch = pipeline.open(Caller(caller.id, caller.name, 1))
    pipeline.land("crm/planes/c.csv")
    pipeline.stage(batch)
    answer = pipeline.close(batch, caller, iteration=1, request=asked)
    assert (answer["more"], answer["hand_over"]) == (
        False,
        {"name": f"{caller.name}-h1", "input": {"table": "planes", "marts": ["dim_planes"]}},
    )
    assert "holder" not in pipeline.items("LEASE")[0]
    successor = pipeline.start(f"{caller.name}-h1")
    last = pipeline.open(successor)
    assert [one["key"] for one in pipeline.manifest(last)["landings"]] == ["crm/planes/c.csv"]
    following = closing.Closing("planes", "b", 1, successor.id, iteration=1, request={"marts": ["removed"]})
    assert closing.successor_of(pipeline.world, following) == {
        "name": f"{caller.name}-h2",
        "input": {"table": "planes"},
    }


@pytest.mark.parametrize(("started", "more"), [("2013-01-04T04:00:01.000Z", True), ("2013-01-04T03:59:59.999Z", False)])
def test_an_execution_hands_over_before_its_time_runs_out(pipeline: Pipeline, started: str, more: bool) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.land("crm/planes/b.csv")
    pipeline.stage(batch)
    answer = pipeline.close(batch, caller, started=started)
    assert (answer["more"], answer["hand_over"] is None) == (more, more)
