"""Snapshots in parts: landings wait until theirs is whole, and then go in one batch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from contracts.model import EffectiveAt, Parts, Plan, Source, Table
from functions.receive_files.arrivals import read_message
from functions.shared.choosing import Limits, choose
from functions.shared.landings import DUPLICATE, STAGED, Landing
from functions.shared.wholes import incomplete, overdue, waiting_words
from tests.unit.functions.conftest import s3_event

NOON = datetime(2020, 1, 2, 12, tzinfo=UTC)
SMALL = Limits(landings=1, bytes=1, attempts=3)


def table(parts: Parts) -> Table:
    dated = EffectiveAt(from_key=r"(?P<date>\d{4}-\d{2}-\d{2})")
    return Table("planes", "snapshot", Source("planes/", parts=parts), (), key=("k",), effective_at=dated)


def landing(key: str, minute: int, etag: str = "", version: str = "v1", **words) -> Landing:
    at = f"2020-01-02T11:{minute:02d}:00.000000Z"
    return Landing(
        f"{key.replace('-', '')}-{version}",
        "raw",
        f"planes/{key}",
        version,
        f"{minute:02X}",
        at,
        etag or key,
        10,
        **words,
    )


def chosen(parts: Parts, *landings: Landing, now: datetime = NOON, held: frozenset[str] = frozenset()):
    """Return the keys that are claimed, and those that are settled, with their states."""

    def versions(object_id: str) -> list[Landing]:
        return sorted((one for one in landings if one.object_id == object_id), key=lambda one: one.sequence)

    pending = [one for one in landings if one.state == "pending"]
    work = choose(table(parts), pending, versions, "me", SMALL, held, now)
    return [one.key for one in work.claims], [(one.landing.key, one.state) for one in work.settled]


MARKED = Parts(marker="/_SUCCESS$")
COUNTED = Parts(count=r"-of-(?P<parts>\d+)$")
A_DAY_LATER = datetime(2020, 1, 3, 12, tzinfo=UTC)


def test_parts_wait_for_their_marker_and_go_in_one_batch_whatever_the_limits():
    first, second = landing("2020/2020-01-01/a", 1), landing("2020/2020-01-01/b", 2)
    done, other = landing("2020/2020-01-01/_SUCCESS", 3), landing("2020/2020-01-02/a", 1)
    assert chosen(MARKED, first, second, other) == ([], [])
    keys = [f"planes/2020/2020-01-01/{name}" for name in ("a", "b", "_SUCCESS")]
    assert chosen(MARKED, done, second, other, first) == (keys, [])


def test_quiet_comes_with_time():
    parts = Parts(quiet="30m")
    one = landing("2020-01-01/a", 40)
    assert chosen(parts, one) == ([], [])
    assert chosen(parts, one, now=datetime(2020, 1, 2, 12, 10, tzinfo=UTC)) == (["planes/2020-01-01/a"], [])


def test_a_snapshot_that_this_execution_tried_in_vain_is_left_to_the_next():
    failed = [landing("2020-01-01/a", 1, tried_by="me"), landing("2020-01-01/_SUCCESS", 1)]
    later = [landing("2020-01-02/a", 2), landing("2020-01-02/_SUCCESS", 3)]
    assert chosen(MARKED, *failed, *later)[0] == ["planes/2020-01-02/a", "planes/2020-01-02/_SUCCESS"]


def test_what_repeats_a_staged_part_is_a_duplicate_but_its_marker_waits():
    staged = [landing(f"2020-01-01/{name}", 1, state=STAGED) for name in ("a", "b", "_SUCCESS")]
    again = landing("2020-01-01/a", 5, version="v2")
    marker = landing("2020-01-01/_SUCCESS", 6, version="v2")
    assert chosen(MARKED, *staged, again) == ([], [(again.key, DUPLICATE)])
    assert chosen(MARKED, *staged, marker) == ([], [])
    assert chosen(MARKED, *staged, marker, now=A_DAY_LATER) == ([], [(marker.key, DUPLICATE)])
    assert chosen(MARKED, landing("2020-01-01/_SUCCESS", 6), now=A_DAY_LATER) == ([], [])
    new = landing("2020-01-01/b", 5, "other", version="v2")
    assert chosen(MARKED, *staged, again, new, marker) == ([new.key], [(again.key, DUPLICATE), (marker.key, DUPLICATE)])


def test_what_lands_again_after_its_marker_waits_no_longer_than_the_marker():
    staged = [landing(f"2020-01-01/{name}", 1, state=STAGED) for name in ("a", "b", "_SUCCESS")]
    marker, again = landing("2020-01-01/_SUCCESS", 5, version="v2"), landing("2020-01-01/a", 6, version="v2")
    assert chosen(MARKED, *staged, marker, again) == ([], [])
    both = [(marker.key, DUPLICATE), (again.key, DUPLICATE)]
    assert chosen(MARKED, *staged, marker, again, now=A_DAY_LATER) == ([], both)


def test_a_counted_part_that_repeats_the_staged_one_waits_a_day_for_those_that_change():
    staged = [landing(f"2020-01-01/{number}-of-2", number, state=STAGED) for number in (1, 2)]
    again = landing("2020-01-01/1-of-2", 5, version="v2")
    changed = landing("2020-01-01/2-of-2", 6, "other", version="v2")
    assert chosen(COUNTED, *staged, again) == ([], [])
    assert chosen(COUNTED, *staged, again, changed) == ([changed.key], [(again.key, DUPLICATE)])
    assert chosen(COUNTED, *staged, again, now=A_DAY_LATER) == ([], [(again.key, DUPLICATE)])
    assert chosen(COUNTED, *staged, changed, now=A_DAY_LATER) == ([], [])


def test_a_part_whose_content_returns_counts_again_when_what_came_between_lands_late():
    versions = [("", STAGED), ("other", "pending"), ("", DUPLICATE)]
    first, between, last = (
        landing("2020-01-01/1-of-1", number, etag, f"v{number}", state=state)
        for number, (etag, state) in enumerate(versions, 1)
    )
    assert chosen(COUNTED, first, between, last) == ([], [(last.key, "pending")])
    again = replace(last, state="pending")
    assert chosen(COUNTED, first, between, again) == ([between.key, last.key], [])


def test_of_a_rebuild_that_died_parts_are_what_they_were_and_others_go_on():
    left = landing("2020-01-01/a", 1, mode="rebuild", was=STAGED)
    whole = [landing("2020-01-01/b", 2), landing("2020-01-01/_SUCCESS", 3)]
    assert chosen(MARKED, left) == ([], [(left.key, STAGED)])
    assert chosen(MARKED, left, *whole) == ([one.key for one in whole], [(left.key, STAGED)])


def test_a_whole_snapshot_waits_for_an_earlier_file_that_failed():
    broken = landing("2020-01-01/a", 1, state="failed")
    later = [landing("2020-01-02/a", 2), landing("2020-01-02/_SUCCESS", 3)]
    assert chosen(MARKED, broken, *later, held=frozenset({broken.entry})) == ([], [])
    assert chosen(MARKED, broken, *later) == ([one.key for one in later], [])
    mended = [
        landing("2020-01-01/a", 4, "mended", "v2"),
        landing("2020-01-01/new", 5),
        landing("2020-01-01/_SUCCESS", 6),
    ]
    assert chosen(MARKED, broken, *later, *mended, held=frozenset({broken.entry})) == ([one.key for one in mended], [])


def test_new_parts_wait_for_an_earlier_file_that_failed_although_the_old_ones_beside_them_are_replayed():
    broken = landing("2020-01-01/a", 1, state="failed")
    held = frozenset({broken.entry})
    again = [landing(f"2020-01-02/{name}", 2, mode="replay", was=STAGED) for name in ("_SUCCESS", "a")]
    new = [landing(f"2020-01-02/{name}", 3, "new", "v2") for name in ("_SUCCESS", "a")]
    assert chosen(MARKED, broken, *again, *new, held=held) == ([], [])
    assert chosen(MARKED, broken, *again, held=held) == ([one.key for one in again], [])
    replayed = replace(broken, state="pending", mode="replay", was="failed")
    beside = [landing("2020-01-01/new", 3), landing("2020-01-01/_SUCCESS", 4)]
    assert chosen(MARKED, replayed, *again, *beside, *new, held=held)[0] == [one.key for one in (replayed, *beside)]


def test_a_key_without_a_time_goes_alone_for_staging_to_refuse_it():
    assert chosen(MARKED, landing("now/a", 1), landing("2020-01-01/a", 1))[0] == ["planes/now/a"]


def test_what_waits_is_said_in_words():
    pending = [landing("2020-01-01/a", 1), landing("2020-01-02/a", 2), landing("2020-01-02/_SUCCESS", 3)]
    assert waiting_words(incomplete(table(MARKED), pending, NOON)) == (
        "waits for the rest of the snapshot of planes/2020-01-01/a: 1 object has landed, but none that "
        "matches /_SUCCESS$"
    )
    assert waiting_words(incomplete(table(MARKED), pending[1:], NOON)) == ""
    more = [*pending, landing("2020-01-03/a", 4)]
    assert waiting_words(incomplete(table(MARKED), more, NOON)).endswith("(and 1 more snapshot waits)")


def test_a_snapshot_that_waits_longer_than_the_freshness_is_overdue():
    fresh = replace(table(MARKED), freshness="1h")
    pending = [landing("2020-01-01/a", 1), landing("2020-01-01/b", 59), landing("2020-01-02/a", 2)]
    whole = [landing("2020-01-03/a", 1), landing("2020-01-03/_SUCCESS", 3)]
    at = datetime(2020, 1, 2, 12, 1, 30, tzinfo=UTC)
    assert overdue(fresh, [*pending, *whole], NOON) == []
    assert [one.landings[0].key for one in overdue(fresh, [*pending, *whole], at)] == ["planes/2020-01-01/a"]
    assert overdue(table(MARKED), pending, at) == []


def test_a_marker_that_a_contract_waits_for_is_no_noise():
    import json

    plan = Plan("p", {"planes": table(MARKED)}, {})
    keys = ("planes/2020-01-01/_SUCCESS", "planes/2020-01-01/_temporary/x", "other/_SUCCESS")
    found = [read_message(json.dumps(s3_event(key, "v1")), "raw", plan.expects) for key in keys]
    assert [(len(one.landings), one.ignored) for one in found] == [(1, 0), (0, 1), (0, 1)]
