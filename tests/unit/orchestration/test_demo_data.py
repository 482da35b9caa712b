"""The demo's files: the package's rows, and the documented edits of the registers."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from orchestration.embedded.demo_data import DemoFile, nights, write_demo_files, write_late_file

DAYS = 11


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, DemoFile]:
    return {file.key: file for file in write_demo_files(tmp_path_factory.mktemp("demo"), DAYS)}


def read(file: DemoFile) -> list[dict[str, Any]]:
    raw = file.path.read_bytes()
    if file.key.endswith(".bz2"):
        return [json.loads(line) for line in bz2.decompress(raw).splitlines()]
    if file.key.endswith(".xml"):
        return [
            {"carrier": one.get("carrier"), "name": one.findtext("name", "")} for one in ElementTree.fromstring(raw)
        ]
    text = gzip.decompress(raw) if file.key.endswith(".gz") else raw
    return list(csv.DictReader(io.StringIO(text.decode())))


def plane(files: dict[str, DemoFile], day: int, tailnum: str) -> dict[str, Any] | None:
    rows = read(files[f"reference/planes/2013-01-{day:02d}/planes.csv"])
    return next((row for row in rows if row["tailnum"] == tailnum), None)


def test_each_day_has_its_files_and_each_register_its_editions(files: dict[str, DemoFile]) -> None:
    days = [f"2013/01/{day:02d}" for day in range(1, DAYS + 1)]
    editions = {"planes": (1, 4, 8, 11), "airports": (1, 5, 9), "airlines": (1, 6, 10)}
    assert set(files) == {
        *(f"ops/flights/{day}/flights.csv.gz" for day in days),
        *(f"ops/weather/{day}/weather.jsonl.bz2" for day in days),
        *(
            f"reference/{name}/2013-01-{day:02d}/{name}.{'xml' if name == 'airlines' else 'csv'}"
            for name, found in editions.items()
            for day in found
        ),
    }


def test_files_land_in_the_night_after_the_day_they_tell_of(files: dict[str, DemoFile]) -> None:
    assert files["ops/flights/2013/01/01/flights.csv.gz"].at == datetime(2013, 1, 2, 5, tzinfo=UTC)
    assert files["ops/weather/2013/01/01/weather.jsonl.bz2"].at == datetime(2013, 1, 2, 4, tzinfo=UTC)
    assert files["reference/planes/2013-01-04/planes.csv"].at == datetime(2013, 1, 4, 1, tzinfo=UTC)


def test_nights_hold_every_file_once_in_order_of_its_event(files: dict[str, DemoFile]) -> None:
    found = list(nights(list(files.values())))
    assert [day for day, _ in found] == [date(2013, 1, number) for number in range(1, DAYS + 2)]
    landed = [file for _, group in found for file in group]
    assert landed == sorted(files.values(), key=lambda file: (file.at, file.key))


def test_a_day_s_file_holds_the_package_s_rows_of_that_day(files: dict[str, DemoFile]) -> None:
    rows = read(files["ops/flights/2013/01/01/flights.csv.gz"])
    assert (len(rows), {(row["year"], row["month"], row["day"]) for row in rows}) == (842, {("2013", "1", "1")})
    assert rows[0] == {
        "year": "2013", "month": "1", "day": "1", "dep_time": "517", "sched_dep_time": "515", "dep_delay": "2",
        "arr_time": "830", "sched_arr_time": "819", "arr_delay": "11", "carrier": "UA", "flight": "1545",
        "tailnum": "N14228", "origin": "EWR", "dest": "IAH", "air_time": "227", "distance": "1400", "hour": "5",
        "minute": "15", "time_hour": "2013-01-01T10:00:00Z",
    }  # fmt: skip
    weather = read(files["ops/weather/2013/01/01/weather.jsonl.bz2"])
    assert weather[0] == {
        "origin": "EWR", "year": 2013, "month": 1, "day": 1, "hour": 1, "temp": 39.02, "dewp": 26.06, "humid": 59.37,
        "wind_dir": 270, "wind_speed": 10.35702, "wind_gust": None, "precip": 0, "pressure": 1012.0, "visib": 10,
        "time_hour": "2013-01-01T06:00:00Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("day", "seats", "retired", "old", "new"),
    [
        (1, "200", False, True, False),
        (4, "150", True, True, False),
        (8, "150", True, False, True),
        (11, "150", False, False, True),
    ],
)
def test_the_register_of_planes_changes_as_documented(
    files: dict[str, DemoFile], day: int, seats: str, retired: bool, old: bool, new: bool
) -> None:
    refitted = plane(files, day, "N593JB")
    assert refitted is not None and refitted["seats"] == seats
    assert (plane(files, day, "N23139") is None) == retired
    assert (plane(files, day, "N279JB") is not None, plane(files, day, "N279JX") is not None) == (old, new)


def test_names_go_and_come_back(files: dict[str, DemoFile]) -> None:
    names = {
        name: [
            next(row["name"] for row in read(file) if row[column] == key)
            for file in sorted(files.values(), key=lambda file: file.at)
            if file.key.startswith(f"reference/{name}/")
        ]
        for name, column, key in (("airports", "faa", "BUF"), ("airlines", "carrier", "9E"))
    }
    assert names == {
        "airports": ["Buffalo Niagara Intl", "", "Buffalo Niagara Intl"],
        "airlines": ["Pinnacle Airlines Inc.", "", "Endeavor Air Inc."],
    }


def test_the_late_register_belongs_before_ones_that_landed(tmp_path: Path) -> None:
    late = write_late_file(tmp_path)
    assert (late.key, late.at) == ("reference/planes/2013-01-06/planes.csv", datetime(2013, 1, 20, 1, tzinfo=UTC))
    assert [row["seats"] for row in read(late) if row["tailnum"] == "N593JB"] == ["162"]


def test_the_same_files_are_written_byte_for_byte(files: dict[str, DemoFile], tmp_path: Path) -> None:
    for again in write_demo_files(tmp_path, 2):
        assert again.path.read_bytes() == files[again.key].path.read_bytes()
