"""Files of fixed width: columns by their place in a line, padding taken off, lines measured."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from contracts.model import Column
from tests.unit.spark_jobs.readers.conftest import Read, table

COLUMNS = (
    Column("id", "int", start=1, width=5),
    Column("name", "string", start=6, width=8),
    Column("day", "date", format="yyyyMMdd", start=16, width=8),
    Column("paid", "decimal(6,2)", start=24, width=6),
)
BODY = "00001Ada     xx20200229  1.50\n    2Åsa B   xx           2.0\r\n\n    3  x       20200230      \n"


def fixed(options=None, **words):
    return table(*COLUMNS, form="fixed_width", options=options, **words)


def test_columns_stand_where_the_contract_says(files):
    found = files.read_all(fixed(), [BODY, BODY.replace("\r\n", "\n").replace("\n", "\r"), "", "\n\n"])
    assert found[0] == found[1] == Read(
        [(1, "Ada", date(2020, 2, 29), Decimal("1.50")), (2, "Åsa B", None, Decimal("2.00"))],
        [(4, "day", "type", "'20200230' is no date of format yyyyMMdd", "    3  x       20200230      ")],
    )  # fmt: skip
    assert found[2:] == [Read(), Read()]


def test_lines_too_short_or_too_long_are_refused_unless_drift_is_allowed(files):
    body = "    1Ada\n    2Bob     xx20200101  1.00 more\n    3Cid     xx20200101  1.00    \n"
    short = (1, "", "record", "has 8 characters, the columns take 29", "    1Ada")
    long = "    2Bob     xx20200101  1.00 more"
    read = files.read(fixed(), body)
    assert read.rows == [(3, "Cid", date(2020, 1, 1), Decimal("1.00"))]
    assert read.refused == [short, (2, "", "record", "goes on behind character 29, where the last column ends", long)]
    read = files.read(fixed(missing_columns="null", extra_columns="ignore"), body)
    assert [row[:2] for row in read.rows] == [(1, "Ada"), (2, "Bob"), (3, "Cid")]
    assert read.rows[0][2:] == (None, None)


@pytest.mark.parametrize(("trim", "name"), [("both", "x y"), ("left", "x y  "), ("right", " x y"), ("none", " x y  ")])
def test_padding_is_taken_off_where_the_contract_says(files, trim, name):
    declared = table(
        Column("a", "string", start=2, width=6), form="fixed_width", options={"trim": trim, "header": True}
    )
    assert files.read(declared, "|HEADER\n| x y  \n|      \n").rows == [(name,), (None,)]


def test_characters_count_not_bytes_and_encodings_are_declared(files):
    declared = table(Column("a", "string", start=1, width=2), Column("b", "string", start=3, width=2),
                     form="fixed_width", options={"encoding": "cp1252", "null_value": "€€"})  # fmt: skip
    assert files.read(declared, "éé€€\nabcd\n".encode("cp1252")).rows == [("éé", None), ("ab", "cd")]
    plain = table(Column("a", "string", start=1, width=2), form="fixed_width")
    assert files.read(plain, b"\xffx\nab\n").refused[0][3] == "holds bytes that are no text in the declared encoding"
