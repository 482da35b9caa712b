"""Generated histories: what lands, in which order it is staged, in which batches, and what is staged again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from math import prod
from typing import Any

from hypothesis import strategies as st

from tests.law.oracle import Landing, Record
from tests.law.shapes import Shape

START = datetime(2020, 1, 1, tzinfo=UTC)
SEQUENCERS = ("0A", "0A1", "0A1F", "0B", "1", "1C", "2", "20F", "3")
KEYS, VALUES, NUMBERS, NOTES = ("a", "", "b", None), ("x", "y", None, ""), (1, None, "x"), ("p", None)
_PLACES = (len(KEYS), len(VALUES), len(NUMBERS), len(NOTES), 6, 4, 3)


@dataclass(frozen=True)
class Arrival:
    """A landing under its number, and the batches (by number) in which it is staged."""

    landing: Landing
    batches: tuple[int, ...]


@dataclass(frozen=True)
class World:
    """Landings of many histories that share their files; column `h` tells the histories apart."""

    shape: Shape
    histories: int
    arrivals: tuple[Arrival, ...]

    @property
    def batches(self) -> int:
        return max(number for arrival in self.arrivals for number in arrival.batches) + 1

    @property
    def rows(self) -> int:
        return sum(len(arrival.landing.records) for arrival in self.arrivals)

    def batch(self, number: int) -> list[Landing]:
        return [arrival.landing for arrival in self.arrivals if number in arrival.batches]


def record(code: int, history: int, shape: Shape) -> Record:
    """Return the row that a number stands for; 0 is the plainest."""
    digits = []
    for place in _PLACES:
        code, digit = divmod(code, place)
        digits.append(digit)
    key, value, number, note, time, tie, act = digits
    deletes = shape.load == "changes" and act == 1
    row: dict[str, Any] = {
        "h": history,
        "k": KEYS[key],
        "v": VALUES[value],
        "w": NUMBERS[number],
        "u": NOTES[note],
        "t": moment(time, shape),
        "n": (1, 2, None, 1)[tie],
    }
    refused = row["w"] == "x" and not deletes
    if row["w"] == "x" and not refused:
        row["w"] = None
    return Record({name: row[name] for name in shape.rules.columns}, deletes, refused)


def moment(number: int, shape: Shape) -> date | datetime | int | None:
    """Return an effective_at around the times of the files; the last one is NULL."""
    if number == 5 or shape.time != "column":
        return None
    at = START + timedelta(hours=12 * number)
    return {"date": at.date(), "timestamp": at, "number": number}[shape.at]


def worlds(shape: Shape, histories: int) -> st.SearchStrategy[World]:
    """Return worlds of a shape: three to five landings, some of them overwriting others, in any order."""
    codes = prod(_PLACES)

    @st.composite
    def draw_world(draw: st.DrawFn) -> World:
        count = draw(st.integers(3, 5))
        rows = st.lists(st.integers(0, codes - 1), max_size=3)
        landings: list[Landing] = []
        hour = 0
        for number in range(count):
            hour += draw(st.sampled_from((0, 6, 12, 24)))
            name = draw(st.sampled_from(("x", "y", "z")))
            records = tuple(record(c, h, shape) for h in range(histories) for c in draw(rows))
            day = draw(st.integers(0, 3)) if shape.time == "key" else 0
            landing = _landing(shape, name, number, START + timedelta(hours=hour), day, records)
            if draw(st.integers(0, 4)) == 4 and (same := [one for one in landings if one.key == landing.key]):
                landing = replace(landing, records=same[-1].records)
            landings.append(landing)
        order = draw(st.permutations(range(count)))
        return World(shape, histories, tuple(_arrivals(draw, landings, order)))

    return draw_world().filter(lambda world: world.rows >= histories)


def _landing(
    shape: Shape, name: str, number: int, event_time: datetime, day: int, records: tuple[Record, ...]
) -> Landing:
    midnight = datetime(2020, 1, 1 + day, tzinfo=UTC)
    key = f"{midnight.date()}/{name}.csv" if shape.time == "key" else f"{name}.csv"
    file_time = midnight if shape.time == "key" else event_time
    return Landing(key, SEQUENCERS[number], event_time, file_time, records)


def _arrivals(draw: st.DrawFn, landings: Sequence[Landing], order: Sequence[int]) -> list[Arrival]:
    """Split the order into batches; a landing may be staged again later."""
    batch = 0
    found = []
    for place, number in enumerate(order):
        batch += bool(place and draw(st.integers(0, 2)))
        found.append((landings[number], batch))
    last = batch
    arrivals = []
    for landing, first in found:
        again = [number for number in range(first + 1, last + 1) if draw(st.integers(0, 4)) == 4]
        arrivals.append(Arrival(landing, (first, *again)))
    return arrivals
