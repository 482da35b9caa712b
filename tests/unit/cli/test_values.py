"""Query results as text: nothing is lost, and NULL can be told from the empty string."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from orchestration.embedded.cli.values import csv_lines, json_lines, plain, to_json

COLUMNS = ["name", "n"]


def test_csv_tells_null_from_the_empty_string() -> None:
    assert list(csv_lines(COLUMNS, [(None, 1), ("", None), ("a", 2)])) == ["name,n", ",1", '"",', "a,2"]


def test_csv_quotes_what_rfc_4180_wants_quoted() -> None:
    rows = [('say "hi"', 1), ("a,b", 2), ("two\nlines", 3), ("cr\rhere", 4)]
    assert list(csv_lines(COLUMNS, rows)) == [
        "name,n",
        '"say ""hi""",1',
        '"a,b",2',
        '"two\nlines",3',
        '"cr\rhere",4',
    ]


def test_a_row_of_one_null_is_an_empty_line_and_one_empty_string_is_two_quotes() -> None:
    assert list(csv_lines(["x"], [(None,), ("",)])) == ["x", "", '""']


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10"), "0.10"),
        (date(2013, 1, 2), "2013-01-02"),
        (datetime(2013, 1, 2, 5), "2013-01-02T05:00:00"),
        (datetime(2013, 1, 2, 5, 0, 0, 250_000, UTC), "2013-01-02T05:00:00.250000Z"),
        (datetime(2013, 1, 2, 5, tzinfo=timezone(timedelta(hours=-5))), "2013-01-02T10:00:00Z"),
        (bytearray(b"\x00\xff"), "00ff"),
        ([1, None, "a"], '[1, null, "a"]'),
        ({"a": Decimal("1.50")}, '{"a": 1.50}'),
        ({datetime(2013, 1, 2, 5, tzinfo=UTC): True}, '{"2013-01-02T05:00:00Z": true}'),
    ],
    ids=str,
)
def test_a_value_is_written_in_one_way(value: Any, text: str) -> None:
    assert plain(value) == text


def test_json_is_an_array_of_objects_with_all_digits() -> None:
    big = Decimal("12345678901234567890.123456789")
    rows = [(big, datetime(2013, 1, 2, tzinfo=UTC), None), (Decimal(1), None, "é")]
    text = "\n".join(json_lines(["d", "t", "x"], rows))
    assert json.loads(text, parse_float=Decimal) == [
        {"d": big, "t": "2013-01-02T00:00:00Z", "x": None},
        {"d": 1, "t": None, "x": "é"},
    ]


def test_json_without_rows_is_an_empty_array() -> None:
    assert json.loads("\n".join(json_lines(["a"], []))) == []


@pytest.mark.parametrize(
    ("value", "text"), [(math.nan, '"nan"'), (math.inf, '"inf"'), (-math.inf, '"-inf"'), (0.1, "0.1")]
)
def test_json_has_no_word_for_nan_and_infinity(value: float, text: str) -> None:
    assert to_json(value) == text
