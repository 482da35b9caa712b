"""What the next execution makes of a dead one's batch, and what one that lost its lease may still do: nothing."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import pytest

from functions.close_batch import closing
from functions.shared.errors import StaleLeaseError
from functions.shared.landings import STAGED
from functions.shared.settling import settle
from tests.unit.functions.conftest import Pipeline, opened, published, task_failed


def test_a_close_that_died_after_it_had_settled_its_files_counts_an_attempt_once(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    heap = task_failed("OutOfMemoryError: heap")
    with monkeypatch.context() as dying:
        dying.setattr(closing, "_close_item", mock.Mock(side_effect=MemoryError))
        with pytest.raises(MemoryError):
            pipeline.close(batch, caller, stage_error=heap)
    [failure] = pipeline.close(batch, caller, stage_error=heap)["failures"]
    [landing] = pipeline.items("LANDING#")
    assert (failure["cause"], landing["state"], landing["attempts"]) == ("heap", "pending", 1)


def test_an_execution_that_lost_its_lease_changes_nothing(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.stop(caller.name)
    pipeline.open(pipeline.start("second"))
    pipeline.stage(batch)
    before = pipeline.items("")
    with pytest.raises(StaleLeaseError, match="was abandoned by whoever came after"):
        pipeline.close(batch, caller)
    assert pipeline.items("") == before


def test_what_a_dead_execution_had_published_is_staged_and_its_marts_are_due(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.write(batch, "stage", published(batch["batch_id"]))
    pipeline.stop(caller.name)
    answer = pipeline.open(pipeline.start("second"))
    assert (answer["action"], pipeline.states()) == ("marts", {"crm/planes/a.csv v1": "staged"})
    assert [[mart["mart"] for mart in wave] for wave in answer["waves"]] == [
        ["dim_planes", "latest_planes"],
        ["fct_flights"],
        ["daily"],
    ]


def test_marts_that_a_dead_execution_was_asked_for_are_due(pipeline: Pipeline) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.stage(batch)
    pipeline.close(batch, caller)
    pipeline.stop(caller.name)
    assert pipeline.open(pipeline.start("dies"), mode="rebuild", marts=["daily"])["action"] == "marts"
    pipeline.stop("dies")
    answer = pipeline.open(pipeline.start("next"))
    assert [[mart["mart"] for mart in wave] for wave in answer["waves"]] == [["daily"]]


def test_an_execution_that_dies_three_times_over_a_file_gives_it_up(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    for number in range(3):
        pipeline.open(pipeline.start(f"run{number}"))
        pipeline.stop(f"run{number}")
    assert pipeline.open(pipeline.start("last"))["action"] == "nothing"
    [landing] = pipeline.items("LANDING#")
    assert (landing["state"], landing["reason"]) == (
        "failed",
        "failed 3 times, last: the execution that staged it ended without closing the batch",
    )


def test_who_has_lost_the_lease_settles_nothing_and_who_holds_it_only_what_is_as_it_was(pipeline: Pipeline) -> None:
    opened(pipeline, "crm/planes/a.csv", "crm/planes/b.csv")
    ledger = pipeline.world.ledger
    lease, [a, b] = ledger.lease("planes"), ledger.all_landings("planes")
    pairs = [(replace(a, attempts=1), a.settled(STAGED, "now")), (b, b.settled(STAGED, "now"))]
    for stale in (replace(lease, token=lease.token - 1), replace(lease, holder="another")):
        with pytest.raises(StaleLeaseError, match="is no longer held by this execution"):
            settle(ledger, stale, pairs)
    assert set(pipeline.states().values()) == {"claimed"}
    settle(ledger, lease, pairs)
    assert pipeline.states() == {f"{a.key} v1": "claimed", f"{b.key} v1": "staged"}


def test_of_a_batch_that_was_closed_before_its_execution_died_nothing_is_done_again(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, caller = opened(pipeline, "crm/planes/a.csv")
    pipeline.stage(batch)
    with monkeypatch.context() as dying:
        dying.setattr(closing, "_go_on", mock.Mock(side_effect=MemoryError))
        with pytest.raises(MemoryError):
            pipeline.close(batch, caller)
    [closed] = pipeline.items("BATCH#")
    pipeline.stop(caller.name)
    assert pipeline.open(pipeline.start("second"))["action"] == "nothing"
    assert (pipeline.items("BATCH#"), pipeline.states()) == ([closed], {"crm/planes/a.csv v1": "staged"})
    assert {"holder", "orphans", "due_marts"}.isdisjoint(pipeline.items("LEASE")[0])
