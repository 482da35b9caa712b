"""Splits: their conditions together hold for every row, and no two of them for one row."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.layers.extraction.dialects import Dialect
from spark_jobs.layers.extraction.marks import DAY, MOMENT, NUMBER, SECONDS, ZONED, Mark
from spark_jobs.layers.extraction.splits import EVERYTHING, buckets, ranges

SQLITE = Dialect("", timestamp="'{value}'", zoned="'{value} UTC'", hashed="(length({column}) % {count}) = {index}")
WHOLE = st.integers(-(2**62), 2**62)


def counted(values: Sequence[Any], conditions: Sequence[str]) -> list[int]:
    """Return for each value how many of the conditions hold for it, as SQL sees it."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, k)")
    database.executemany("INSERT INTO t (k) VALUES (?)", [(value,) for value in values])
    cases = " + ".join(f"CASE WHEN {condition} THEN 1 ELSE 0 END" for condition in conditions)
    return [count for (count,) in database.execute(f"SELECT {cases} FROM t ORDER BY n")]


@given(st.lists(st.one_of(st.none(), WHOLE)), WHOLE, WHOLE, st.integers(2, 20))
def test_ranges_hold_every_number_once_wherever_the_bounds_lie(
    values: list[int | None], one: int, other: int, splits: int
) -> None:
    least, greatest = Mark(NUMBER, str(min(one, other))), Mark(NUMBER, str(max(one, other)))
    conditions = ranges("k", least, greatest, splits, SQLITE)
    assert counted([None, one, other, *values], conditions) == [1] * (len(values) + 3)
    assert 1 <= len(conditions) <= splits


@given(st.lists(st.one_of(st.none(), st.text(max_size=40))), st.integers(2, 9))
def test_buckets_hold_every_text_once(values: list[str | None], splits: int) -> None:
    conditions = buckets("k", splits, SQLITE)
    assert counted([None, "", *values], conditions) == [1] * (len(values) + 2)


def test_ranges_are_of_equal_width_open_at_both_ends_and_nulls_are_in_the_first() -> None:
    assert ranges('"ID"', Mark(NUMBER, "1"), Mark(NUMBER, "100"), 4, SQLITE) == [
        '"ID" < 26 OR "ID" IS NULL',
        '"ID" >= 26 AND "ID" < 51',
        '"ID" >= 51 AND "ID" < 76',
        '"ID" >= 76',
    ]


def test_fractions_lie_in_the_ranges_of_whole_numbers() -> None:
    conditions = ranges("k", Mark(NUMBER, "-1.5"), Mark(NUMBER, "2.25"), 3, SQLITE)
    assert conditions == ["k < -1 OR k IS NULL", "k >= -1 AND k < 1", "k >= 1"]
    assert counted([float(Decimal("-1.5")), -1, 0.5, 0.999, 1, 2.25], conditions) == [1] * 6


def test_a_narrow_range_has_no_more_splits_than_values() -> None:
    assert ranges("k", Mark(NUMBER, "7"), Mark(NUMBER, "8"), 8, SQLITE) == ["k < 8 OR k IS NULL", "k >= 8"]
    assert ranges("k", Mark(NUMBER, "7"), Mark(NUMBER, "7"), 8, SQLITE) == EVERYTHING


def test_without_a_value_there_is_one_split() -> None:
    assert ranges("k", None, None, 8, SQLITE) == EVERYTHING


@pytest.mark.parametrize(
    ("kind", "least", "greatest", "edge"),
    [
        (DAY, "2020-01-01", "2020-01-04", "{d '2020-01-03'}"),
        (MOMENT, "2020-01-01 00:00:00.0", "2020-01-02 23:59:59.999999999", "'2020-01-02 00:00:00.000000'"),
        (SECONDS, "2020-01-01 00:00:00.0", "2020-01-01 00:01:59.0", "{ts '2020-01-01 00:01:00'}"),
        (ZONED, "1969-12-31 23:59:58.0", "1970-01-01 00:00:01.5", "'1970-01-01 00:00:00.000000 UTC'"),
    ],
)  # fmt: skip
def test_times_are_split_like_numbers(kind: str, least: str, greatest: str, edge: str) -> None:
    conditions = ranges("k", Mark(kind, least), Mark(kind, greatest), 2, SQLITE)
    assert conditions == [f"k < {edge} OR k IS NULL", f"k >= {edge}"]
