"""The time that a file speaks of: what from_key finds in its key, else its event's time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pyspark.sql import functions as F

from contracts.model import EffectiveAt, Source, Table
from contracts.presets import DMS_FILE_TIME
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.staging.landings import (
    Landing,
    file_of,
    find_file_time,
    is_named,
    landed_at_of,
    landing_of,
    name_in,
)


def table(pattern: str, unmatched: str = "quarantine") -> Table:
    return Table("t", "changes", Source(), (), effective_at=EffectiveAt(from_key=pattern, unmatched=unmatched))


FOUND = {
    (r"(?P<date>\d{4}-\d{2}-\d{2})", "a/2020-02-29/x.csv"): datetime(2020, 2, 29, tzinfo=UTC),
    (r"(?P<date>\d{8})T(?P<time>\d{6})", "a/20200131T235959.csv"): datetime(2020, 1, 31, 23, 59, 59, tzinfo=UTC),
    (r"(?P<year>\d{4})/(?P<month>\d\d)", "a/2020/03/x.csv"): datetime(2020, 3, 1, tzinfo=UTC),
    (DMS_FILE_TIME, "dms/20141029-1134010000.csv"): datetime(2014, 10, 29, 11, 34, 1, tzinfo=UTC),
    (DMS_FILE_TIME, "dms/20141029-113401125.csv.gz"): datetime(2014, 10, 29, 11, 34, 1, 125000, tzinfo=UTC),
    (DMS_FILE_TIME, "dms/20141029-113401125.csv"): datetime(2014, 10, 29, 11, 34, 1, 125000, tzinfo=UTC),
    (DMS_FILE_TIME, "dms/2014/10/20141029-113401.parquet"): datetime(2014, 10, 29, 11, 34, 1, tzinfo=UTC),
    (DMS_FILE_TIME, "dms/LOAD00000001.csv"): None,
}


@pytest.mark.parametrize(("pattern", "key"), FOUND)
def test_the_time_in_a_key(pattern, key):
    assert find_file_time(table(pattern, "event_time"), key) == FOUND[pattern, key]


def test_a_key_that_does_not_match_is_refused_unless_the_contract_lets_it_pass():
    with pytest.raises(ContractViolationError, match=r"^t: key dms/LOAD00000001.csv: does not match from_key "):
        find_file_time(table(DMS_FILE_TIME), "dms/LOAD00000001.csv")


def test_a_date_that_does_not_exist_is_refused_in_any_case():
    with pytest.raises(ContractViolationError, match=r"^t: key dms/20140230-113401.csv: from_key finds no time: "):
        find_file_time(table(DMS_FILE_TIME, "event_time"), "dms/20140230-113401.csv")


KEYS = ("a.csv", "b.csv", "a\tb.csv", "\ta\n\tb\t", "a b.csv", "ä\u2028.csv")

LANDED_AT = datetime(2020, 1, 7, 8, 9, 10, 11)


def version_of(key: str, sequencer: str = "0A") -> Landing:
    file_time = datetime(2020, 1, 5, 6, tzinfo=UTC)
    return Landing("", "raw", key, "v1", sequencer.ljust(32, "0"), LANDED_AT.replace(tzinfo=UTC), file_time)


@pytest.mark.parametrize("key", KEYS)
def test_an_order_tells_of_its_landing_whatever_its_key_holds(key):
    landing = version_of(key)
    assert (name_in(landing.order), landing_of(landing.order, "v1")) == (landing.name, landing)


def test_the_rows_of_a_landing_are_found_by_its_name_whatever_its_key_holds(spark):
    landings = [version_of(key, sequencer) for key in KEYS for sequencer in ("0A", "0B")]
    orders = spark.range(1).select(F.explode(F.array(*(F.lit(one.order) for one in landings))).alias("order"))
    named = [one for one in landings if one.sequencer.startswith("0A")]
    found = orders.filter(is_named(F.col("order"), (), [one.name for one in named]))
    told = found.select("order", file_of(F.col("order")), landed_at_of(F.col("order"))).collect()
    assert [tuple(row) for row in told] == [(one.order, one.uri, LANDED_AT) for one in named]
