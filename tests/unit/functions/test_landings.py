"""A landing in the ledger: nothing of it is lost there, and what orders it."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from functions.shared.landings import Landing, id_in, landing_id, normal_time, object_in

NEW = Landing(landing_id("a#b/é.csv", "v1"), "raw", "a#b/é.csv", "v1", "00a1", "2013-01-01T00:00:00.000000Z", "e", 1)
LATER = "2013-01-02T00:00:00.000000Z"


def test_the_ledger_holds_all_of_a_landing_and_nothing_that_is_empty() -> None:
    texts = {one.name: one.name for one in fields(Landing) if one.name not in ("size", "attempts")}
    full = Landing(**texts, size=3, attempts=2)
    assert full.to_plain() == {**texts, "size": 3, "attempts": 2}
    assert Landing.from_plain({**full.to_plain(), "pk": "TABLE#planes", "more": 1}) == full
    assert NEW.to_plain().keys() == {one.name for one in fields(Landing)[:10]}
    assert Landing.from_plain(NEW.to_plain()) == NEW


def test_versions_of_one_object_share_what_its_entry_and_its_id_begin_with() -> None:
    other = replace(NEW, id=landing_id(NEW.key, "v2"))
    assert (id_in(NEW.entry), object_in(NEW.entry), other.id != NEW.id) == (NEW.id, NEW.object_id, True)
    assert other.object_id == NEW.object_id != landing_id("a#b/e.csv", "v1").partition("-")[0]


def test_an_id_is_the_same_for_all_time_lest_the_event_of_an_old_landing_counts_anew() -> None:
    assert landing_id("a", "null") == "ca978112ca1bbdcafac231b3-74234e98afe7498f"
    assert landing_id("crm/é.csv", "3sL4kqtJ+rmSpXd3dIbrHY") == "751d531f2a86d52bec0b1cc8-59b8903d478f6564"


@pytest.mark.parametrize(
    ("earlier", "later"), [("9", "91"), ("09", "0A"), ("0a", "0B"), ("0A", "0b"), ("0055AED6DCD90281E5", "0055aed7")]
)
def test_the_sequencer_is_a_hexadecimal_number_that_is_padded_on_the_right(earlier: str, later: str) -> None:
    assert replace(NEW, sequencer=earlier).sequence < replace(NEW, sequencer=later).sequence
    assert replace(NEW, sequencer="0a").sequence == replace(NEW, sequencer="0A00").sequence


@pytest.mark.parametrize(
    ("was", "state", "attempts", "reason"),
    [
        ("", "failed", 1, "bad"),
        ("pending", "failed", 1, "bad"),
        ("failed", "failed", 1, "bad"),
        ("duplicate", "failed", 1, "bad"),
        ("staged", "staged", 0, "the replay failed: bad"),
        ("superseded", "superseded", 0, "the replay failed: bad"),
    ],
)
def test_a_landing_that_fails_keeps_the_rows_that_are_staged(was: str, state: str, attempts: int, reason: str) -> None:
    asked = replace(NEW, state="claimed", batch_id="b", was=was, mode="replay", allow="min_rows", tried_by="x")
    told = replace(NEW, state=state, batch_id="b", updated_at=LATER, attempts=attempts, reason=reason, column="c")
    assert asked.failed(LATER, "bad", "c") == told
    assert told.has_failed
    assert not told.settled("staged", LATER, reason="").has_failed


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2013-01-02T05:00:00Z", "2013-01-02T05:00:00.000000Z"),
        ("2013-01-02T05:00:00.123+02:00", "2013-01-02T03:00:00.123000Z"),
        ("2013-01-02", "2013-01-02T00:00:00.000000Z"),
    ],
)
def test_times_are_text_that_sorts(text: str, time: str) -> None:
    assert normal_time(text) == time
