"""The time that a key speaks of: found, not there, or no time at all."""

from __future__ import annotations

import time

import pytest

from contracts.file_times import FileTimeError, find_file_time, parse_time
from contracts.model import EffectiveAt

DATE = r"(?P<date>\d{4}-\d{2}-\d{2})"
PARTS = r"(?P<year>\d+)(?:m(?P<month>\d+))?(?:d(?P<day>\d+))?(?:h(?P<hour>\d+))?"
FOUND = {
    (DATE, "a/2020-02-29.csv"): "2020-02-29T00:00:00+00:00",
    (rf"{DATE}(?:_(?P<time>\d{{4}}\+\d{{4}}))?", "a/2020-02-29_0130+0200.csv"): "2020-02-28T23:30:00+00:00",
    (rf"{DATE}(?:_(?P<time>\d{{4}}))?", "a/2020-02-29.csv"): "2020-02-29T00:00:00+00:00",
    (r"(?P<date>.*)\.csv", "2020-02-29T01:30:00+02:00.csv"): "2020-02-28T23:30:00+00:00",
    (PARTS, "2020"): "2020-01-01T00:00:00+00:00",
    (PARTS, "2020m3d31h23"): "2020-03-31T23:00:00+00:00",
}
SECONDS = (
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)T(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)\.?(?P<fraction>\d*)"
)
FOUND |= {
    (SECONDS, "20200229T010203"): "2020-02-29T01:02:03+00:00",
    (SECONDS, "20200229T010203.12"): "2020-02-29T01:02:03.120000+00:00",
    (rf"{DATE}T(?P<time>\d{{6}})(?P<fraction>\d*)", "2020-02-29T0102031234567"): "2020-02-29T01:02:03.123456+00:00",
}
REFUSED = {
    (DATE, "orders.csv"): f"does not match from_key {DATE}",
    (rf"^orders(?:-{DATE})?", "orders.csv"): f"does not match from_key ^orders(?:-{DATE})?",
    (r"(?:y(?P<year>\d{4}))?\.csv", "full.csv"): r"does not match from_key (?:y(?P<year>\d{4}))?\.csv",
}
NO_TIMES = {
    (PARTS, "2020d31"): "from_key finds no time: day is there without what goes before it",
    (PARTS, "2020m13"): "from_key finds no time: month must be in 1..12",
    (PARTS, "20200229123456"): "from_key finds no time: signed integer is greater than maximum",
    (r"(?P<date>.*)\.csv", "9999-12-31T23:59:59-01:00.csv"): "from_key finds no time: date value out of range",
}


@pytest.mark.parametrize(("pattern", "key"), FOUND)
def test_the_time_in_a_key(pattern, key):
    found = find_file_time(EffectiveAt(from_key=pattern), key)
    assert found is not None
    assert found.isoformat() == FOUND[pattern, key]


@pytest.mark.parametrize(("pattern", "key"), {**REFUSED, **NO_TIMES})
def test_a_key_without_a_time_is_refused(pattern, key):
    with pytest.raises(FileTimeError) as raised:
        find_file_time(EffectiveAt(from_key=pattern), key)
    assert str(raised.value) == f"key {key}: { {**REFUSED, **NO_TIMES}[pattern, key] }"


@pytest.mark.parametrize(("pattern", "key"), REFUSED)
def test_the_event_dates_a_key_that_holds_no_date_where_the_contract_says_so(pattern, key):
    assert find_file_time(EffectiveAt(from_key=pattern, unmatched="event_time"), key) is None


@pytest.mark.parametrize(("pattern", "key"), NO_TIMES)
def test_a_date_that_cannot_be_is_refused_whatever_the_contract_says(pattern, key):
    with pytest.raises(FileTimeError):
        find_file_time(EffectiveAt(from_key=pattern, unmatched="event_time"), key)


def test_without_a_pattern_the_event_dates():
    assert find_file_time(EffectiveAt(event_time=True), "a/2020-02-29.csv") is None


def test_a_time_without_a_zone_is_utc_wherever_the_clocks_are(monkeypatch):
    try:
        with monkeypatch.context() as away:
            away.setenv("TZ", "Asia/Tokyo")
            time.tzset()
            assert parse_time("2020-02-29T01:30").isoformat() == "2020-02-29T01:30:00+00:00"
            assert parse_time("2020-02-29T01:30-01:00").isoformat() == "2020-02-29T02:30:00+00:00"
    finally:
        time.tzset()
