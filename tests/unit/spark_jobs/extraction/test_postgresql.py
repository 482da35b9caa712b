"""Extraction from a real PostgreSQL: types, splits, watermarks, and servers that refuse or break off."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.databases import Connection
from spark_jobs.extract import configured
from spark_jobs.layers.extraction.database import Credentials
from spark_jobs.layers.extraction.extract import run
from spark_jobs.layers.extraction.failures import SourceRefusedError, SourceUnavailableError
from tests.unit.spark_jobs.extraction.conftest import Bench, FolderS3, whole
from tests.unit.spark_jobs.extraction.servers import execute, postgres_database, postgres_login

pytestmark = [pytest.mark.long, pytest.mark.databases]
COLUMNS = {"id": "bigint", "note": "string", "upd": "timestamp"}
ROWS = (
    "CREATE TABLE planes AS SELECT n AS id, 'n' || n AS note, TIMESTAMPTZ '2013-01-01 00:00:00+00' + n * interval "
    "'1 second' AS upd FROM generate_series(1, 1000) n"
)


@pytest.fixture
def postgres(spark: Any, aws: None) -> Iterator[Bench]:
    session = configured(spark.newSession())
    with postgres_database(session) as connection:
        yield Bench(session, connection, postgres_login(), FolderS3(Path(spark.conf.get("landfall.test.root"))))


def test_every_type_keeps_its_value(postgres: Bench) -> None:
    postgres.execute(
        "CREATE TYPE mood AS ENUM ('glad')",
        "CREATE TABLE planes (n numeric, p numeric(20,5), huge numeric(50,3), hundreds numeric(5,-2), i2 smallint, "
        "i8 bigint, r real, e double precision, d date, ts timestamp, tz timestamptz, ti time, v text, ch char(3), "
        "b bytea, u uuid, js jsonb, m money, iv interval, bo boolean, bits bit(3), md mood, a int[])",
        "INSERT INTO planes VALUES ('123456789012345678901234567890.0000000001', 1.5, "
        "12345678901234567890123456789012345678901234567.123, 12345, 3, 9223372036854775807, 1.5, 0.1, '0001-01-01', "
        "'9999-12-31 23:59:59.123456', '2013-06-01 12:00:00.123456+02', '01:02:03.5', 'é\n', 'a', '\\x00ff', "
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{\"a\": 1}', 1.5, '1 day', true, B'101', 'glad', '{1,2}')",
        "INSERT INTO planes (n) VALUES ('NaN')",
    )
    record = postgres.extract(postgres.table({}, extra_columns="add", missing_columns="null"), whole("planes"))
    frame = postgres.landed(record)
    assert dict(frame.dtypes) == {
        "n": "string", "p": "decimal(20,5)", "huge": "string", "hundreds": "string", "i2": "smallint", "i8": "bigint",
        "r": "float", "e": "double", "d": "date", "ts": "timestamp_ntz", "tz": "timestamp", "ti": "string",
        "v": "string", "ch": "string", "b": "binary", "u": "string", "js": "string", "m": "string", "iv": "string",
        "bo": "boolean", "bits": "string", "md": "string", "a": "string",
    }  # fmt: skip
    [nan, row] = frame.withColumn("d", frame["d"].cast("string")).orderBy(frame["v"].asc_nulls_first()).collect()
    assert nan["n"] == "NaN"
    assert row.asDict() == {
        "n": "123456789012345678901234567890.0000000001", "p": Decimal("1.50000"),
        "huge": "12345678901234567890123456789012345678901234567.123", "hundreds": "12300", "i2": 3,
        "i8": 9223372036854775807, "r": 1.5, "e": 0.1, "d": "0001-01-01",
        "ts": datetime(9999, 12, 31, 23, 59, 59, 123456), "tz": datetime(2013, 6, 1, 10, 0, 0, 123456),
        "ti": "01:02:03.5", "v": "é\n", "ch": "a  ", "b": bytearray(b"\x00\xff"),
        "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "js": '{"a": 1}', "m": "$1.50", "iv": "1 day", "bo": True,
        "bits": "101", "md": "glad", "a": "{1,2}",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("split_by", "kind"),
    [("id", "bigint"), ("note", "text"), ("upd", "timestamptz"), ("day", "date"), ("amount", "numeric(12,2)")],
)
def test_every_kind_of_split_reads_each_row_once_nulls_too(postgres: Bench, split_by: str, kind: str) -> None:
    postgres.execute(
        ROWS,
        "ALTER TABLE planes ADD day date, ADD amount numeric(12,2)",
        "UPDATE planes SET day = upd::date + id::int % 40, amount = id * 0.37 - 100",
        "INSERT INTO planes (note) VALUES (NULL), (NULL)",
    )
    table = postgres.table(COLUMNS, extra_columns="ignore")
    record = postgres.extract(table, whole("planes", split_by=split_by, splits=7, fetch_size=50))
    assert postgres.rows(record, "id") == [(None,), (None,), *((n,) for n in range(1, 1001))]
    assert record.parts > 1


def test_a_floating_split_column_is_refused(postgres: Bench) -> None:
    postgres.execute("CREATE TABLE planes (id bigint, note text, upd timestamptz, f double precision)")
    with pytest.raises(SourceRefusedError, match="source.split_by f is float8; it must be a whole or decimal number"):
        postgres.extract(postgres.table(COLUMNS, extra_columns="ignore"), whole("planes", split_by="f"))


def test_a_transaction_that_commits_late_is_read_within_the_overlap(postgres: Bench) -> None:
    postgres.execute(ROWS)
    table, extract = postgres.table(COLUMNS), whole("planes", watermark="upd", overlap="5m")
    postgres.now = datetime(2013, 1, 1, 0, 17, tzinfo=UTC)
    with postgres.database()._connected() as slow:
        slow.setAutoCommit(False)
        statement = slow.createStatement()
        statement.execute("INSERT INTO planes VALUES (2000, 'late', '2013-01-01 00:15:00+00')")
        assert postgres.extract(table, extract).rows == 1000
        slow.commit()
        slow.setAutoCommit(True)
    postgres.now = datetime(2013, 1, 1, 0, 18, tzinfo=UTC)
    record = postgres.extract(table, extract)
    assert (2000,) in postgres.rows(record, "id")
    assert record.rows == 302  # 00:11:40 to 00:16:40, and the late one
    assert record.watermark == "2013-01-01 00:16:40.0"


def test_times_with_a_zone_are_instants_in_the_watermark_whatever_the_sessions_zone(postgres: Bench) -> None:
    postgres.execute(
        "CREATE TABLE planes (id bigint, note text, upd timestamptz)",
        "INSERT INTO planes VALUES (1, 'a', '2013-06-01 12:00:00.123456+02')",
    )
    tokyo = replace(
        postgres.connection, properties={**postgres.connection.properties, "options": "-c TimeZone=Asia/Tokyo"}
    )
    table, extract = postgres.table(COLUMNS), whole("planes", watermark="upd", overlap="0s")
    postgres.now = datetime(2013, 6, 1, 12, tzinfo=UTC)
    first = postgres.extract(table, extract, database=postgres.database(tokyo))
    assert (postgres.rows(first, "upd"), first.watermark) == (
        [(datetime(2013, 6, 1, 10, 0, 0, 123456),)],
        "2013-06-01 10:00:00.123456",
    )
    postgres.execute("INSERT INTO planes VALUES (2, 'b', '2013-06-01 10:00:00.123457+00')")
    second = postgres.extract(table, extract, database=postgres.database(tokyo))
    assert postgres.rows(second, "id") == [(2,)]


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz"])
def test_a_time_without_end_is_named_with_its_column_and_the_way_out(postgres: Bench, kind: str) -> None:
    postgres.execute(
        f'CREATE TABLE planes (id bigint, "d\'s" {kind})',
        "INSERT INTO planes VALUES (1, NULL), (2, '2013-06-01'), (3, '-infinity')",
    )
    declared = {"timestamp": "timestamp_ntz", "timestamptz": "timestamp"}.get(kind, kind)
    with pytest.raises(SourceRefusedError) as told:
        postgres.extract(postgres.table({"id": "bigint", "d's": declared}), whole("planes"))
    assert str(told.value).endswith(
        "holds a value that cannot be read as the contract asks: ERROR: invalid input syntax for type "
        f"{'timestamp with time zone' if kind == 'timestamptz' else kind}: \"-infinity in column d's, which Spark has "
        f'no {kind} for: cast it in source.query"'
    )
    postgres.execute("DELETE FROM planes WHERE id = 3")
    record = postgres.extract(postgres.table({"id": "bigint", "d's": declared}), whole("planes"))
    assert record.rows == 2


@pytest.mark.parametrize(
    ("changes", "credentials", "error", "message"),
    [
        ({}, Credentials("landfall", "wrong"), SourceRefusedError, "refuses the user of secret landfall/ops"),
        ({"url": "jdbc:postgresql://127.0.0.1:1/x"}, None, SourceUnavailableError, "Connection refused"),
        ({"url": "jdbc:postgresql://nowhere.invalid/x"}, None, SourceUnavailableError, "nowhere.invalid"),
        ({"driver": "com.nowhere.Driver"}, None, SourceRefusedError, "com.nowhere.Driver of connection ops is not on"),
    ],
)
def test_a_server_that_refuses_or_is_not_there_is_one_sentence(
    postgres: Bench, changes: dict[str, str], credentials: Credentials | None, error: type[Exception], message: str
) -> None:
    connection = replace(postgres.connection, secret="landfall/ops", **changes)
    with pytest.raises(error, match=message) as told:
        postgres.extract(postgres.table(COLUMNS), whole("planes"), database=postgres.database(connection, credentials))
    assert "wrong" not in str(told.value) and "\n" not in str(told.value)


def test_a_connection_that_is_cut_while_reading_lands_nothing_and_leaves_the_watermark(postgres: Bench) -> None:
    """Rows are slow; when the first are being read, the server terminates the readers' connections."""
    postgres.execute(
        "CREATE FUNCTION slow(n bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS "
        "$$ BEGIN PERFORM pg_sleep(0.02); RETURN n; END $$",
        ROWS,
    )
    query = "SELECT slow(id) AS id, note, upd FROM planes"
    extract = whole("", query=query, watermark="upd", fetch_size=10)
    extraction = postgres.extraction(postgres.table(COLUMNS), extract)
    with cutting(postgres), pytest.raises(SourceUnavailableError, match="does not answer or broke off"):
        run(extraction)
    assert (postgres.raw_keys(), postgres.watermark(extract)) == ([], None)
    assert postgres.extract(postgres.table(COLUMNS), whole("planes", watermark="upd")).rows == 1000


@contextmanager
def cutting(bench: Bench) -> Iterator[None]:
    """Terminate, until the block ends, every connection that has fetched from `slow` for a second."""
    end = threading.Event()

    def cut() -> None:
        while not end.wait(0.3):
            execute(
                bench.spark,
                Connection("server", bench.connection.url),
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE "
                "'%slow(id)%' AND query LIKE '%\"note\"%' AND xact_start < now() - interval '1 second'",
            )

    with ThreadPoolExecutor(1) as pool:
        cutter = pool.submit(cut)
        try:
            yield
        finally:
            end.set()
            cutter.result()


def test_dates_before_the_gregorian_calendar_keep_their_day(postgres: Bench) -> None:
    postgres.execute("CREATE TABLE planes (id bigint, d date)", "INSERT INTO planes VALUES (1, '1582-10-04')")
    record = postgres.extract(postgres.table({"id": "bigint", "d": "date"}), whole("planes"))
    assert postgres.rows(record, "id", "d") == [(1, date(1582, 10, 4))]
