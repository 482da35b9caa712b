"""Columns: how each type of Oracle, PostgreSQL, H2 and Derby is read so that no value is lost."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.databases import Connection
from contracts.model import Column, Source, Table
from spark_jobs.layers.extraction.columns import Reading, chosen, find, readings
from spark_jobs.layers.extraction.database import SourceColumn
from spark_jobs.layers.extraction.dialects import dialect_of
from spark_jobs.layers.extraction.failures import SourceRefusedError

URLS = {
    "oracle": "jdbc:oracle:thin://@db:1521/OPS",
    "postgresql": "jdbc:postgresql://db/x",
    "derby": "jdbc:derby:x",
}


def table(**words: Any) -> Table:
    columns = (Column("c", "bigint", reads=("c",)),)
    return Table(**{"name": "t", "load": "append", "source": Source(), "columns": columns, **words})


def quote(name: str) -> str:
    return f'"{name}"'


def read(database: str, column: SourceColumn, declared: str = "bigint") -> Reading:
    declaring = table(columns=(Column(column.name.lower(), declared, reads=(column.name.lower(),)),))
    [reading] = readings(declaring, [column], dialect_of(Connection("ops", URLS[database])), quote)
    return reading


@pytest.mark.parametrize(
    ("kind", "precision", "scale", "spark", "sql"),
    [
        ("NUMBER", 5, 2, "decimal(5,2)", ""),
        ("NUMBER", 38, 0, "decimal(38,0)", ""),
        ("NUMBER", 0, -127, "string", ""),  # NUMBER: floating, up to 40 digits
        ("NUMBER", 0, 0, "string", ""),
        ("FLOAT", 126, -127, "string", ""),  # a NUMBER too, of binary digits
        ("NUMBER", 5, -2, "string", 'TO_CHAR("C")'),  # hundreds
        ("NUMBER", 2, 5, "string", 'TO_CHAR("C")'),  # thousandths of a per cent
    ],
)
def test_oracles_numbers_are_decimals_where_a_decimal_holds_them_and_text_elsewhere(
    kind: str, precision: int, scale: int, spark: str, sql: str
) -> None:
    assert read("oracle", SourceColumn("C", 2, kind, precision, scale)) == Reading("C", spark, sql)


@pytest.mark.parametrize(
    ("code", "kind", "declared", "expected"),
    [
        (93, "DATE", "timestamp", Reading("C", "timestamp_ntz")),  # Oracle's DATE holds the time of day
        (93, "TIMESTAMP", "timestamp", Reading("C", "timestamp_ntz")),
        (93, "TIMESTAMP", "string", Reading("C", "string")),  # all nine digits of a second
        (
            -101,
            "TIMESTAMP WITH TIME ZONE",
            "timestamp",
            Reading("C", "timestamp_ntz", "CAST(\"C\" AT TIME ZONE 'UTC' AS TIMESTAMP(9))", zoned=True),
        ),
        (
            -102,
            "TIMESTAMP WITH LOCAL TIME ZONE",
            "timestamp",
            Reading("C", "timestamp_ntz", "CAST(\"C\" AT TIME ZONE 'UTC' AS TIMESTAMP(9))", zoned=True),
        ),
        (
            -101,
            "TIMESTAMP WITH TIME ZONE",
            "string",
            Reading("C", "string", 'TO_CHAR("C", \'YYYY-MM-DD"T"HH24:MI:SS.FF9 TZR\')'),
        ),
        (2005, "CLOB", "string", Reading("C", "string")),
        (2011, "NCLOB", "string", Reading("C", "string")),
        (2004, "BLOB", "binary", Reading("C", "binary")),
        (-3, "RAW", "binary", Reading("C", "binary")),
        (100, "BINARY_FLOAT", "float", Reading("C", "float")),
        (101, "BINARY_DOUBLE", "double", Reading("C", "double")),
        (-104, "INTERVALDS", "string", Reading("C", "string", 'TO_CHAR("C")')),
        (12, "VARCHAR2", "string", Reading("C", "string")),
    ],
)
def test_oracles_other_types(code: int, kind: str, declared: str, expected: Reading) -> None:
    assert read("oracle", SourceColumn("C", code, kind, 0, 0), declared) == expected


def finite(kind: str) -> str:
    """Return the SQL of a time that breaks with its column's name where it has no end."""
    return (
        f'CASE WHEN NOT isfinite("c") THEN CAST("c" || \' in column c, which Spark has no {kind} for: '
        f'cast it in source.query\' AS {kind}) ELSE "c" END'
    )


