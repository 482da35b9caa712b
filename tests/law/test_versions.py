"""Which versions of an object count does not depend on when they arrive, what fails on the way, or what is replayed."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise, permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.model import Table
from functions.shared.landings import Landing
from tests.law import oracle
from tests.law.versions import Ledger, table_of, version

TABLES = {
    "snapshot": table_of("snapshot"),
    "changes": table_of("changes"),
    "replace": table_of("append", "replace"),
    "add": table_of("append", "add"),
    "fail": table_of("append", "fail"),
}


def counting(landings: list[Landing], table: Table) -> set[str]:
    """Return the ids of the landings that count, by the oracle."""
    rules = oracle.Rules(load=table.load, columns=("c",), on_overwrite=table.on_overwrite)
    ids = {}
    told = []
    for one in landings:
        at = oracle.datetime.fromisoformat(one.event_time)
        landing = oracle.Landing(one.key, one.sequencer, at, at, (oracle.Record({"c": one.etag}),))
        told.append(landing)
        ids[one.key, one.sequencer] = one.id
    return {ids[one.key, one.sequencer] for one in oracle.in_effect(told, rules)}


def check(ledger: Ledger, arrived: list[Landing]) -> None:
    """Assert that the table holds what counts of what did not fail, and that the ledger says so.

    A broken file that another one superseded was never read: it did not fail.
    """
    known = {one.id: one for one in ledger.world.ledger.all_landings("planes")}
    failed = {id_ for id_, one in known.items() if one.state == "failed" and "on_overwrite" not in one.reason}
    for before, one in pairwise(sorted(known.values(), key=lambda landing: (landing.key, landing.sequence))):
        if before.id in failed and one.state == "duplicate" and (one.key, one.etag) == (before.key, before.etag):
            failed.add(one.id)  # a copy of what cannot be read
    expected = counting([one for one in arrived if one.id not in failed], ledger.table)
    assert ledger.rows == expected
    assert {id_ for id_, one in known.items() if one.state == "staged"} == expected
    refused = {one.state for one in known.values() if one.etag[5:] in ledger.broken}
    assert refused <= {"failed", "duplicate", "superseded"}
    assert not [one for one in known.values() if one.state in ("pending", "claimed")]


def test_a_content_that_returns_counts_again_though_the_one_between_came_last() -> None:
    first, other, again = version(1, "A"), version(2, "B"), version(3, "A")
    ledger = Ledger(TABLES["snapshot"])
    for one in (first, again):
        ledger.arrive(one)
        ledger.drain()
    assert ledger.states() == {"a v1": "staged", "a v3": "duplicate"}
    ledger.arrive(other)
    ledger.drain()
    assert ledger.states() == {"a v1": "staged", "a v2": "staged", "a v3": "staged"}
    assert ledger.rows == {first.id, other.id, again.id}
    assert ledger.failures == []
    manifests = [body for key, body in ledger.driver.cloud.documents.items() if key.endswith("/manifest.json")]
    assert [json.loads(one)["mode"] for one in manifests] == ["incremental"] * 2  # nothing is staged again for nothing


def test_replace_ends_with_the_content_that_returned_though_the_one_between_came_last() -> None:
    first, other, again = version(1, "A"), version(2, "B"), version(3, "A")
    ledger = Ledger(TABLES["replace"])
    for one in (first, again, other):
        ledger.arrive(one)
        ledger.drain()
    assert ledger.states() == {"a v1": "superseded", "a v2": "superseded", "a v3": "staged"}
    assert ledger.rows == {again.id}


def test_a_first_version_that_comes_late_takes_the_place_of_its_copy() -> None:
    first, copy = version(1, "A"), version(2, "A")
    ledger = Ledger(TABLES["changes"])
    for one in (copy, first):
        ledger.arrive(one)
        ledger.drain()
    assert ledger.states() == {"a v1": "staged", "a v2": "duplicate"}
    assert ledger.rows == {first.id}


def test_a_copy_counts_no_more_when_what_came_between_has_failed() -> None:
    first, between, copy = version(1, "A"), version(2, "B"), version(3, "A")
    ledger = Ledger(TABLES["snapshot"], max_landings=1, broken={"B"})
    ledger.arrive(copy)
    ledger.drain()
    ledger.arrive(first)
    ledger.arrive(between)
    ledger.drain()
    assert ledger.states() == {"a v1": "staged", "a v2": "failed", "a v3": "duplicate"}
    assert ledger.rows == {first.id}
    ledger.broken.clear()
    ledger.drain(mode="replay", prefix="planes/")
    assert ledger.states() == {"a v1": "staged", "a v2": "staged", "a v3": "staged"}


@pytest.mark.parametrize("size", [1, 10])
def test_a_file_that_is_replayed_beside_what_came_after_it_leaves_when_a_copy_counts_again(size: int) -> None:
    versions = [version(number, content) for number, content in enumerate("A!AA")]
    ledger = Ledger(TABLES["replace"], size, broken={"!"})
    for one in versions:
        ledger.arrive(one)
        ledger.drain()
    assert ledger.states() == {"a v0": "staged", "a v1": "failed", "a v2": "duplicate", "a v3": "duplicate"}
    ledger.broken.clear()
    ledger.drain(mode="replay", prefix="planes/")
    assert ledger.states() == {"a v0": "superseded", "a v1": "superseded", "a v2": "staged", "a v3": "duplicate"}
    assert ledger.rows == {versions[2].id}


def test_a_file_that_waits_for_its_replay_still_leaves_when_it_is_overwritten() -> None:
    first, other = version(1, "A"), version(2, "B")
    ledger = Ledger(TABLES["replace"], max_landings=1)
    third = version(9, "C", key="b")
    for one in (third, first):
        ledger.arrive(one)
    ledger.drain()
    ledger.open(mode="replay", prefix="planes/")  # the batch holds one of them, the other waits
    ledger.arrive(other)
    ledger.finish()
    assert ledger.states() == {"a v1": "superseded", "a v2": "staged", "b v9": "staged"}
    assert ledger.rows == {other.id, third.id}


def test_a_batch_of_more_files_than_one_call_takes_is_claimed_and_settled_whole_and_what_it_overwrites_leaves() -> None:
    ledger = Ledger(TABLES["replace"], max_landings=1000)
    keys = [f"{number:03}" for number in range(120)]
    for number, content in ((1, "A"), (2, "B"), (3, "B")):
        for key in keys:
            ledger.arrive(version(number, content, key))
        ledger.drain()
    states = {1: "superseded", 2: "staged", 3: "duplicate"}
    assert ledger.states() == {f"{key} v{number}": state for key in keys for number, state in states.items()}
    assert ledger.rows == {version(2, "B", key).id for key in keys}
    assert ledger.runs == 3


def test_what_a_batch_overwrites_is_superseded_though_its_execution_died_when_it_had_published() -> None:
    ledger = Ledger(TABLES["replace"])
    ledger.arrive(version(1, "A"))
    ledger.drain()
    ledger.arrive(version(2, "B"))
    ledger.open()
    ledger.die(staged=True)
    ledger.drain()
    assert ledger.states() == {"a v1": "superseded", "a v2": "staged"}


def test_a_copy_counts_no_more_when_executions_have_died_over_what_came_between() -> None:
    first, between, copy = version(1, "A"), version(2, "B"), version(3, "A")
    ledger = Ledger(TABLES["snapshot"], max_landings=1)
    ledger.arrive(copy)
    ledger.drain()
    ledger.arrive(first)
    ledger.arrive(between)
    for staged in (True, False, False, False):
        ledger.open()
        ledger.die(staged=staged)
    ledger.drain()
    assert ledger.states() == {"a v1": "staged", "a v2": "failed", "a v3": "duplicate"}
    assert ledger.rows == {first.id}


@pytest.mark.parametrize("name", TABLES)
def test_every_order_of_three_versions_ends_alike(name: str) -> None:
    for contents in ("AAA", "AAB", "ABA", "BAA", "ABC"):
        versions = [version(number, content) for number, content in enumerate(contents)]
        for order in permutations(versions):
            for drained in range(4):
                ledger = Ledger(TABLES[name])
                for place, one in enumerate(order):
                    ledger.arrive(one)
                    if drained >> place & 1:
                        ledger.drain()
                ledger.drain()
                check(ledger, versions)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Landing], list[tuple[Landing, str]], int]:
    """Draw versions of two objects, the order of their arrival with what is done after each, a batch's size."""
    contents = draw(st.lists(st.sampled_from("AAB!"), min_size=2, max_size=6))
    versions = [version(n, content, draw(st.sampled_from("aab"))) for n, content in enumerate(contents)]
    order = draw(st.permutations(versions))
    done = st.sampled_from(("nothing", "open", "drain", "drain", "replay", "die", "die after the job"))
    return versions, [(one, draw(done)) for one in order], draw(st.integers(1, 3))


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=120, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(story=stories())
def test_any_story_ends_with_what_counts_of_what_did_not_fail(
    name: str, story: tuple[list[Landing], list[tuple[Landing, str]], int]
) -> None:
    versions, events, size = story
    ledger = Ledger(TABLES[name], size, broken={"!"})
    for one, then in events:
        act(ledger, one, then)
    ledger.drain()
    check(ledger, versions)
    ledger.broken.clear()
    ledger.drain(mode="replay", prefix="planes/")
    check(ledger, versions)


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=50, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(story=stories(), backup=st.integers(0, 6))
def test_after_a_ledger_was_restored_from_a_backup_a_rebuild_of_staging_puts_all_right(
    name: str, story: tuple[list[Landing], list[tuple[Landing, str]], int], backup: int
) -> None:
    versions, events, size = story
    ledger = Ledger(TABLES[name], size, lying=versions)
    items = ledger.driver.cloud.items
    for place, (one, then) in enumerate(events):
        if place == backup:
            items = ledger.driver.cloud.items
        act(ledger, one, then)
    ledger.die(staged=False)
    ledger.driver.cloud = replace(ledger.driver.cloud, items=items)
    ledger.drain(mode="rebuild", layer="staging")
    check(ledger, versions)


