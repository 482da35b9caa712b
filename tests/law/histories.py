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
LACKS = ("   ", " x ", "x  ", "x x", " xx", "xx ", "  x", "xxx")
MOST_BATCHES = 3
_PLACES = (len(KEYS), len(VALUES), len(NUMBERS), len(NOTES), 6, 4, 3)


@dataclass(frozen=True)
class Arrival:
    """A landing under its number, and the batches (by number) in which it is staged."""

    landing: Landing
    batches: tuple[int, ...]


@dataclass(frozen=True)
class World:
    """Landings of many histories that share their files; column `h` tells the histories apart.

    `looks` are the batches after which the marts are built, beside the last one.
    """

    shape: Shape
    histories: int
    arrivals: tuple[Arrival, ...]
    looks: frozenset[int] = frozenset()

    @property
    def is_telling(self) -> bool:
        """Tell whether landings come in another order than S3 wrote them, in several batches, with all that may be."""
        order = [one.landing.order for one in self.arrivals]
        truncated = any(record.truncates for one in self.arrivals for record in one.landing.records)
        return order != sorted(order) and self.batches > 1 and (truncated or not self.shape.truncates)

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
    truncates = shape.truncates and (act, value, number) == (2, 3, 2)
    deletes = deletes or truncates
    refused = row["w"] == "x" and not deletes
    if row["w"] == "x" and not refused:
        row["w"] = None
    lacks = frozenset(name for name, mark in zip("vwu", LACKS[tie + note * 4], strict=True) if mark == "x")
    if truncates:
        row["k"] = None
    return Record(
        {name: row[name] for name in shape.rules.columns},
        deletes,
        refused and not (shape.partial and "w" in lacks),
        truncates,
        lacks if shape.partial else frozenset(),
    )


def moment(number: int, shape: Shape, facts: bool = False) -> date | datetime | int | None:
    """Return an effective_at around the times of the files; the last one is NULL."""
    if number == 5 or (shape.time != "column" and not facts):
        return None
    at = START + timedelta(hours=12 * number)
    return {"date": at.date(), "timestamp": at, "number": number}[shape.at]


def worlds(shape: Shape, histories: int, groups: int = 1) -> st.SearchStrategy[World]:
    """Return worlds of a shape, in any order: for each group of histories three to five landings of its own.

    Some of them overwrite others. Groups share batches and nothing else, unless the load makes them.
    """

    @st.composite
    def draw_world(draw: st.DrawFn) -> World:
        arrivals: list[Arrival] = []
        for group in range(groups):
            mine = range(group * histories // groups, (group + 1) * histories // groups)
            landings = draw(_landings(shape, mine, f"{group}" if group else ""))
            order = draw(st.permutations(range(len(landings))))
            arrivals += _arrivals(draw, landings, order)
        looks = draw(st.frozensets(st.integers(0, MOST_BATCHES - 2), max_size=1))
        return World(shape, histories, tuple(arrivals), looks)

    return draw_world().filter(lambda world: world.rows >= histories)


@st.composite
def _landings(draw: st.DrawFn, shape: Shape, histories: range, prefix: str) -> list[Landing]:
    rows = st.lists(st.integers(0, prod(_PLACES) - 1), max_size=3)
    landings: list[Landing] = []
    hour = 0
    for number in range(draw(st.integers(3, 5))):
        hour += draw(st.sampled_from((0, 6, 12, 24)))
        name = prefix + draw(st.sampled_from(("x", "y", "z")))
        records = tuple(record(c, h, shape) for h in histories for c in draw(rows))
        day = draw(st.integers(0, 3)) if shape.time == "key" else 0
        landing = _landing(shape, name, number, START + timedelta(hours=hour), day, records)
        if draw(st.integers(0, 4)) == 4 and (same := [one for one in landings if one.key == landing.key]):
            landing = replace(landing, records=same[-1 - draw(st.integers(0, len(same) - 1))].records)
        landings.append(landing)
    return landings


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
        batch = min(batch + bool(place and draw(st.integers(0, 2))), MOST_BATCHES - 1)
        found.append((landings[number], batch))
    last = batch
    arrivals = []
    for landing, first in found:
        again = [number for number in range(first + 1, last + 1) if draw(st.integers(0, 4)) == 4]
        arrivals.append(Arrival(landing, (first, *again)))
    return arrivals
