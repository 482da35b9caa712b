"""A snapshot in parts is whole by its marker, by a count in its keys, or when it has been quiet for long enough."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import pytest

from contracts.compile import check, compile_plan
from contracts.model import Parts, Plan
from contracts.snapshot_parts import Lack, Part, duration, lack, members

NOON = datetime(2020, 1, 2, 12, tzinfo=UTC)


def at(minute: int) -> datetime:
    return datetime(2020, 1, 2, 11, minute, tzinfo=UTC)


def parts(*landed: tuple[str, int]) -> list[Part]:
    return [Part(key, at(minute)) for key, minute in landed]


MARKER = Parts(marker=r"/_DONE$")
COUNT = Parts(count=r"-of-(?P<parts>\d+)\.csv$")
QUIET = Parts(quiet="30m")
LACKS = {
    "a marker that landed last": (MARKER, parts(("d/a.csv", 1), ("d/b.csv", 2), ("d/_DONE", 2)), None),
    "no marker": (
        MARKER,
        parts(("d/a.csv", 1), ("d/b.csv", 2)),
        Lack("2 objects have landed, but none that matches /_DONE$"),
    ),
    "a part after the marker": (
        MARKER,
        parts(("d/a.csv", 1), ("d/_DONE", 2), ("d/b.csv", 3)),
        Lack("d/b.csv landed after the marker: a newer marker must follow"),
    ),
    "a newer marker": (MARKER, parts(("d/a.csv", 1), ("d/b.csv", 3), ("d/_DONE", 4)), None),
    "markers of which the last counts": (MARKER, parts(("d/_DONE", 1), ("d/a.csv", 2), ("e/_DONE", 3)), None),
    "a marker alone": (MARKER, parts(("d/_DONE", 2)), Lack("no object with records has landed")),
    "all that the count names": (COUNT, parts(("d/1-of-2.csv", 2), ("d/2-of-2.csv", 1)), None),
    "fewer than the count names": (
        COUNT,
        parts(("d/1-of-3.csv", 1), ("d/2-of-3.csv", 2)),
        Lack("2 of 3 objects have landed"),
    ),
    "a count that changed": (
        COUNT,
        parts(("d/1-of-3.csv", 1), ("d/2-of-3.csv", 2), ("d/3-of-3.csv", 3), ("d/1-of-2.csv", 4)),
        Lack("1 of 2 objects have landed"),
    ),
    "two counts at one instant": (
        COUNT,
        parts(("d/1-of-2.csv", 1), ("d/1-of-3.csv", 1)),
        Lack("1 of 3 objects have landed"),
    ),
    "a key without a count": (
        COUNT,
        parts(("d/all.csv", 1)),
        Lack(r"d/all.csv does not match -of-(?P<parts>\d+)\.csv$"),
    ),
    "quiet for long enough": (QUIET, parts(("d/a.csv", 1), ("d/b.csv", 30)), None),
    "quiet, but not yet": (
        QUIET,
        parts(("d/a.csv", 1), ("d/b.csv", 31)),
        Lack("2 objects have landed, the last less than 30m ago", datetime(2020, 1, 2, 12, 1, tzinfo=UTC)),
    ),
}


@pytest.mark.parametrize(("how", "landed", "lacks"), LACKS.values(), ids=LACKS)
def test_what_a_snapshot_waits_for(how, landed, lacks):
    assert lack(how, landed, NOON) == lacks
    assert lack(how, reversed(landed), NOON) == lacks


def test_the_objects_that_make_a_snapshot():
    landed = parts(("d/1-of-3.csv", 1), ("d/1-of-2.csv", 5), ("d/2-of-2.csv", 4))
    assert [part.key for part in members(COUNT, landed)] == ["d/2-of-2.csv", "d/1-of-2.csv"]
    assert [part.key for part in members(MARKER, parts(("d/_DONE", 2), ("d/a.csv", 1)))] == ["d/a.csv"]
    counted_anew = parts(("d/1-of-3.csv", 1), ("d/2-of-3.csv", 2), ("d/1-of-2.csv", 5))
    assert [part.key for part in members(COUNT, counted_anew)] == ["d/1-of-2.csv"]
    assert (members(QUIET, []), members(COUNT, [])) == ([], [])


def test_durations_are_in_seconds_minutes_hours_or_days():
    found = [duration(text).total_seconds() for text in ("90s", "15m", "26h", "7d")]
    assert found == [90, 15 * 60, 26 * 3600, 7 * 24 * 3600]


CONTRACT = """\
table: orders
source:
  parts: {parts}
load: snapshot
key: [id]
effective_at: {{from_key: '(?P<date>\\d{{4}}-\\d{{2}}-\\d{{2}})'}}
schema:
  columns:
    - {{name: id, type: bigint}}
"""


@pytest.mark.parametrize("parts", [MARKER, COUNT, QUIET])
def test_parts_reach_the_plan(write, parts):
    [(word, text)] = [(word, text) for word, text in asdict(parts).items() if text]
    plan = compile_plan(write({"tables/orders.yaml": CONTRACT.format(parts=f"{{{word}: '{text}'}}")}))
    assert plan.tables["orders"].source.parts == parts
    assert Plan.from_json(plan.to_json()) == plan


MISTAKES = {
    "{}": ["must hold exactly one of marker, count, quiet"],
    "{marker: a, quiet: 1h}": ["must hold exactly one of marker, count, quiet"],
    "{quiet: soon}": ["'soon' must be a time such as 15m or 2h"],
    "{marker: '('}": ["is no regular expression: missing ), unterminated subpattern at position 0"],
    "{count: '('}": ["is no regular expression: missing ), unterminated subpattern at position 0"],
    "{count: 'of-(\\d+)'}": [r"names no group parts, such as -of-(?P<parts>\d+)"],
}


@pytest.mark.parametrize("words", MISTAKES)
def test_what_parts_cannot_be(write, words):
    found = check(write({"tables/orders.yaml": CONTRACT.format(parts=words)}))
    assert [(m.line, m.message) for m in found] == [(3, message) for message in MISTAKES[words]]


def test_parts_are_of_snapshots_that_share_a_time_in_their_keys(write):
    text = CONTRACT.format(parts="{quiet: 1h}").replace("load: snapshot", "load: upsert")
    text = text[: text.index("effective_at")] + text[text.index("schema:") :]
    assert [str(m) for m in check(write({"tables/orders.yaml": text}))] == [
        "shop/tables/orders.yaml:3: source.parts: is for load snapshot only: other files need not be whole",
        "shop/tables/orders.yaml:3: source.parts: needs effective_at: {from_key: …}: the time that the objects share",
    ]