@pytest.mark.parametrize("old", TABLES)
@settings(max_examples=50, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(story=stories(), new=st.sampled_from(list(TABLES)))
def test_after_a_change_of_load_or_on_overwrite_what_is_staged_anew_counts_by_the_new_contract(
    old: str, story: tuple[list[Landing], list[tuple[Landing, str]], int], new: str
) -> None:
    versions, events, size = story
    ledger = Ledger(TABLES[old], size, broken={"!"})
    for one, then in events:
        act(ledger, one, then)
    ledger.finish()
    ledger.table = TABLES[new]
    for _ in versions:  # a file that cannot be read stays out of the next
        ledger.drain(mode="rebuild", layer="staging")
    ledger.drain(mode="replay", prefix="planes/")  # what the old contract refused has failed
    check(ledger, versions)
    ledger.broken.clear()
    ledger.drain(mode="replay", prefix="planes/")
    check(ledger, versions)


def act(ledger: Ledger, one: Landing, then: str) -> None:
    """Let a version arrive, and then do what a story says."""
    ledger.arrive(one)
    if then == "open" and not ledger.opened:
        ledger.open()
    elif then.startswith("die"):
        ledger.die(staged=then == "die after the job")
    elif then == "drain":
        ledger.drain()
    elif then == "replay":
        ledger.drain(mode="replay", prefix="planes/")
