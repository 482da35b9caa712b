"""What Iceberg partitions by: functions of columns, by their types, and the names that they are kept under."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.documents import Document
from contracts.patterns import check_date_format, check_from_key, check_partitions
from contracts.types import ATOMIC, parse_type

TYPES = {name: parse_type(name) for name in (*ATOMIC, "decimal(9,2)", "array<int>", "struct<a:int>")}
DAYS, TIMES = {"date"}, {"timestamp", "timestamp_ntz"}
TRUNCATED = {"tinyint", "smallint", "int", "bigint", "decimal(9,2)", "string", "binary"}
TAKEN = {
    "c": TYPES.keys() - {"array<int>", "struct<a:int>"},
    "year(c)": DAYS | TIMES,
    "month(c)": DAYS | TIMES,
    "day(c)": DAYS | TIMES,
    "hour(c)": TIMES,
    "bucket(4, c)": TRUNCATED | DAYS | TIMES,
    "truncate(4, c)": TRUNCATED,
}


def told(words: list[str], **types: str) -> list[str]:
    document = Document("t.yaml", Path(), {})
    known = {name: parse_type(kind) for name, kind in types.items()}
    return [mistake.message for mistake in check_partitions(document, words, known)]


@pytest.mark.parametrize("word", TAKEN)
def test_the_types_by_which_a_table_is_partitioned(word):
    assert {name for name in TYPES if not told([word], c=name)} == TAKEN[word]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("day(c)", "c_day"),
        ("bucket(4, c)", "c_bucket"),
        ("bucket(4, c)", "c_bucket_4"),
        ("truncate(4, c)", "c_trunc"),
        ("truncate(4, c)", "c_trunc_4"),
    ],
)
def test_no_column_has_the_name_that_a_partition_is_kept_under(word, name):
    types = {"c": "date" if word == "day(c)" else "int", name: "int", f"{name}_8": "int"}
    assert told([word], **types) == [f"{word} is kept under the name of the column {name}: call that otherwise"]


def test_a_column_partitions_once_by_itself_by_its_time_and_by_a_function_of_its_value():
    assert told(["c", "day(c)", "bucket(4, c)"], c="date") == []
    assert told(["c", "c"], c="date") == ["c partitions twice"]
    assert told(["year(c)", " day( c ) "], c="date") == ["c partitions twice"]
    assert told(["bucket(4, c)", "bucket(8,c)", "truncate(2, c)"], c="int") == ["c partitions twice"]


def test_a_type_that_nobody_knows_partitions_as_it_likes():
    document = Document("t.yaml", Path(), {})
    assert list(check_partitions(document, ["c", "year(d)", "bucket(2, e)"], dict.fromkeys("cde"))) == []


FORMATS = {
    ("epoch_seconds", "date"): [],
    ("epoch_nanos", "timestamp_ntz"): [],
    ("epoch_millis", "bigint"): ["is for date, timestamp and binary columns only, this one is bigint"],
    ("hex", "binary"): [],
    ("hex", "date"): ["'hex': Spark reads no e; put letters that stand for themselves in ''"],
    ("epoch_millis", "binary"): ["'epoch_millis' is not one of base64, hex"],
    ("yyyy-MM-dd'T'HH:mm''ss", "timestamp"): [],
    ("yyyy'T", "date"): [
        '"yyyy\'T" holds a quote that is not closed',
        "\"yyyy'T\": Spark reads no T; put letters that stand for themselves in ''",
    ],
}


@pytest.mark.parametrize(("text", "kind"), FORMATS)
def test_the_formats_that_a_type_takes(text, kind):
    found = check_date_format(Document("t.yaml", Path(), {}), text, parse_type(kind))
    assert [mistake.message for mistake in found] == FORMATS[text, kind]


KEYS = {
    "(?P<date>a)(?P<time>b)(?P<fraction>c)": [],
    "(?P<year>a)(?P<month>b)(?P<day>c)(?P<hour>d)(?P<minute>e)(?P<second>f)(?P<fraction>g)": [],
    "(?P<year>a)": [],
    "(?P<year>a)(?P<day>b)": ["group day needs month too"],
    "(?P<year>a)(?P<fraction>b)": ["group fraction goes with time or second"],
    "(?P<date>a)(?P<hour>b)": ["group hour does not go with date; with date goes time"],
    "(?P<year>a)(?P<time>b)": ["group time goes with date; with year go month, day, hour, minute, second"],
}


@pytest.mark.parametrize("pattern", KEYS)
def test_the_groups_that_make_a_time(pattern):
    found = check_from_key(Document("t.yaml", Path(), {}), pattern)
    assert [mistake.message for mistake in found] == KEYS[pattern]
