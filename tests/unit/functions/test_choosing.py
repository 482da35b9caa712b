"""What is staged next: order, limits, last attempts, repeated content, overwrites, files that wait."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest

from contracts.model import EffectiveAt, Parts, Source, Table
from functions.shared.choosing import Limits, Work, choose, firsts_again, is_replaced
from functions.shared.landings import Landing, landing_id
from tests.unit.functions.conftest import COLUMNS

LIMITS = Limits(landings=10, bytes=1000, attempts=3)
KEYED = Table("planes", "snapshot", Source(prefix="planes/"), COLUMNS, key=("tailnum",))
APPEND = Table("flights", "append", Source(prefix="flights/"), COLUMNS)


def version(key: str, number: int, etag: str, state: str = "pending", **changes: object) -> Landing:
    """Return a version of an object that arrived in minute `number`."""
    time = f"2013-01-01T00:{number:02}:00.000000Z"
    name = f"v{number}"
    landing = Landing(landing_id(key, name), "raw", key, name, f"{number:04}", time, etag, 100, state)
    return replace(landing, **changes)


def chosen(table: Table, *landings: Landing, execution: str = "me", held: frozenset[str] = frozenset()) -> Work:
    """Choose with a ledger that holds these landings."""
    chains = defaultdict(list)
    for one in sorted(landings, key=lambda landing: landing.sequence):
        chains[one.object_id].append(one)
    pending = [one for one in landings if one.state == "pending"]
    return choose(table, pending, lambda object_id: chains[object_id], execution, LIMITS, held)


def names(work: Work) -> list[str]:
    return [f"{one.key} {one.version_id}" for one in work.claims]


def changes(some: tuple) -> list[tuple[str, str]]:
    return [(f"{one.landing.key} {one.landing.version_id}", one.state) for one in some]


def test_landings_are_claimed_in_the_order_of_their_arrival() -> None:
    work = chosen(KEYED, version("c", 3, "x"), version("a", 1, "x"), version("b", 2, "x"))
    assert names(work) == ["a v1", "b v2", "c v3"]


def test_a_batch_ends_before_the_landing_that_is_too_much() -> None:
    landings = [version(f"k{number:02}", number, "x", size=500) for number in range(4)]
    assert names(chosen(KEYED, *landings)) == ["k00 v0", "k01 v1"]
    assert names(chosen(KEYED, version("huge", 1, "x", size=5000))) == ["huge v1"]
    assert len(chosen(KEYED, *(version(f"k{n:02}", n, "x", size=1) for n in range(12))).claims) == 10


def test_of_many_copies_as_many_are_settled_at_once_as_a_batch_may_claim() -> None:
    staged = [version(f"k{number:02}", 0, "x", "staged") for number in range(25)]
    copies = [version(f"k{number:02}", 1 + number, "x") for number in range(25)]
    asked: list[str] = []

    def versions_of(object_id: str) -> list[Landing]:
        asked.append(object_id)
        return [one for one in (*staged, *copies) if one.object_id == object_id]

    work = choose(KEYED, copies, versions_of, "me", LIMITS)
    assert changes(work.settled) == [(f"k{number:02} v{1 + number}", "duplicate") for number in range(10)]
    assert asked == [one.object_id for one in copies[:10]]


def test_an_object_that_was_overwritten_often_is_asked_for_once() -> None:
    versions = [version("current", number, str(number)) for number in range(8)]
    asked: list[str] = []

    def versions_of(object_id: str) -> list[Landing]:
        asked.append(object_id)
        return versions

    assert len(choose(KEYED, versions, versions_of, "me", LIMITS).claims) == 8
    assert asked == [versions[0].object_id]


def test_a_landing_whose_rows_have_left_counts_again_when_its_content_comes_again() -> None:
    gone, again = version("a", 1, "x", "quarantined"), version("a", 2, "x")
    for table in (KEYED, APPEND, replace(APPEND, on_overwrite="fail")):
        work = chosen(table, gone, again)
        assert (names(work), changes(work.settled)) == ([], [("a v1", "pending")])
        work = chosen(table, replace(gone, state="pending"), again)
        assert (names(work), work.settled) == (["a v1"], ())
    unmatched = replace(KEYED, effective_at=EffectiveAt(from_key=r"(?P<date>\d{4}-\d{2}-\d{2})"))
    assert changes(chosen(unmatched, gone, again).settled) == [("a v2", "duplicate")]


def test_a_landing_on_its_last_attempt_goes_alone() -> None:
    good, poison = version("good", 2, "x"), version("poison", 1, "x", attempts=2)
    assert names(chosen(KEYED, good, poison)) == ["poison v1"]
    assert names(chosen(KEYED, good, replace(poison, event_time="2013-01-02T00:00:00.000000Z"))) == ["good v2"]


def test_what_this_execution_tried_in_vain_is_left_to_the_next() -> None:
    tried = version("a", 1, "x", attempts=1, tried_by="me")
    assert not chosen(KEYED, tried)
    assert names(chosen(KEYED, tried, execution="another")) == ["a v1"]


def test_a_version_with_the_same_content_as_the_one_before_is_a_duplicate() -> None:
    work = chosen(KEYED, version("a", 1, "x", "staged"), version("a", 2, "x"))
    assert (names(work), changes(work.settled)) == ([], [("a v2", "duplicate")])
    assert work.settled[0].reason == "the same content as version v1 before it"


def test_content_that_returns_after_another_is_a_landing_of_its_own() -> None:
    work = chosen(KEYED, version("a", 1, "x", "staged"), version("a", 2, "y", "staged"), version("a", 3, "x"))
    assert names(work) == ["a v3"]


def test_a_version_waits_for_the_one_before_it_that_may_make_it_a_duplicate() -> None:
    first, second = version("a", 1, "x"), version("a", 2, "x")
    assert names(chosen(KEYED, first, second)) == ["a v1"]
    assert names(chosen(KEYED, replace(first, state="failed"), second)) == ["a v2"]


def test_versions_are_ordered_by_sequencer_padded_on_the_right() -> None:
    longer = version("a", 1, "x", "staged", sequencer="0A")
    work = chosen(KEYED, longer, version("a", 2, "x", sequencer="0A1"))
    assert changes(work.settled) == [("a v2", "duplicate")]
    assert names(chosen(KEYED, replace(longer, sequencer="0A1"), version("a", 2, "x", sequencer="0A"))) == ["a v2"]


@pytest.mark.parametrize("known", ["staged", "superseded"])  # superseded: another snapshot of its time covers it
def test_an_earlier_version_that_comes_late_takes_the_place_of_its_copy(known: str) -> None:
    work = chosen(KEYED, version("a", 1, "x"), version("a", 2, "x", known))
    assert (names(work), changes(work.retired)) == (["a v1"], [("a v2", "duplicate")])


def test_a_keyed_table_stages_every_content_of_an_object() -> None:
    assert names(chosen(KEYED, version("a", 1, "x"), version("a", 2, "y"))) == ["a v1", "a v2"]


def test_replace_retires_what_the_new_version_overwrites() -> None:
    work = chosen(APPEND, version("a", 1, "x", "staged"), version("a", 2, "y"))
    assert (names(work), changes(work.retired)) == (["a v2"], [("a v1", "superseded")])


def test_replace_stages_the_last_version_first_and_then_knows_that_the_others_are_superseded() -> None:
    first, second = version("a", 1, "x"), version("a", 2, "y")
    assert names(chosen(APPEND, first, second)) == ["a v2"]
    work = chosen(APPEND, first, replace(second, state="staged"))
    assert (names(work), changes(work.settled)) == ([], [("a v1", "superseded")])
    assert names(chosen(APPEND, first, replace(second, state="failed"))) == ["a v1"]


def test_replace_knows_content_that_returned() -> None:
    work = chosen(
        APPEND, version("a", 1, "x", "superseded"), version("a", 2, "y", "staged"), version("a", 3, "x", "pending")
    )
    assert (names(work), changes(work.retired)) == (["a v3"], [("a v2", "superseded")])


def test_add_keeps_every_content_and_knows_copies() -> None:
    table = replace(APPEND, on_overwrite="add")
    work = chosen(table, version("a", 1, "x", "staged"), version("a", 2, "y"), version("a", 3, "y"))
    assert (names(work), changes(work.retired)) == (["a v2"], [])


def test_fail_refuses_all_but_the_first_content_and_says_so() -> None:
    table = replace(APPEND, on_overwrite="fail")
    work = chosen(table, version("a", 1, "x", "staged"), version("a", 2, "y"))
    assert changes(work.settled) == [("a v2", "failed")]
    assert work.settled[0].reason == ("the key landed before with other content (version v1), and on_overwrite is fail")
    late = chosen(table, version("a", 1, "x"), version("a", 2, "y", "staged"))
    assert (names(late), changes(late.retired)) == (["a v1"], [("a v2", "failed")])
    both = chosen(table, version("a", 1, "x"), version("a", 2, "y"))
    assert (names(both), changes(both.retired)) == (["a v1"], [])
    again = chosen(table, version("a", 1, "x", "staged"), version("a", 2, "y"), version("a", 3, "x"))
    assert changes(again.settled) == [("a v2", "failed"), ("a v3", "duplicate")]


def test_a_replay_and_a_landing_that_was_let_through_a_limit_go_apart_from_others() -> None:
    replayed = [version("b", 2, "x", mode="replay"), version("c", 3, "x", mode="replay")]
    work = chosen(KEYED, *replayed, version("a", 1, "x"))
    assert names(work) == ["a v1"]
    assert names(chosen(KEYED, *replayed)) == ["b v2", "c v3"]
    allowed = version("d", 1, "x", allow="max_deleted")
    assert names(chosen(KEYED, allowed, version("e", 2, "x"))) == ["d v1"]


@pytest.mark.parametrize(
    ("table", "replaced"),
    [
        (APPEND, True),
        (replace(APPEND, on_overwrite="add"), False),
        (replace(APPEND, on_overwrite="fail"), False),
        (replace(KEYED, effective_at=EffectiveAt(from_key=r"(?P<date>\d{8})")), True),
        (replace(KEYED, effective_at=EffectiveAt(from_key=r"(?P<date>\d{8})", unmatched="event_time")), False),
        (replace(KEYED, effective_at=EffectiveAt(event_time=True)), False),
        (replace(KEYED, load="upsert"), False),
        (replace(KEYED, load="upsert", effective_at=EffectiveAt(from_key=r"(?P<date>\d{8})")), False),
    ],
)
def test_a_later_version_stands_for_a_failed_one_where_both_would_say_the_same(table: Table, replaced: bool) -> None:
    failed, later = version("a.csv", 2, "x", "failed"), version("a.csv", 3, "y", "staged")
    assert is_replaced(table, failed, [failed, later]) is replaced
    for other in (version("a.csv", 1, "y", "staged"), version("b.csv", 3, "y", "staged"), version("a.csv", 3, "y")):
        assert is_replaced(table, failed, [failed, other]) is False


STAGED_ANEW = {
    "two alike are neighbours now": (["A staged", "B failed", "A staged"], ["v0"]),
    "what failed before does not part them": (["A staged", "C failed", "B failed", "A staged"], ["v0"]),
    "nor does what failed after": (["A staged", "B failed", "C failed", "A staged"], ["v0"]),
    "of a run its first counts": (["A staged", "A duplicate", "B failed", "A staged"], ["v0"]),
    "another content parts them": (["A staged", "C staged", "B failed", "A staged"], []),
    "the copy has no rows": (["A staged", "B failed", "A duplicate"], []),
    "the first has none": (["A quarantined", "B failed", "A staged"], []),
    "the first is staged again anyway": (["A pending", "B failed", "A staged"], []),
    "there is nothing before": (["B failed", "A staged"], []),
    "there is nothing after": (["A staged", "B failed"], []),
}


@pytest.mark.parametrize(("said", "anew"), STAGED_ANEW.values(), ids=STAGED_ANEW)
def test_which_version_is_staged_anew_when_one_after_it_has_failed(said: list[str], anew: list[str]) -> None:
    waits = {"pending": {"mode": "replay", "was": "staged"}}
    chain = [version("a", number, one[0], one[2:], **waits.get(one[2:], {})) for number, one in enumerate(said)]
    [failed] = [one for one in chain if one.etag == "B"]
    assert [one.version_id for one in firsts_again(KEYED, failed, chain)] == anew
    in_parts = replace(KEYED, source=Source("planes/", parts=Parts(quiet="1h")))  # the newest part counts
    assert firsts_again(in_parts, failed, chain) == []


def test_what_a_rebuild_has_left_pending_is_what_it_was() -> None:
    work = chosen(KEYED, version("a", 1, "x", mode="rebuild", was="staged"), version("b", 2, "x"))
    assert (names(work), changes(work.settled)) == (["b v2"], [("a v1", "staged")])


@pytest.mark.parametrize(
    ("key", "number", "asked", "goes"),
    [
        ("between", 4, {}, False),
        ("later", 8, {}, False),
        ("earlier", 1, {}, True),
        ("broken", 5, {}, True),
        ("replayed", 4, {"mode": "replay"}, True),
        ("let through", 4, {"allow": "max_deleted"}, True),
    ],
)
def test_later_files_wait_for_the_first_that_failed_but_its_new_version_and_what_is_asked_for_do_not(
    key: str, number: int, asked: dict[str, str], goes: bool
) -> None:
    broken = [version("broken", 3, "x", "failed"), version("torn", 6, "x", "failed")]
    held = frozenset(one.entry for one in broken)
    assert bool(chosen(KEYED, *broken, version(key, number, "y", **asked), held=held).claims) is goes
