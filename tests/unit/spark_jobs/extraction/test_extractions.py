"""Extractions from Derby: what lands, how far the watermark is, and what a failure leaves behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contracts.databases import Connection
from spark_jobs.layers.extraction.extract import Extraction, run
from spark_jobs.layers.extraction.failures import SourceRefusedError
from spark_jobs.layers.extraction.ledger import ExtractionLedger, Record, Watermark
from spark_jobs.layers.extraction.manifest import read_manifest
from spark_jobs.layers.extraction.marks import MOMENT, NUMBER, Mark
from tests.cases import few
from tests.unit.spark_jobs.extraction.conftest import LEDGER, Bench, whole

COLUMNS = {"id": "bigint", "name": "string", "upd": "timestamp"}
PLANES = "CREATE TABLE planes (id INT, name VARCHAR(20), upd TIMESTAMP)"


def filled(bench: Bench, *rows: str) -> Bench:
    bench.execute(PLANES, *(f"INSERT INTO planes VALUES ({row})" for row in rows))
    return bench


def add(bench: Bench, *rows: str) -> None:
    bench.execute(*(f"INSERT INTO planes VALUES ({row})" for row in rows))


def at(second: int) -> str:
    return f"TIMESTAMP('2013-01-02 01:00:{second:02d}')"


def ids(bench: Bench, record: Record) -> list[int | None]:
    return [row[0] for row in bench.rows(record, "ID")]


def test_a_table_lands_whole_as_one_parquet_object_named_by_its_time(derby: Bench) -> None:
    filled(derby, f"1, 'a', {at(1)}", "2, NULL, NULL")
    record = derby.extract(derby.table(COLUMNS), whole())
    assert derby.raw_keys() == [record.key] == [f"{derby.prefix}2013-01-02T020000.000000Z.parquet"]
    assert derby.rows(record) == [(1, "a", datetime(2013, 1, 2, 1, 0, 1)), (2, None, None)]
    assert (record.state, record.rows, record.parts, record.watermark) == ("landed", 2, 1, "")
    assert derby.watermark(whole()) is None


def test_an_empty_table_lands_too_for_its_rows_are_gone(derby: Bench) -> None:
    record = filled(derby).extract(derby.table(COLUMNS), whole())
    assert (derby.rows(record), derby.landed(record).columns) == ([], ["ID", "NAME", "UPD"])


def test_a_split_table_lands_as_parts_that_hold_each_row_once_and_a_manifest_put_last(derby: Bench) -> None:
    filled(derby, *(f"{n}, 'x', NULL" for n in range(1, 10)), "NULL, 'no id', NULL")
    record = derby.extract(derby.table(COLUMNS), whole(split_by="id", splits=3, fetch_size=2))
    assert ids(derby, record) == [None, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert (record.parts, derby.s3.puts[-1]) == (3, record.key)
    manifest = read_manifest(derby.s3.path("test-raw", record.key).read_bytes(), record.key)
    assert [part.rows for part in manifest.parts] == [4, 3, 3]
    folder = f"{derby.prefix}.parts/2013-01-02T020000.000000Z/"
    assert [part.key for part in manifest.parts] == [f"{folder}{number:05d}.parquet" for number in range(3)]
    assert record.key == f"{derby.prefix}2013-01-02T020000.000000Z.manifest.json"


def test_what_fits_into_one_fetch_is_read_by_one_connection(derby: Bench) -> None:
    filled(derby, *(f"{n}, 'x', NULL" for n in range(4)))
    assert derby.extract(derby.table(COLUMNS), whole(split_by="ID", splits=4, fetch_size=4)).parts == 1


def test_derbys_types_keep_their_values(derby: Bench) -> None:
    derby.execute(
        "CREATE TABLE planes (n DECIMAL(31,5), b BIGINT, si SMALLINT, r REAL, do DOUBLE, d DATE, ts TIMESTAMP, "
        "ti TIME, c CLOB, bl BLOB, vb VARCHAR(10) FOR BIT DATA, bo BOOLEAN, ch CHAR(3))",
        "INSERT INTO planes VALUES (12345678901234567890123456.12345, 9223372036854775807, -32768, 1.5, 0.1, "
        "'0001-01-01', '9999-12-31 23:59:59.123456', '01:02:03', CAST('é\n' AS CLOB), CAST(X'00FF' AS BLOB), X'01', "
        "TRUE, 'a')",
    )
    table = derby.table({}, extra_columns="add", missing_columns="null")
    record = derby.extract(table, whole())
    frame = derby.landed(record)
    assert dict(frame.dtypes) == {
        "N": "decimal(31,5)", "B": "bigint", "SI": "smallint", "R": "float", "DO": "double", "D": "date",
        "TS": "timestamp_ntz", "TI": "string", "C": "string", "BL": "binary", "VB": "binary", "BO": "boolean",
        "CH": "string",
    }  # fmt: skip
    [row] = frame.withColumn("D", frame["D"].cast("string")).collect()
    assert row.asDict() == {
        "N": Decimal("12345678901234567890123456.12345"), "B": 9223372036854775807, "SI": -32768, "R": 1.5, "DO": 0.1,
        "D": "0001-01-01", "TS": datetime(9999, 12, 31, 23, 59, 59, 123456), "TI": "01:02:03", "C": "é\n",
        "BL": bytearray(b"\x00\xff"), "VB": bytearray(b"\x01"), "BO": True, "CH": "a  ",
    }  # fmt: skip


def test_names_may_hold_any_character(derby: Bench) -> None:
    derby.execute('CREATE TABLE planes ("full name" INT, "a.b" INT, "c`d" INT)', "INSERT INTO planes VALUES (1, 2, 3)")
    record = derby.extract(derby.table({}, extra_columns="add", missing_columns="null"), whole())
    assert derby.landed(record).columns == ["full name", "a.b", "c`d"]
    assert [tuple(row) for row in derby.landed(record).collect()] == [(1, 2, 3)]


def test_a_query_is_read_like_a_table(derby: Bench) -> None:
    filled(derby, "1, 'a', NULL", "2, 'b', NULL")
    query = "SELECT id, UPPER(name) AS name FROM planes WHERE id > 1"
    record = derby.extract(derby.table({"id": "bigint", "name": "string"}), whole("", query=query, split_by="id"))
    assert derby.rows(record) == [(2, "B")]


def test_the_second_extraction_reads_what_is_new_and_the_overlap_again(derby: Bench) -> None:
    filled(derby, f"1, 'a', {at(1)}", f"2, 'b', {at(50)}", "3, 'no time', NULL")
    table, extract = derby.table(COLUMNS), whole(watermark="UPD", overlap="10s")
    first = derby.extract(table, extract)
    assert (ids(derby, first), first.watermark) == ([1, 2, 3], "2013-01-02 01:00:50.0")
    add(derby, f"4, 'late commit', {at(41)}", f"5, 'too late', {at(39)}", f"6, 'new', {at(55)}")
    second = derby.extract(table, extract)
    assert (ids(derby, second), second.watermark) == ([2, 3, 4, 6], "2013-01-02 01:00:55.0")
    assert derby.watermark(extract) == Mark(MOMENT, "2013-01-02 01:00:55.0")


@pytest.mark.long(little=True)
def test_without_a_word_the_overlap_of_a_time_without_a_zone_is_seventy_minutes(derby: Bench) -> None:
    filled(derby, "1, 'a', TIMESTAMP('2013-01-01 23:50:00')", f"2, 'b', {at(0)}")
    table, extract = derby.table(COLUMNS), whole(watermark="UPD")
    derby.extract(table, extract)
    add(derby, "3, 'outside', TIMESTAMP('2013-01-01 23:49:59.999999999')")
    assert ids(derby, derby.extract(table, extract)) == [1, 2]


@pytest.mark.long(little=True)
def test_the_hour_that_comes_twice_when_summer_time_ends_is_read_twice(derby: Bench) -> None:
    filled(derby, "1, '02:55, summer', TIMESTAMP('2013-10-27 02:55:00')")
    table, extract = derby.table(COLUMNS), whole(watermark="UPD")
    derby.now = datetime(2013, 10, 27, 0, 56, tzinfo=UTC)
    derby.extract(table, extract)
    add(derby, "2, '02:10, winter', TIMESTAMP('2013-10-27 02:10:00')")
    derby.now = datetime(2013, 10, 27, 1, 30, tzinfo=UTC)
    assert ids(derby, derby.extract(table, extract)) == [1, 2]


def meanwhile(bench: Bench, extraction: Extraction, *rows: str) -> Extraction:
    """Return the extraction with rows that are committed between its survey and its reading."""
    database, read = extraction.database, extraction.database.read

    def commit_then_read(*arguments: Any) -> Any:
        add(bench, *rows)
        return read(*arguments)

    database.read = commit_then_read  # type: ignore[method-assign]
    return extraction


def test_rows_that_are_committed_while_reading_wait_for_the_next_extraction(derby: Bench) -> None:
    filled(derby, f"1, 'a', {at(1)}")
    table, extract = derby.table(COLUMNS), whole(watermark="UPD", overlap="0s")
    assert ids(derby, run(meanwhile(derby, derby.extraction(table, extract), f"2, 'meanwhile', {at(2)}"))) == [1]
    assert ids(derby, derby.extract(table, extract)) == [2]


@pytest.mark.long(little=True)
def test_the_first_row_of_an_empty_table_is_read_once_whenever_it_is_committed(derby: Bench) -> None:
    filled(derby)
    table, extract = derby.table(COLUMNS, load="append"), whole(watermark="ID")
    assert ids(derby, run(meanwhile(derby, derby.extraction(table, extract), "1, 'a', NULL"))) == []
    assert ids(derby, derby.extract(table, extract)) == [1]


@pytest.mark.long(little=True)
def test_of_a_table_without_a_watermark_yet_rows_are_read_that_have_none(derby: Bench) -> None:
    filled(derby, "1, 'no time', NULL")
    table, extract = derby.table(COLUMNS), whole(watermark="UPD")
    assert ids(derby, run(meanwhile(derby, derby.extraction(table, extract), f"2, 'b', {at(1)}"))) == [1]
    assert ids(derby, derby.extract(table, extract)) == [1, 2]


@pytest.mark.long(little=True)
def test_append_does_not_read_a_row_before_it_has_a_watermark(derby: Bench) -> None:
    filled(derby, "1, 'a', NULL")
    table, extract = derby.table(COLUMNS, load="append"), whole(watermark="ID")
    assert ids(derby, run(meanwhile(derby, derby.extraction(table, extract), "NULL, 'b', NULL"))) == [1]
    derby.execute("UPDATE planes SET id = 2 WHERE id IS NULL")
    assert ids(derby, derby.extract(table, extract)) == [2]


@pytest.mark.long(little=True)
def test_nine_digits_of_a_second_are_kept_in_the_watermark(derby: Bench) -> None:
    filled(derby, "1, 'a', TIMESTAMP('2013-01-02 01:00:00.123456789')")
    table, extract = derby.table(COLUMNS), whole(watermark="UPD", overlap="0s")
    assert derby.extract(table, extract).watermark == "2013-01-02 01:00:00.123456789"
    add(derby, "2, 'b', TIMESTAMP('2013-01-02 01:00:00.1234568')")
    assert derby.extract(table, extract).watermark == "2013-01-02 01:00:00.1234568"


@pytest.mark.long(little=True)
def test_a_watermark_that_was_read_long_after_it_has_no_overlap_left(derby: Bench) -> None:
    """Whatever commits ten minutes late had done so when the table was read a day later."""
    filled(derby, f"1, 'a', {at(1)}", "2, 'no time', NULL")
    table, extract = derby.table(COLUMNS), whole(watermark="UPD", overlap="10m")
    derby.extract(table, extract)
    derby.now = datetime(2013, 1, 3, 1, 10, 1, tzinfo=UTC)
    assert ids(derby, derby.extract(table, extract)) == [1, 2]
    derby.execute("DELETE FROM planes WHERE upd IS NULL")
    assert derby.extract(table, extract).state == "empty"
    add(derby, f"3, 'new', {at(2)}")
    assert ids(derby, derby.extract(table, extract)) == [3]


@pytest.mark.long(little=True)
def test_a_day_without_overlap_is_read_again_while_it_lasts(derby: Bench) -> None:
    derby.execute("CREATE TABLE planes (id INT, upd DATE)", "INSERT INTO planes VALUES (1, '2013-01-01')")
    derby.execute("INSERT INTO planes VALUES (2, '2013-01-02')")
    table, extract = derby.table({"id": "bigint", "upd": "date"}), whole(watermark="UPD", overlap="0s")
    derby.extract(table, extract)
    derby.execute("INSERT INTO planes VALUES (3, '2013-01-02')")
    assert ids(derby, derby.extract(table, extract)) == [2, 3]


@pytest.mark.long(little=True)
def test_a_number_with_an_overlap_of_0_reads_what_is_above_it(derby: Bench) -> None:
    filled(derby, "1, 'a', NULL", "7, 'b', NULL")
    table, extract = derby.table(COLUMNS), whole(watermark="ID", overlap=0)
    derby.extract(table, extract)
    add(derby, "8, 'new', NULL")
    assert ids(derby, derby.extract(table, extract)) == [8]


@pytest.mark.long(little=True)
def test_a_number_is_a_watermark_too(derby: Bench) -> None:
    filled(derby, "1, 'a', NULL", "7, 'b', NULL")
    table, extract = derby.table(COLUMNS), whole(watermark="ID", overlap=2)
    derby.extract(table, extract)
    add(derby, "4, 'too low', NULL", "5, 'in the overlap', NULL", "9, 'new', NULL")
    record = derby.extract(table, extract)
    assert (ids(derby, record), derby.watermark(extract)) == ([5, 7, 9], Mark(NUMBER, "9"))


@pytest.mark.long(little=True)
def test_a_number_of_31_digits_is_a_watermark_to_the_last_of_them(derby: Bench) -> None:
    derby.execute("CREATE TABLE planes (id DECIMAL(31,0))")
    derby.execute("INSERT INTO planes VALUES (1234567890123456789012345678906)")
    table, extract = derby.table({"id": "decimal(31,0)"}), whole(watermark="ID", overlap=0)
    derby.extract(table, extract)
    derby.execute("INSERT INTO planes VALUES (1234567890123456789012345678909)")
    assert ids(derby, derby.extract(table, extract)) == [Decimal("1234567890123456789012345678909")]


def test_nothing_new_lands_nothing_unless_a_freshness_is_watched(derby: Bench) -> None:
    filled(derby, f"1, 'a', {at(1)}")
    extract = whole(watermark="UPD", overlap="0s")
    derby.extract(derby.table(COLUMNS), extract)
    derby.execute("DELETE FROM planes")
    empty = derby.extract(derby.table(COLUMNS), extract)
    assert (empty.state, empty.key, len(derby.raw_keys())) == ("empty", "", 1)
    derby.now = datetime(2013, 1, 3, tzinfo=UTC)
    watched = derby.extract(derby.table(COLUMNS, freshness="26h"), extract)
    assert (watched.state, watched.rows, len(derby.raw_keys())) == ("landed", 0, 2)
    assert derby.watermark(extract) == Mark(MOMENT, "2013-01-02 01:00:01.0")


def test_mode_full_reads_everything_again_and_sets_the_watermark_anew(derby: Bench) -> None:
    filled(derby, f"1, 'a', {at(1)}", f"2, 'b', {at(50)}")
    table, extract = derby.table(COLUMNS), whole(watermark="UPD", overlap="0s")
    derby.extract(table, extract)
    derby.execute("DELETE FROM planes WHERE id = 2")
    record = derby.extract(table, extract, mode="full")
    assert (ids(derby, record), derby.watermark(extract)) == ([1], Mark(MOMENT, "2013-01-02 01:00:01.0"))


@pytest.mark.long(little=True)
def test_mode_full_of_a_table_without_a_watermark_forgets_the_one_before(derby: Bench) -> None:
    derby.execute(PLANES, "INSERT INTO planes VALUES (1000, 'a', NULL)")
    table, extract = derby.table(COLUMNS), whole(watermark="ID", overlap=0)
    derby.extract(table, extract)
    derby.execute("DELETE FROM planes")
    derby.extract(table, extract, mode="full")
    derby.execute("INSERT INTO planes VALUES (1, 'numbers begin anew', NULL)")
    assert ids(derby, derby.extract(table, extract)) == [1]


def test_append_reads_each_row_once_and_refuses_rows_without_a_watermark(derby: Bench) -> None:
    filled(derby, f"1, 'a', {at(1)}")
    derby.now = datetime(2013, 1, 3, tzinfo=UTC)
    table, extract = derby.table(COLUMNS, load="append"), whole(watermark="UPD")
    derby.extract(table, extract)
    add(derby, f"2, 'b', {at(2)}")
    assert ids(derby, derby.extract(table, extract)) == [2]
    add(derby, "3, 'c', NULL")
    with pytest.raises(SourceRefusedError, match="1 rows of PLANES have no UPD"):
        derby.extract(table, extract)
    with pytest.raises(SourceRefusedError, match="mode full would land every row of an append table a second time"):
        derby.extract(table, extract, mode="full")


@pytest.mark.parametrize(
    ("kind", "first", "second", "over"),
    few(
        [
            ("DATE", "2013-01-01", "2013-01-02", datetime(2013, 1, 3, 12, tzinfo=UTC)),
            ("TIMESTAMP", "2013-01-02 01:00:49", "2013-01-02 01:00:50", datetime(2013, 1, 2, 13, 0, 51, tzinfo=UTC)),
        ]
    ),
)
def test_append_leaves_a_day_or_second_until_no_row_can_come_that_bears_it(
    derby: Bench, kind: str, first: str, second: str, over: datetime
) -> None:
    derby.execute(
        f"CREATE TABLE planes (id INT, upd {kind})", f"INSERT INTO planes VALUES (1, '{first}'), (2, '{second}')"
    )
    table, extract = derby.table({"id": "bigint", "upd": "timestamp"}, load="append"), whole(watermark="UPD")
    record = derby.extract(table, extract)
    assert (ids(derby, record), record.watermark.removesuffix(".0")) == ([1], first)
    derby.execute(f"INSERT INTO planes VALUES (3, '{second}')")
    derby.now = over - timedelta(microseconds=1)
    assert derby.extract(table, extract).state == "empty"
    derby.now = over
    assert ids(derby, derby.extract(table, extract)) == [2, 3]


@pytest.mark.long(little=True)
def test_append_takes_a_second_as_soon_as_a_younger_row_is_there(derby: Bench) -> None:
    filled(derby, f"1, 'a', {at(50)}")
    table, extract = derby.table(COLUMNS, load="append"), whole(watermark="UPD", split_by="ID")
    assert ids(derby, derby.extract(table, extract)) == []
    add(derby, f"2, 'b', {at(50)}", "3, 'c', TIMESTAMP('2013-01-02 01:00:50.5')")
    assert ids(derby, derby.extract(table, extract)) == [1, 2, 3]


def test_a_watermark_in_the_future_is_refused_for_it_would_hide_what_comes_before_it(derby: Bench) -> None:
    filled(derby, "1, 'a', TIMESTAMP('9999-12-31 00:00:00')")
    with pytest.raises(SourceRefusedError, match="UPD of PLANES reaches 9999-12-31 00:00:00.0, more than a day ahead"):
        derby.extract(derby.table(COLUMNS), whole(watermark="UPD"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"watermark": "NAME"}, "source.watermark NAME is VARCHAR; it must be"),
        ({"split_by": "NAME"}, "source.split_by NAME is VARCHAR; it must be"),
        ({"watermark": "ID"}, "planes: source.overlap must be written out where the watermark is a number"),
        ({"watermark": "ID", "overlap": "5m"}, "planes: source.overlap 5m must be a number, as the watermark is"),
        ({"watermark": "UPD", "overlap": 5}, "planes: source.overlap 5 must be a time such as 10m"),
        ({"watermark": "NOPE"}, "PLANES has no column NOPE (source.watermark); it has ID, NAME, UPD"),
        ({"table": "NOPE"}, "does not accept what the contract asks for: Table/View 'NOPE' does not exist"),
        ({"table": "", "query": "SELECT nope FROM planes"}, "Column 'NOPE' is either not in any table"),
    ],
)
def test_what_the_database_does_not_have_is_one_sentence(derby: Bench, words: dict[str, Any], message: str) -> None:
    filled(derby)
    with pytest.raises(SourceRefusedError) as refused:
        derby.extract(derby.table(COLUMNS), whole(**{"table": "PLANES", **words}))
    assert message in str(refused.value)
    assert (str(refused.value).startswith("planes: "), "\n" in str(refused.value)) == (True, False)


def test_a_database_that_is_not_there_leaves_nothing(derby: Bench) -> None:
    database = derby.database(Connection("gone", "jdbc:derby:memory:gone"))
    with pytest.raises(SourceRefusedError, match="planes: gone \\(derby:memory:gone\\)"):
        derby.extract(derby.table(COLUMNS), whole(), database=database)
    assert derby.raw_keys() == []


def test_a_database_that_goes_away_after_the_survey_leaves_nothing_and_the_watermark_where_it_was(derby: Bench) -> None:
    filled(derby, *(f"{n}, 'x', {at(n)}" for n in range(1, 9)))
    extract = whole(watermark="UPD", split_by="ID", splits=2, fetch_size=2)
    extraction = derby.extraction(derby.table(COLUMNS), extract)
    read = extraction.database.read

    def drop(*arguments: Any) -> Any:
        frame = read(*arguments)
        url = derby.connection.url.partition(";")[0]
        with pytest.raises(Exception, match="dropped"):
            extraction.database._driver().connect(f"{url};drop=true", derby.spark._jvm.java.util.Properties())
        return frame

    extraction.database.read = drop  # type: ignore[method-assign]
    with pytest.raises(SourceRefusedError, match="Table/View 'PLANES' does not exist"):
        run(extraction)
    assert derby.raw_keys() == []
    assert derby.watermark(extract) is None
    assert derby.ledger(extract).record(extraction.id) is None


class _KilledError(Exception):
    """The job is killed here."""


def interrupted(bench: Bench, extraction: Extraction, after: str) -> Extraction:
    """Return the extraction with a job that is killed right after one of its steps."""

    class Killed(ExtractionLedger):
        def announce(self, record: Record) -> None:
            super().announce(record)
            if after == "announce":
                raise _KilledError

        def settle(self, record: Record, seen: Watermark | None) -> None:
            if after == "land":
                raise _KilledError
            super().settle(record, seen)
            raise _KilledError

    ledger = Killed(extraction.ledger._dynamodb, LEDGER, "planes", extraction.extract.watermark)
    return replace(extraction, ledger=ledger)


@pytest.mark.parametrize("after", ["announce", "land", "settle"])
def test_an_extraction_that_is_run_again_lands_once(derby: Bench, after: str) -> None:
    filled(derby, f"1, 'a', {at(1)}")
    extract = whole(watermark="UPD")
    extraction = derby.extraction(derby.table(COLUMNS), extract)
    with pytest.raises(_KilledError):
        run(interrupted(derby, extraction, after))
    derby.now = datetime(2013, 1, 2, 2, 30, tzinfo=UTC)
    record = run(extraction)
    assert (record.state, derby.raw_keys()) == ("landed", [record.key])
    assert (run(extraction), derby.raw_keys()) == (record, [record.key])
    assert derby.watermark(extract) == Mark(MOMENT, "2013-01-02 01:00:01.0")


def test_an_append_that_landed_before_its_job_died_is_not_read_again_by_the_next(derby: Bench) -> None:
    filled(derby, f"1, 'a', {at(1)}")
    derby.now = datetime(2013, 1, 3, tzinfo=UTC)
    table, extract = derby.table(COLUMNS, load="append"), whole(watermark="UPD")
    with pytest.raises(_KilledError):
        run(interrupted(derby, derby.extraction(table, extract), "land"))
    add(derby, f"2, 'b', {at(2)}")
    derby.now = datetime(2013, 1, 3, 0, 30, tzinfo=UTC)
    assert ids(derby, derby.extract(table, extract)) == [2]


def test_an_error_of_our_own_clouds_is_not_the_databases(derby: Bench) -> None:
    filled(derby, "1, 'a', NULL")
    extraction = derby.extraction(derby.table(COLUMNS), whole())

    def throttle(*_: Any, **__: Any) -> None:
        raise ClientError({"Error": {"Code": "SlowDown", "Message": "slow down"}}, "CopyObject")

    extraction.s3.copy = throttle
    with pytest.raises(ClientError, match="SlowDown"):
        run(extraction)
