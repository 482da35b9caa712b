"""Extraction from H2 in Oracle's mode: the SQL that goes to Oracle, and its types as far as H2 has them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.databases import Connection
from spark_jobs.extract import configured
from spark_jobs.layers.extraction.database import Credentials
from spark_jobs.layers.extraction.failures import SourceRefusedError, SourceUnavailableError
from tests.unit.spark_jobs.extraction.conftest import Bench, FolderS3, whole
from tests.unit.spark_jobs.extraction.servers import JARS, needed

pytestmark = [pytest.mark.long, pytest.mark.databases]
LOGIN = Credentials("OPS", "tiger")
CUSTOMERS = (
    "CREATE TABLE ops.customers (customer_id NUMBER(10), name VARCHAR2(20), balance NUMBER, updated_at DATE, "
    "seen TIMESTAMP(9) WITH TIME ZONE, notes CLOB)"
)
COLUMNS = {
    "customer_id": "bigint",
    "name": "string",
    "balance": "decimal(38,10)",
    "updated_at": "timestamp",
    "seen": "timestamp",
    "notes": "string",
}


@pytest.fixture
def oracle(spark: Any, aws: None) -> Iterator[Bench]:
    needed(JARS)
    url = f"jdbc:h2:mem:{uuid.uuid4().hex};MODE=Oracle;DB_CLOSE_DELAY=-1"
    session = configured(spark.newSession())
    bench = Bench(session, Connection("oracle_ops", url), LOGIN, FolderS3(Path(spark.conf.get("landfall.test.root"))))
    bench.execute("CREATE SCHEMA ops")
    yield bench
    bench.execute("SHUTDOWN")


def insert(bench: Bench, *rows: str) -> None:
    bench.execute(*(f"INSERT INTO ops.customers VALUES ({row})" for row in rows))


def row(number: int, second: int) -> str:
    at = f"2013-01-02 01:00:{second:02d}"
    return f"{number}, 'n', 0.5, TIMESTAMP '{at}', TIMESTAMP WITH TIME ZONE '{at}.123456789+02:00', NULL"


def test_oracles_types_keep_their_values(oracle: Bench) -> None:
    oracle.execute(
        "CREATE TABLE ops.t (n NUMBER, n5 NUMBER(5), n52 NUMBER(5,2), n38 NUMBER(38), f BINARY_DOUBLE, d DATE, "
        "ts TIMESTAMP(9), tz TIMESTAMP(9) WITH TIME ZONE, v VARCHAR2(20), c CLOB, b BLOB, r RAW(10), "
        "iv INTERVAL DAY TO SECOND)",
        "INSERT INTO ops.t VALUES (123456789012345678901234567890.12345678, 12345, 123.45, "
        "99999999999999999999999999999999999999, 1.5, TIMESTAMP '2020-01-02 03:04:05', "
        "TIMESTAMP '2020-01-02 03:04:05.123456789', TIMESTAMP WITH TIME ZONE '2020-01-02 03:04:05.123456789+02:00', "
        "'x', REPEAT('é', 40000), X'00FF', X'01', INTERVAL '1' DAY)",
        "INSERT INTO ops.t (n) VALUES (1e100)",
        "INSERT INTO ops.t (n) VALUES (1e-100)",
    )
    record = oracle.extract(oracle.table({}, extra_columns="add", missing_columns="null"), whole("OPS.T"))
    frame = oracle.landed(record)
    assert dict(frame.dtypes) == {
        "N": "string", "N5": "decimal(5,0)", "N52": "decimal(5,2)", "N38": "decimal(38,0)", "F": "double",
        "D": "timestamp_ntz", "TS": "timestamp_ntz", "TZ": "timestamp", "V": "string", "C": "string", "B": "binary",
        "R": "binary", "IV": "string",
    }  # fmt: skip
    rows = frame.orderBy(frame["V"].desc_nulls_last(), "N").collect()
    assert [Decimal(one["N"]) for one in rows[1:]] == [Decimal("1E+100"), Decimal("1E-100")]
    assert rows[0].asDict() == {
        "N": "123456789012345678901234567890.12345678", "N5": Decimal(12345), "N52": Decimal("123.45"),
        "N38": Decimal("9" * 38), "F": 1.5, "D": datetime(2020, 1, 2, 3, 4, 5),
        "TS": datetime(2020, 1, 2, 3, 4, 5, 123456), "TZ": datetime(2020, 1, 2, 1, 4, 5, 123456), "V": "x",
        "C": "é" * 40000, "B": bytearray(b"\x00\xff"), "R": bytearray(b"\x01"),
        "IV": "INTERVAL '1 00:00:00' DAY TO SECOND",
    }  # fmt: skip


def test_times_keep_nine_digits_and_their_zone_where_the_contract_says_string(oracle: Bench) -> None:
    oracle.execute(CUSTOMERS)
    insert(oracle, row(1, 5))
    table = oracle.table({**COLUMNS, "seen": "string", "updated_at": "string"})
    record = oracle.extract(table, whole("OPS.CUSTOMERS"))
    [(seen, updated)] = oracle.rows(record, "SEEN", "UPDATED_AT")
    assert (seen, updated) == ("2013-01-02T01:00:05.123456789 GMT+02:00", "2013-01-02 01:00:05")


@pytest.mark.parametrize("split_by", ["CUSTOMER_ID", "NAME", "UPDATED_AT", "SEEN", "BALANCE"])
def test_every_kind_of_split_reads_each_row_once_nulls_too(oracle: Bench, split_by: str) -> None:
    oracle.execute(CUSTOMERS)
    insert(oracle, *(row(number, number) for number in range(1, 41)), "NULL, NULL, NULL, NULL, NULL, NULL")
    oracle.execute("UPDATE ops.customers SET name = name || customer_id, balance = customer_id * 1.7")
    record = oracle.extract(oracle.table(COLUMNS), whole("OPS.CUSTOMERS", split_by=split_by, splits=5, fetch_size=4))
    assert oracle.rows(record, "CUSTOMER_ID") == [(None,), *((Decimal(number),) for number in range(1, 41))]
    assert record.parts > 1


@pytest.mark.parametrize(
    ("watermark", "first", "second"),
    [
        ("UPDATED_AT", "2013-01-02 01:00:02.0", "2013-01-02 01:00:03.0"),
        ("SEEN", "2013-01-01 23:00:02.123456789", "2013-01-01 23:00:03.123456789"),
        ("CUSTOMER_ID", "2", "3"),
    ],
)
def test_the_second_extraction_reads_what_is_new(oracle: Bench, watermark: str, first: str, second: str) -> None:
    oracle.execute(CUSTOMERS)
    insert(oracle, row(1, 1), row(2, 2))
    table = oracle.table(COLUMNS, load="append")
    extract = whole("OPS.CUSTOMERS", watermark=watermark)
    oracle.now = datetime(2013, 1, 3, tzinfo=UTC)
    assert oracle.extract(table, extract).watermark == first
    insert(oracle, row(3, 3))
    record = oracle.extract(table, extract)
    assert (oracle.rows(record, "CUSTOMER_ID"), record.watermark) == ([(Decimal(3),)], second)


def test_wrong_credentials_are_one_sentence(oracle: Bench) -> None:
    oracle.execute(CUSTOMERS)
    database = oracle.database(credentials=Credentials("OPS", "lion"))
    with pytest.raises(SourceRefusedError, match="refuses the user of secret .*: Wrong user name or password"):
        oracle.extract(oracle.table(COLUMNS), whole("OPS.CUSTOMERS"), database=database)


def test_an_unreachable_host_is_one_sentence_that_may_pass(oracle: Bench) -> None:
    database = oracle.database(Connection("oracle_ops", "jdbc:h2:tcp://127.0.0.1:1/ops"))
    with pytest.raises(SourceUnavailableError, match=r"oracle_ops \(127.0.0.1:1/ops\) does not answer or broke off"):
        oracle.extract(oracle.table(COLUMNS), whole("OPS.CUSTOMERS"), database=database)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"table": "OPS.NOPE"}, 'Table "NOPE" not found'),
        ({"table": "NOWHERE.T"}, 'Schema "NOWHERE" not found'),
        ({"table": "", "query": "SELECT nope FROM ops.customers"}, 'Column "NOPE" not found'),
    ],
)
def test_unknown_names_are_one_sentence(oracle: Bench, words: dict[str, str], message: str) -> None:
    oracle.execute(CUSTOMERS)
    with pytest.raises(SourceRefusedError, match=message):
        oracle.extract(oracle.table(COLUMNS), whole(**{"table": "OPS.CUSTOMERS", **words}))