@pytest.mark.parametrize(
    ("code", "kind", "precision", "scale", "signed", "expected"),
    [
        (2, "numeric", 0, 0, True, Reading("c", "string")),
        (2, "numeric", 50, 3, True, Reading("c", "string")),
        (2, "numeric", 5, 2046, True, Reading("c", "string", 'CAST("c" AS text)')),  # numeric(5,-2)
        (8, "money", 2147483647, 0, False, Reading("c", "string", 'CAST("c" AS text)')),
        (-7, "bool", 1, 0, False, Reading("c", "boolean")),
        (-7, "bit", 3, 0, False, Reading("c", "string", 'CAST("c" AS text)')),
        (-5, "oid", 10, 0, False, Reading("c", "decimal(20,0)")),
        (1111, "jsonb", 2147483647, 0, False, Reading("c", "string", 'CAST("c" AS text)')),
        (92, "time", 15, 6, False, Reading("c", "string")),
        (5, "int2", 5, 0, True, Reading("c", "smallint")),
        (91, "date", 13, 0, False, Reading("c", "date", finite("date"))),
        (93, "timestamp", 29, 6, False, Reading("c", "timestamp_ntz", finite("timestamp"))),
        (
            93,
            "timestamptz",
            35,
            6,
            False,
            Reading(
                "c", "timestamp_ntz", f"CAST({finite('timestamptz')} AT TIME ZONE 'UTC' AS TIMESTAMP(9))", zoned=True
            ),
        ),
    ],
)
def test_postgresqls_types(code: int, kind: str, precision: int, scale: int, signed: bool, expected: Reading) -> None:
    assert read("postgresql", SourceColumn("c", code, kind, precision, scale, signed)) == expected


def test_a_type_that_nothing_reads_is_refused_with_a_way_out() -> None:
    with pytest.raises(SourceRefusedError) as refused:
        read("derby", SourceColumn("C", 2009 + 1, "POINT", 0, 0))
    assert str(refused.value) == "t: column C is POINT, which cannot be read as it is: cast it in source.query"


COLUMNS = [SourceColumn("ID", 4, "INTEGER", 10, 0), SourceColumn("NOTE", 12, "VARCHAR", 20, 0)]


def test_all_columns_are_read_and_those_that_break_the_contract_are_named() -> None:
    declared = table(columns=(Column("id", "bigint", reads=("id",)), Column("note", "string", reads=("note",))))
    assert chosen(declared, "OPS.T", COLUMNS) == COLUMNS
    with pytest.raises(SourceRefusedError) as lacks:
        chosen(table(), "OPS.T", COLUMNS)
    assert str(lacks.value) == (
        "t: OPS.T has no column c (it has ID, NOTE); correct `from`, or allow it with missing_columns: null"
    )
    with pytest.raises(SourceRefusedError) as extra:
        chosen(table(columns=declared.columns[:1]), "OPS.T", COLUMNS)
    assert str(extra.value) == (
        "t: OPS.T has column NOTE, which the contract does not declare; declare it, or leave it out with "
        "extra_columns: ignore"
    )


def test_extra_columns_stay_where_they_are_under_ignore_and_come_along_under_add() -> None:
    narrow = (Column("id", "bigint", reads=("id",)),)
    assert chosen(table(columns=narrow, extra_columns="ignore"), "OPS.T", COLUMNS) == COLUMNS[:1]
    assert chosen(table(columns=narrow, extra_columns="add"), "OPS.T", COLUMNS) == COLUMNS


def test_names_that_differ_by_case_alone_are_refused_where_they_are_read() -> None:
    narrow = table(columns=(Column("id", "bigint", reads=("id",)),), extra_columns="ignore")
    quoted = [SourceColumn(name, 4, "INTEGER", 10, 0) for name in ("note", "NOTE", "ID")]
    assert chosen(narrow, "OPS.T", quoted) == quoted[2:]
    with pytest.raises(SourceRefusedError) as twice:
        chosen(narrow, "OPS.T", [*quoted, SourceColumn("id", 4, "INTEGER", 10, 0)])
    assert str(twice.value) == (
        "t: OPS.T has columns ID, id, whose names differ by case alone or not at all; give each a name of its own in "
        "source.query"
    )


def test_missing_columns_may_be_allowed() -> None:
    assert chosen(table(missing_columns="null", extra_columns="add"), "OPS.T", COLUMNS) == COLUMNS


def test_a_column_that_the_source_names_is_found_without_regard_to_case() -> None:
    assert find(table(), "OPS.T", COLUMNS, "note", "source.watermark").name == "NOTE"
    with pytest.raises(SourceRefusedError) as unknown:
        find(table(), "OPS.T", COLUMNS, "at", "source.watermark")
    assert str(unknown.value) == "t: OPS.T has no column at (source.watermark); it has ID, NOTE"
