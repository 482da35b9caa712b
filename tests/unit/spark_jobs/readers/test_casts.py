"""Casts from text: whatever the text says is in the value, or the row is refused."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from contracts.model import Column
from tests.unit.spark_jobs.readers.conftest import Read, table

pytestmark = pytest.mark.usefixtures("generated_code")


def values(files, column: str | Column, *texts: str) -> tuple[list, list]:
    """Return the values that the texts become, and the texts that are refused."""
    body = "n,v\n" + "".join(f'{i},"{text}"\n' for i, text in enumerate(texts))
    read = files.read(table("n int", column), body)
    said = f"is no {column.type if isinstance(column, Column) else column.split(' ')[1]}"
    assert all(row[2] == "type" and said in row[3] for row in read.refused), read.refused
    return [row[1] for row in read.rows], [texts[row[0] - 1] for row in read.refused]


def test_whole_numbers(files):
    good = ("0", "-128", "127", " 7 ", "+5", "007", "5.0", "1e2", "-1.20E1")
    bad = (
        "128", "-129", "1.5", "abc", "", "0x10", "1,000", "1e-1", "--1", "5.", "٣", "１.９", "\x011.9", "١e-1",
        "1e2147483647",
    )  # fmt: skip
    assert values(files, "v tinyint", *good, *bad) == (
        [0, -128, 127, 7, 5, 7, 5, 100, -12, 5],
        [b for b in bad if b != "5."],
    )
    assert values(files, "v bigint", "9223372036854775807", "9223372036854775808", "1e18", "1e19") == (
        [2**63 - 1, 10**18],
        ["9223372036854775808", "1e19"],
    )


def test_decimals(files):
    good = ("1", "-1.50", "+.5", "9999.99", "1.500", "1E2", "120e-3", "0", "0e9", "-0.000", "  2.5  ")
    bad = ("1.005", "10000", "1e-3", "12345e-3", "abc", "", "1.2.3", "NaN", "9999.999", "99999e-1x")
    assert values(files, "v decimal(6,2)", *good, *bad) == (
        [Decimal(text.strip()).quantize(Decimal("0.01")) for text in good],
        list(bad),
    )
    wide = "12345678901234567890123456789012345.678"
    assert values(files, "v decimal(38,3)", wide, wide + "0", wide + "1", "1e35") == (
        [Decimal(wide), Decimal(wide)],
        [wide + "1", "1e35"],
    )


def test_decimals_are_not_rounded_whatever_digits_and_spaces_java_reads(files):
    bad = ("１.２３４", "1.23９", "\x011.239", "1.239\x02")
    good = ("１.２３", "1.23\x02", "\x01123e-2 \x02")
    assert values(files, "v decimal(5,2)", *good, *bad) == ([Decimal("1.23")] * 3, list(bad))


def test_an_exponent_of_any_size_is_refused_at_once(files):
    bad = ("1e-40000000", "1e-2147483647", "1e2147483647", "0e-99999", "1e99999999999")
    assert values(files, "v decimal(5,2)", "1e-0002", "0e-9999", *bad) == ([Decimal("0.01"), Decimal(0)], list(bad))


def test_floats(files):
    good = ("1", "-1.5", ".5", "5.", "1e308", "1E-400", "-0", "inf", "-Infinity", " 2 ")
    bad = ("1e309", "-1e400", "1f", "1d", "0x1p3", "abc", "", "1,5", "infinit")
    found, refused = values(files, "v double", *good, *bad)
    assert (found, refused) == ([float(text) for text in good], list(bad))
    assert str(values(files, "v double", "NaN")[0]) == "[nan]"
    assert values(files, "v float", "0.5", "16777217", "1e39", "-inf") == ([0.5, 16777216.0, float("-inf")], ["1e39"])


def test_booleans_and_bytes(files):
    assert values(files, "v boolean", "true", "F", "yes", "0", "2", "", "wahr") == (
        [True, False, True, False],
        ["2", "", "wahr"],
    )
    assert values(files, "v binary", "é", "") == (["é".encode(), b""], [])
    assert values(files, Column("v", "binary", format="base64"), "AQI=", "", "A?") == ([b"\x01\x02", b""], ["A?"])
    assert values(files, Column("v", "binary", format="hex"), "0aFF", "0g") == ([b"\x0a\xff"], ["0g"])


def test_dates(files):
    good = (
        "2020-02-29",
        "0001-01-01",
        "9999-12-31",
        "2020-2-9",
        " 2020-02-29 ",
        "2020-02-29T00:00:00.000Z",
        "2020-02-29 00:00",
    )
    bad = (
        "2020-02-30", "2021-02-29", "2020", "2020-02", "29.02.2020", "20200229", "today", "", "2020-02-29 nonsense",
        "2020-02-29T12:00:00", "2020-02-29 00:00:00.001", "2020-02-29T",
    )  # fmt: skip
    found, refused = values(files, "v date", *good, *bad)
    day = date(2020, 2, 29)
    assert found == [day, date(1, 1, 1), date(9999, 12, 31), date(2020, 2, 9), day, day, day]
    assert refused == list(bad)


def test_timestamps(files):
    good = (
        "2020-02-29 01:02:03", "2020-02-29T01:02:03.123456Z", "2020-02-29T01:02:03+02:00", "2020-02-29 01:02:03 UTC",
        "2020-02-29", "2020-02-29T01:02", "2020-02-29T01:02:03.123456000", "2020-02-29T01:02:03.5 Europe/Berlin",
        "2020-10-25 02:30:00 Europe/Berlin", "2020-2-9 1:2:0 America/Argentina/Buenos_Aires",
        "2020-01-01 01:02:00 Etc/GMT-1",
    )  # fmt: skip
    bad = (
        "2020-03-29 02:30:00 Europe/Berlin", "2020-02-29 01:02:03 UTC/Nowhere", "2020-02-29T24:00:00",
        "2020-02-30 00:00:00", "12:30", "T12:30:00", "2020", "2020-02",
        "2020-02-29T01:02:03.1234567",
        "now", "", "1582934400", "2020-02-29T01:02:03 nowhere", "12:30 Europe/Berlin", "2020-02-29 01:02:03x",
    )  # fmt: skip
    found, refused = values(files, "v timestamp", *good, *bad)
    assert found == [
        datetime(2020, 2, 29, 1, 2, 3),
        datetime(2020, 2, 29, 1, 2, 3, 123456),
        datetime(2020, 2, 28, 23, 2, 3),
        datetime(2020, 2, 29, 1, 2, 3),
        datetime(2020, 2, 29),
        datetime(2020, 2, 29, 1, 2),
        datetime(2020, 2, 29, 1, 2, 3, 123456),
        datetime(2020, 2, 29, 0, 2, 3, 500000),
        datetime(2020, 10, 25, 0, 30),
        datetime(2020, 2, 9, 4, 2),
        datetime(2020, 1, 1, 0, 2),
    ]
    assert refused == list(bad)
    assert values(files, "v timestamp_ntz", "2020-02-29 01:02:03.5", "2020-02-29T01:02:03Z", "2020-02-29T01:02+01") == (
        [datetime(2020, 2, 29, 1, 2, 3, 500000)],
        ["2020-02-29T01:02:03Z", "2020-02-29T01:02+01"],
    )


FORMATS = [
    ("dd/MM/yyyy", "date", {"29/02/2020": date(2020, 2, 29)}, ["31/02/2020", "1/2/2020", "2020-02-29", "29/02/20"]),
    ("d.M.yy", "date", {"9.2.20": date(2020, 2, 9), "09.02.20": date(2020, 2, 9)}, ["30.2.20"]),
    ("dd/MM/yyyy HH:mm", "date", {"29/02/2020 00:00": date(2020, 2, 29)}, ["29/02/2020 12:00"]),
    ("MMM d yyyy h:mm a", "timestamp", {"Feb 29 2020 1:02 PM": datetime(2020, 2, 29, 13, 2)}, ["Feb 30 2020 1:02 PM"]),
    ("yyyyMMddHHmmXXX", "timestamp", {"202002290102+02:00": datetime(2020, 2, 28, 23, 2)}, ["202002290102"]),
    (
        "yyyy-MM-dd'T'HH:mm:ss.SSSSSSSSS",
        "timestamp",
        {"2020-02-29T01:02:03.123456000": datetime(2020, 2, 29, 1, 2, 3, 123456)},
        ["2020-02-29T01:02:03.123456001"],
    ),
    ("dd/MM/yyyy", "timestamp_ntz", {"29/02/2020": datetime(2020, 2, 29)}, ["30/02/2020"]),
    (
        "epoch_seconds",
        "timestamp",
        {
            "1582934400": datetime(2020, 2, 29),
            "0.5": datetime(1970, 1, 1, 0, 0, 0, 500000),
            "-1": datetime(1969, 12, 31, 23, 59, 59),
        },
        ["1e30", "0.0000001", "x", "1.9999999999", "1e-2147483647"],
    ),
    ("epoch_millis", "timestamp", {"1582934400123": datetime(2020, 2, 29, 0, 0, 0, 123000)}, ["2020-02-29"]),
    ("epoch_micros", "timestamp", {"1": datetime(1970, 1, 1, 0, 0, 0, 1)}, ["0.5"]),
    ("epoch_nanos", "timestamp", {"1000": datetime(1970, 1, 1, 0, 0, 0, 1)}, ["1"]),
    ("epoch_seconds", "date", {"1582934400": date(2020, 2, 29)}, ["1582934401"]),
]


@pytest.mark.parametrize(("form", "kind", "good", "bad"), FORMATS)
def test_formats(files, form, kind, good, bad):
    assert values(files, Column("v", kind, format=form), *good, *bad) == (list(good.values()), bad)


def test_local_times_become_instants_and_those_that_never_were_are_refused(files):
    column = Column("v", "timestamp", time_zone="Europe/Berlin")
    texts = ("2020-07-01 12:00:00", "2020-01-01", "2020-07-01T12:00:00Z", "2020-03-29 02:30:00", "2020-10-25 02:30:00")
    assert values(files, column, *texts) == (
        [datetime(2020, 7, 1, 10), datetime(2019, 12, 31, 23), datetime(2020, 7, 1, 12), datetime(2020, 10, 25, 0, 30)],
        ["2020-03-29 02:30:00"],
    )
    shaped = Column("v", "timestamp", format="dd.MM.yyyy HH:mm", time_zone="Europe/Berlin")
    assert values(files, shaped, "01.07.2020 12:00", "29.03.2020 02:30") == (
        [datetime(2020, 7, 1, 10)],
        ["29.03.2020 02:30"],
    )
    [refused] = files.read(table(shaped), "v\n29.03.2020 02:30\n").refused
    assert refused[3] == "'29.03.2020 02:30' is no timestamp of format dd.MM.yyyy HH:mm in Europe/Berlin"


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        ("yyyy-MM-dd'T'HH:mm:ssXXX", ["2020-07-01T12:00:00+02:00"]),
        ("yyyy-MM-dd HH:mm VV", ["2020-07-01 10:00 UTC", "2020-07-01 12:00 Europe/Berlin"]),
        ("yyyy-MM-dd HH:mm[ Z]", ["2020-07-01 12:00", "2020-07-01 10:00 +0000"]),
        ("yyyy-MM-dd HH:mm[:ss]'Z'", ["2020-07-01 12:00:00Z", "2020-07-01 12:00Z"]),
    ],
)
def test_a_zone_that_a_text_tells_goes_before_that_of_the_column(files, form, texts):
    column = Column("v", "timestamp", format=form, time_zone="Europe/Berlin")
    assert values(files, column, *texts) == ([datetime(2020, 7, 1, 10)] * len(texts), [])


def test_json_inside_csv(files):
    column = Column("v", "struct<n:decimal(20,10),l:array<date>>")
    body = (
        'v\n"{""n"": 1234567890.0123456789, ""l"": [""2020-02-29""]}"\n"{""n"": 1.00000000001}"\n{}\nx\n'
        '"{""l"": [""2020-02-30""]}"\n""\n"{} {}"\n'
    )
    read = files.read(table(column, "k string", missing_columns="null"), body)
    assert [tuple(row[0]) for row in read.rows] == [
        (Decimal("1234567890.0123456789"), [date(2020, 2, 29)]),
        (None, None),
    ]
    assert [row[:3] for row in read.refused] == [(n, "v", "type") for n in (2, 4, 5, 6, 7)]


def test_nulls_required_columns_and_keys(files):
    declared = table(Column("k", "int", required=True), "v int", Column("s", "string", required=True), key=("k",))
    read = files.read(declared, 'k,v,s\n1,,x\n,2,x\n3,4,\n4,5,""\n')
    assert read == Read(
        [(1, None, "x"), (4, 5, "")],
        [(2, "k", "required", "is NULL", ",2,x"), (3, "s", "required", "is NULL", "3,4,")],
    )


def test_results_of_sql_are_cast_without_loss_too(files):
    columns = (
        "n string",
        Column("whole", "int", expr="n / 2", reads=("n",)),
        Column("text", "string", expr="concat(n, '!')", reads=("n",)),
    )
    read = files.read(table(*columns), "n\n4\n5\n")
    assert read == Read([("4", 2, "4!")], [(2, "whole", "type", "'2.5' is no int", "5")])


def test_sql_of_another_type_is_named(files):
    columns = ("n string", Column("v", "date", expr="length(n)", reads=("n",)))
    read = files.read(table(*columns), "n\n4\n")
    assert read.failed == (
        "column v is declared date, but its expr gives int; declare that type, or convert it with expr"
    )
