"""Parquet: logical types as they are, lossless casts, type mismatches named with both types."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from contracts.model import Column
from tests.unit.spark_jobs.readers.conftest import Read, table


@pytest.fixture
def parquet(tmp_path: Path):
    """Write a SELECT of DuckDB as a Parquet file and return its bytes."""

    def written(select: str) -> bytes:
        path = tmp_path / "file.parquet"
        duckdb.sql(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
        return path.read_bytes()

    return written


def of(*columns, **words):
    return table(*columns, form="parquet", **words)


def test_logical_types(files, parquet):
    body = parquet(
        "SELECT 1::TINYINT a, 2::USMALLINT b, 3::UBIGINT c, 1.50::DECIMAL(30,5) d, 'x' e, true f, 0.5::FLOAT g, "
        "DATE '0001-01-01' h, '\\x01'::BLOB i, [1, NULL] j, {'x': 1, 'y': 'z'} k, MAP {'p': 1} l, "
        "'6ccd780c-baba-1026-9564-5b8c656024db'::UUID::VARCHAR m, NULL::INTEGER n, 19.99::FLOAT o"
    )
    columns = (
        "a int", "b bigint", "c bigint", "d decimal(10,2)", "e string", "f boolean", "g double", "h date", "i binary",
        "j array<bigint>", "k struct<y:string,x:bigint>", "l map<string,bigint>", "m string", "n bigint",
        "o decimal(12,2)",
    )  # fmt: skip
    assert files.read(of(*columns), body) == Read(
        [
            (
                1, 2, 3, Decimal("1.50"), "x", True, 0.5, date(1, 1, 1), b"\x01", [1, None], ("z", 1), {"p": 1},
                "6ccd780c-baba-1026-9564-5b8c656024db", None, Decimal("19.99"),
            )
        ]
    )  # fmt: skip


def test_times_in_milli_micro_and_nanoseconds(files, parquet):
    body = parquet(
        "SELECT TIMESTAMP_MS '2020-02-29 01:02:03.123' ms, TIMESTAMP '1500-01-01 01:02:03.123456' us, "
        "TIMESTAMP_NS '2020-02-29 01:02:03.123456000' ns, TIMESTAMPTZ '2020-02-29 01:02:03+02' tz"
    )
    columns = ("ms timestamp", "us timestamp", "ns timestamp", "tz timestamp")
    moments = [
        datetime(2020, 2, 29, 1, 2, 3, 123000),
        datetime(1500, 1, 1, 1, 2, 3, 123456),
        datetime(2020, 2, 29, 1, 2, 3, 123456),
        datetime(2020, 2, 28, 23, 2, 3),
    ]
    assert files.read(of(*columns), body).rows == [tuple(moments)]
    local = of("ms timestamp_ntz", Column("ns", "timestamp", time_zone="Europe/Berlin"), extra_columns="ignore")
    assert files.read(local, body).rows == [(moments[0], datetime(2020, 2, 29, 0, 2, 3, 123456))]


def test_nanoseconds_that_no_timestamp_holds_are_refused(files, parquet):
    body = parquet(
        "SELECT TIMESTAMP_NS '1970-01-01 00:00:00.000001' ns "
        "UNION ALL SELECT TIMESTAMP_NS '1970-01-01 00:00:00.000000001'"
    )
    read = files.read(of("ns timestamp"), body)
    assert read.rows == [(datetime(1970, 1, 1, 0, 0, 0, 1),)]
    assert [row[:4] for row in read.refused] == [
        (
            2,
            "ns",
            "type",
            "1 nanoseconds since 1970 are no whole microseconds; send those, or declare the column bigint",
        )
    ]
    cut = Column("at", "timestamp", expr="timestamp_micros(NS div 1000)", reads=("NS",))
    assert files.read(of("ns bigint", cut), body).rows == [
        (1_000, datetime(1970, 1, 1, 0, 0, 0, 1)),
        (1, datetime(1970, 1, 1)),
    ]


def test_values_that_a_narrower_type_cannot_hold_are_refused(files, parquet):
    body = parquet(
        "SELECT * FROM (VALUES (1::BIGINT, 1.0::DOUBLE, 1.50::DECIMAL(10,3), TIMESTAMP '2020-01-01', 'a'::BLOB), "
        "(2147483648, 1, 1, TIMESTAMP '2020-01-01', 'a'), (1, 1.5, 1, TIMESTAMP '2020-01-01', 'a'), "
        "(1, 1, 1.505, TIMESTAMP '2020-01-01', 'a'), (1, 1, 1, TIMESTAMP '2020-01-01 00:00:01', 'a'), "
        "(1, 1, 1, TIMESTAMP '2020-01-01', '\\xFF'::BLOB), (1, 'nan'::DOUBLE, 1, NULL, NULL)) t(i, n, d, t, s)"
    )
    read = files.read(of("i int", "n bigint", "d decimal(4,2)", "t date", "s string"), body)
    assert read.rows == [(1, 1, Decimal("1.50"), date(2020, 1, 1), "a")]
    assert [row[:2] for row in read.refused] == [(2, "i"), (3, "n"), (4, "d"), (5, "t"), (6, "s"), (7, "n")]
    assert [row[3] for row in read.refused[:4]] == [
        "'2147483648' is no int",
        "'1.5' is no bigint",
        "'1.505' is no decimal(4,2)",
        "'2020-01-01 00:00:01' is no date",
    ]


def test_texts_are_cast_like_texts(files, parquet):
    body = parquet("SELECT * FROM (VALUES ('1', '01/02/2020'), ('x', '01/02/2020'), ('2', '31/02/2020')) t(a, b)")
    read = files.read(of("a int", Column("b", "date", format="dd/MM/yyyy")), body)
    assert read.rows == [(1, date(2020, 2, 1))]
    assert [row[:2] for row in read.refused] == [(2, "a"), (3, "b")]


MISMATCHES = {
    "int, declared boolean": ("1::INTEGER", "boolean", "column a is declared boolean, but the file holds int"),
    "int, declared string": ("1::INTEGER", "string", "column a is declared string, but the file holds int"),
    "date, declared int": ("DATE '2020-01-01'", "int", "column a is declared int, but the file holds date"),
    "array, declared struct": (
        "[1]",
        "struct<x:int>",
        "column a is declared struct<x:int>, but the file holds array<int>",
    ),
    "a struct without a field": (
        "{'y': 1}",
        "struct<x:int>",
        "column a is declared struct<x:int>, but the file holds struct<y:int>",
    ),
}


def test_types_that_have_nothing_to_do_with_each_other_are_named(files, parquet):
    for value, kind, reason in MISMATCHES.values():
        good = parquet("SELECT CAST(NULL AS VARCHAR) a" if kind != "string" else "SELECT 'x' a")
        found = files.read_all(of(f"a {kind}"), [parquet(f"SELECT {value} a"), good])
        assert found[0].failed == f"{reason}; declare that type, or convert it with expr"
        assert found[1].rows == [("x" if kind == "string" else None,)]


def test_a_file_whose_types_the_sql_of_the_contract_cannot_take_fails_by_name(files, parquet):
    columns = ("a int", Column("n", "int", expr="size(l)", reads=("l",)))
    words = {"delete_when": "gone", "unstored": ("gone",), "missing_columns": "null"}
    bodies = [
        parquet("SELECT 1 a, [7] l, false gone"),
        parquet("SELECT 2 a, 'x' l, false gone"),
        parquet("SELECT 3 a, [7] l, 'no' gone"),
        parquet("SELECT 4 a"),
    ]
    found = files.read_all(of(*columns, **words), bodies)
    assert [read.rows for read in found] == [[(1, 1)], [], [], [(4, -1)]]
    reason = "has types that the contract's SQL cannot take"
    assert [read.failed.partition(" (")[0] for read in found[1:3]] == [reason] * 2
    assert '"l" has the type "STRING"' in found[1].failed
    assert '("STRING" or "BOOLEAN")' in found[2].failed


def test_a_column_without_a_value_has_any_type(files, parquet):
    nothing = "SELECT i::INTEGER a, NULL::INTEGER s, NULL::INTEGER t, NULL::DOUBLE l FROM range(1, {}) r(i)"
    bodies = [parquet(nothing.format(3)), parquet(nothing.format(1)), parquet("SELECT 3 a, NULL s, 4 t, 0.5::DOUBLE l")]
    found = files.read_all(of("a int", "s string", "t boolean", "l array<int>"), bodies)
    reason = "column t is declared boolean, but the file holds int; declare that type, or convert it with expr"
    assert found == [Read([(1, None, None, None), (2, None, None, None)]), Read(), Read(failed=reason)]


def test_a_type_that_nobody_knows_does_harm_only_where_the_column_is_taken(files, parquet):
    bodies = [parquet("SELECT 1 a, TIME '10:00:00' t, INTERVAL 1 DAY T2"), parquet("SELECT 1 a, '10:00:00' t")]
    assert [read.rows for read in files.read_all(of("a int", extra_columns="ignore"), bodies)] == [[(1,)], [(1,)]]
    reason = (
        "column t is of a type that cannot be read (Illegal Parquet type: INT64 (TIME(MICROS,false))); send it as "
        "text, or leave it out of the contract and allow it with extra_columns: ignore"
    )
    found = files.read_all(of("a int", "t string", extra_columns="ignore"), bodies)
    assert found == [Read(failed=reason), Read([(1, "10:00:00")])]
    assert files.read(of("a int", extra_columns="add"), bodies[0]).failed == reason


def test_files_of_different_schemas_are_read_together(files, parquet):
    bodies = [
        parquet("SELECT 1::INTEGER A, 'x' b"),
        parquet("SELECT '2' b, 7::BIGINT a"),
        parquet("SELECT 9::DOUBLE a"),
    ]
    found = files.read_all(of("a bigint", "b string", missing_columns="null"), bodies)
    assert [read.rows for read in found] == [[(1, "x")], [(7, "2")], [(9, None)]]


def test_drift_is_named_for_every_file_at_once(files, parquet):
    bodies = [
        parquet("SELECT 1 a, 2 c"),
        parquet("SELECT 1 a"),
        parquet("SELECT 1 a, 2 b"),
        b"PAR1",
        b"a,b\n1,2\n",
        b"",
    ]
    found = files.read_all(of("a int", "b int"), bodies)
    assert found[0].failed == "column b is missing (the file has a, c); send it, or allow it with missing_columns: null"
    assert found[1].failed == "column b is missing (the file has a); send it, or allow it with missing_columns: null"
    assert found[2].rows == [(1, 2)]
    assert [read.failed.split(" (")[0] for read in found[3:]] == ["cannot be read as Parquet"] * 3


def test_a_file_that_breaks_in_the_middle_fails_by_name(files, parquet):
    good = parquet("SELECT i a, hash(i)::VARCHAR b FROM range(20000) t(i)")
    broken = bytearray(good)
    for place in range(1000, 60_000, 7):
        broken[place] ^= 0xFF
    found = files.read_all(of("a bigint", "b string"), [bytes(broken), good])
    assert found[0].failed.startswith("cannot be read to its end (")
    assert len(found[1].rows) == 20_000


@pytest.mark.long(little=True)
def test_rows_keep_their_numbers(files, parquet):
    body = parquet("SELECT CASE WHEN i = 150000 THEN 'x' ELSE i::VARCHAR END a FROM range(200000) t(i)")
    read = files.read(of("a int"), body)
    assert len(read.rows) == 199_999
    assert read.refused == [(150_001, "a", "type", "'x' is no int", '{"a":"x"}')]
