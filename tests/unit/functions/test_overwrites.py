"""`on_overwrite: fail`: the first content of a key counts, whatever came first, and people are told of the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from functions.close_batch import closing
from functions.shared.errors import LedgerBusyError
from tests.unit.functions.conftest import Pipeline, dry_run, failed, s3_event, staged, task_failed


def test_a_refused_overwrite_is_failed_and_told_without_a_job(pipeline: Pipeline) -> None:
    pipeline.with_table("flights", on_overwrite="fail")
    staged(pipeline, "ops/flights/a.csv", table="flights")
    pipeline.land("ops/flights/a.csv", "v2")
    answer = pipeline.open(pipeline.caller(pipeline.executions()[-1]), table="flights")
    assert (answer["action"], [failure["error"] for failure in answer["failures"]]) == (
        "nothing",
        ["OverwriteRefusedError"],
    )
    assert pipeline.states("flights") == {"ops/flights/a.csv v1": "staged", "ops/flights/a.csv v2": "failed"}


def test_a_staged_overwrite_is_refused_and_told_when_the_first_content_comes_late(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.with_table("flights", on_overwrite="fail")
    for version in ("v2", "v1"):
        pipeline.land("ops/flights/a.csv", version)
        caller = pipeline.caller(pipeline.executions()[-1])
        batch = pipeline.open(caller, table="flights")
        pipeline.stage(batch)
        with monkeypatch.context() as dying:
            dying.setattr(closing, "_close_item", mock.Mock(side_effect=MemoryError))
            with pytest.raises(MemoryError):
                pipeline.close(batch, caller)
        answer = pipeline.close(batch, caller)
        pipeline.stop(caller.name)
    refused = "the key landed before with other content (version v1), and on_overwrite is fail"
    assert [(one["error"], one["cause"]) for one in answer["failures"]] == [
        ("OverwriteRefusedError", f"file ops/flights/a.csv: {refused}")
    ]
    assert pipeline.states("flights") == {"ops/flights/a.csv v1": "staged", "ops/flights/a.csv v2": "failed"}


def test_an_overwrite_that_waits_is_refused_and_told_when_its_table_is_staged_anew(pipeline: Pipeline) -> None:
    pipeline.with_table("flights", on_overwrite="fail")
    staged(pipeline, "ops/flights/a.csv", table="flights")
    pipeline.land("ops/flights/a.csv", "v2")
    pipeline.stop(pipeline.executions()[-1])
    answer = pipeline.open(pipeline.start("anew"), table="flights", mode="rebuild", layer="staging")
    assert (answer["action"], [failure["error"] for failure in answer["failures"]]) == (
        "stage",
        ["OverwriteRefusedError"],
    )
    assert pipeline.states("flights") == {"ops/flights/a.csv v1": "claimed", "ops/flights/a.csv v2": "failed"}


def test_many_refused_overwrites_are_one_failure(pipeline: Pipeline) -> None:
    pipeline.with_table("flights", on_overwrite="fail")
    keys = ("ops/flights/a.csv", "ops/flights/b.csv", "ops/flights/c.csv")
    staged(pipeline, *keys, table="flights")
    pipeline.deliver(*(s3_event(key, "v2") for key in keys))
    answer = pipeline.open(pipeline.caller(pipeline.executions()[-1]), table="flights")
    assert [failure["cause"] for failure in answer["failures"]] == [
        "file ops/flights/a.csv: the key landed before with other content (version v1), and on_overwrite is fail "
        "(and 2 more files)"
    ]


def test_however_many_copies_wait_each_call_settles_some_and_the_refused_are_told_once(pipeline: Pipeline) -> None:
    staged(pipeline, *(f"ops/flights/{number}.csv" for number in range(5)), table="flights")
    pipeline.world = replace(pipeline.world, environment=replace(pipeline.world.environment, max_landings=2))
    for number in range(5):
        pipeline.land(f"ops/flights/{number}.csv", "v2", etag="etag-v1")
    answer = pipeline.open(pipeline.caller(pipeline.executions()[-1]), table="flights")
    assert (answer["action"], answer["reason"], answer["failures"]) == ("nothing", "nothing is pending", [])
    assert Counter(pipeline.states("flights").values()) == {"staged": 5, "duplicate": 5}

    pipeline.with_table("flights", on_overwrite="fail")
    for version in range(3, 13):
        pipeline.deliver(*(s3_event(f"ops/flights/{number}.csv", f"v{version}") for number in range(5)))
    caller = pipeline.caller(pipeline.executions()[-1])
    with pytest.raises(LedgerBusyError, match="flights: 40 landings were settled without being staged, and more are"):
        pipeline.open(caller, table="flights")
    answer = pipeline.open(caller, table="flights")
    [refused] = answer["failures"]
    assert (answer["action"], refused["error"]) == ("nothing", "OverwriteRefusedError")
    assert "and 9 more files" in refused["cause"]
    assert Counter(pipeline.states("flights").values()) == {"staged": 5, "duplicate": 5, "failed": 50}


UPSERT = {"load": "upsert", "key": ("tailnum",)}
REPLACE, ADD, FAIL = ({"load": "append", "on_overwrite": word} for word in ("replace", "add", "fail"))


@pytest.mark.parametrize(
    ("old", "new", "states"),
    [
        (REPLACE, UPSERT, ["staged", "staged"]),
        (REPLACE, ADD, ["staged", "staged"]),
        (REPLACE, FAIL, ["staged", "failed"]),
        (REPLACE, REPLACE, ["superseded", "staged"]),
        (UPSERT, REPLACE, ["superseded", "staged"]),
        (UPSERT, FAIL, ["staged", "failed"]),
    ],
    ids=lambda words: words["load"] + words.get("on_overwrite", "").title() if isinstance(words, dict) else "",
)
def test_a_table_that_is_staged_anew_holds_the_versions_that_count_by_its_contract_of_today(
    pipeline: Pipeline, old: dict[str, Any], new: dict[str, Any], states: list[str]
) -> None:
    pipeline.with_table("flights", **old)
    staged(pipeline, "ops/flights/a.csv", table="flights")
    pipeline.land("ops/flights/a.csv", "v2")
    run_once(pipeline)
    pipeline.with_table("flights", **new)
    told = dry_run(pipeline, table="flights", layer="staging")
    batch = run_once(pipeline, mode="rebuild", layer="staging")
    found = pipeline.states("flights")
    assert [found[f"ops/flights/a.csv {version}"] for version in ("v1", "v2")] == states
    assert told["landings"] == len(pipeline.manifest(batch)["landings"]) == states.count("staged")


def test_a_replay_stages_what_was_superseded_once_overwrites_add(pipeline: Pipeline) -> None:
    staged(pipeline, "ops/flights/a.csv", table="flights")
    pipeline.land("ops/flights/a.csv", "v2")
    run_once(pipeline)
    pipeline.with_table("flights", **ADD)
    batch = run_once(pipeline, mode="replay", prefix="ops/flights/")
    assert [one["version_id"] for one in pipeline.manifest(batch)["landings"]] == ["v1", "v2"]
    assert set(pipeline.states("flights").values()) == {"staged"}


def test_a_superseded_version_that_a_rebuild_cannot_read_stays_out_of_the_next(pipeline: Pipeline) -> None:
    pipeline.with_table("flights", **REPLACE)
    pipeline.land("ops/flights/a.csv", "v2")
    run_once(pipeline)
    pipeline.land("ops/flights/a.csv")
    assert pipeline.open(pipeline.start("late"), table="flights")["action"] == "nothing"
    pipeline.stop("late")
    assert pipeline.states("flights") == {"ops/flights/a.csv v1": "superseded", "ops/flights/a.csv v2": "staged"}
    pipeline.with_table("flights", **UPSERT)
    caller = pipeline.start("rebuild")
    batch = pipeline.open(caller, table="flights", mode="rebuild", layer="staging")
    first = next(one for one in pipeline.manifest(batch)["landings"] if one["version_id"] == "v1")
    broken = failed(batch["batch_id"], "ContractViolationError", "a.csv", **{first["id"]: ("no column", None)})
    pipeline.write(batch, "stage", broken)
    pipeline.close(batch, caller, stage_error=task_failed("ContractViolationError: a.csv"))
    pipeline.stop("rebuild")
    assert pipeline.states("flights") == {"ops/flights/a.csv v1": "failed", "ops/flights/a.csv v2": "staged"}
    batch = run_once(pipeline, mode="rebuild", layer="staging")
    assert [one["version_id"] for one in pipeline.manifest(batch)["landings"]] == ["v2"]


def test_a_version_in_quarantine_stays_without_rows_when_a_later_one_stands_for_it(pipeline: Pipeline) -> None:
    pipeline.land("ops/flights/a.csv")
    caller = pipeline.caller(pipeline.executions()[-1])
    batch = pipeline.open(caller, table="flights")
    [landing] = pipeline.manifest(batch)["landings"]
    pipeline.stage(batch, quarantined_landings=[{"id": landing["id"], "reason": "no date in the key"}])
    pipeline.close(batch, caller)
    pipeline.stop(caller.name)
    pipeline.land("ops/flights/a.csv", "v2")
    run_once(pipeline)
    batch = run_once(pipeline, mode="rebuild", layer="staging")
    assert [one["version_id"] for one in pipeline.manifest(batch)["landings"]] == ["v2"]
    assert pipeline.states("flights") == {"ops/flights/a.csv v1": "superseded", "ops/flights/a.csv v2": "staged"}


def run_once(pipeline: Pipeline, **request: Any) -> dict[str, Any]:
    """Run one batch of the flights to its end."""
    for running in pipeline.executions():
        pipeline.stop(running)
    caller = pipeline.start(f"with-{len(request)}-words")
    batch = pipeline.open(caller, table="flights", **request)
    pipeline.stage(batch)
    pipeline.close(batch, caller)
    pipeline.stop(caller.name)
    return batch
