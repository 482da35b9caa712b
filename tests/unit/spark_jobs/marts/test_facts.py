"""Facts and free SQL: groups, lookups as of the fact's time, and what is refused."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from contracts.model import DimensionLookup
from spark_jobs.layers.marts.attempt import SourceMissingError
from spark_jobs.layers.marts.diff import DuplicateKeyError
from spark_jobs.layers.marts.tables import MartSchemaError
from tests.unit.spark_jobs.marts.bench import mart, plan, table
from tests.unit.spark_jobs.marts.flights import (
    BY_DAY,
    D1,
    D2,
    D3,
    DIM_PLANES,
    FLIGHTS,
    PLANES,
    TO_PLANES,
    facts,
    flight,
    plane,
    pointed,
)

AIRPORTS = table("airports", "faa string, name string, since date", key=("faa",), effective_at=BY_DAY)
DIM_AIRPORTS = mart("dim_airports", "dimension", "airports")
DAYS = mart(
    "days",
    "sql",
    "facts",
    sql="SELECT day, sum(miles) AS miles FROM facts GROUP BY day;",
    key=("day",),
    incremental_by=("day",),
)


def test_a_fact_takes_the_version_as_of_its_own_time(bench):
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES)])
    b.log("planes", [plane("A", 2, D1), plane("A", 3, D2), plane("B", 9, D2)])
    b.log("flights", [flight(1, D1, "A"), flight(2, D2, "A"), flight(3, D3, "A"), flight(4, D1, "B")])
    b.build("dim_planes")
    b.build("facts")
    assert pointed(b) == [
        (1, "A", 2, D1, False),
        (2, "A", 3, D2, False),
        (3, "A", 3, D2, False),
        (4, "B", None, None, True),
    ]


@pytest.mark.long(little=True)
def test_a_dimension_that_was_dropped_is_waited_for_until_it_is_built_again(bench):
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES)])
    b.log("planes", [plane("A", 2, D1)])
    b.log("flights", [flight(1, D1, "A")])
    b.build("dim_planes")
    b.build("facts")
    b.lake.spark.sql(f"DROP TABLE {b.lake.table('mart', 'dim_planes')}")
    b.log("flights", [flight(2, D2, "A")])
    with pytest.raises(SourceMissingError, match="facts: dim_planes was read before and is gone"):
        b.build("facts")
    b.build("dim_planes", rebuild=True)
    b.build("facts")
    assert pointed(b) == [(1, "A", 2, D1, False), (2, "A", 2, D1, False)]


@pytest.mark.long(little=True)
def test_a_dimension_without_versions_is_looked_up_by_key_and_keeps_deleted_members(bench):
    lookup = DimensionLookup("dim_airports", {"origin": "faa"})
    b = bench([FLIGHTS, AIRPORTS], [DIM_AIRPORTS, facts(lookup)])
    b.log("airports", [("JFK", "Kennedy", D1, "I", D1), ("JFK", None, None, "D", D2)])
    b.log("flights", [flight(1, D3, "A", "JFK"), flight(2, D3, "A", "EWR")])
    b.build("dim_airports")
    b.build("facts")
    members = {row[0]: row[1:] for row in b.rows("dim_airports", "dim_airports_key", "faa", "name", "is_deleted")}
    assert [(no, *members[key]) for no, key in b.rows("facts", "no", "dim_airports_key")] == [
        (1, "JFK", "Kennedy", True),
        (2, "EWR", None, False),
    ]


def test_only_the_groups_that_changed_are_recomputed_and_marts_on_facts_follow(bench):
    b = bench([FLIGHTS], [facts(), DAYS])
    b.log("flights", [flight(1, D1, "A"), flight(2, D2, "A"), flight(3, None, "A")])
    b.build("facts")
    b.build("days")
    assert b.rows("days") == [(None, 1), (D1, 1), (D2, 1)]
    b.log("flights", add=[flight(4, D2, "A", miles=5), flight(5, None, "B")], remove=[flight(1, D1, "A")])
    facts_run, days_run = b.build("facts").counts, b.build("days").counts
    assert (facts_run.inserted, facts_run.updated, facts_run.deleted) == (2, 0, 1)
    assert (days_run.inserted, days_run.updated, days_run.deleted) == (0, 2, 1)
    assert b.rows("days") == [(None, 2), (D2, 6)]
    assert (b.build("days", rebuild=True).status, b.build("facts", rebuild=True).status) == ("unchanged",) * 2


@pytest.mark.long
def test_another_tables_change_recomputes_the_whole_and_names_stand_for_current_rows(bench):
    seats = mart(
        "seats",
        "sql",
        "flights",
        sql="SELECT no, day, seats FROM flights JOIN planes USING (tail)",
        incremental_by=("day",),
        reads=("flights", "planes"),
    )
    b = bench([FLIGHTS, PLANES], [seats])
    b.log("flights", [flight(1, D1, "A"), flight(2, D1, "A"), flight(3, D2, "B")])
    assert b.build("seats").total == 0
    b.log("planes", [plane("A", 1, D1), plane("B", 1, D1), plane("A", 2, D2)])
    b.build("seats")
    assert b.rows("seats") == [(1, D1, 2), (2, D1, 2), (3, D2, 1)]
    b.log("planes", [("B", None, None, "D", D3)])
    assert b.build("seats").counts.deleted == 1


@pytest.mark.long(little=True)
def test_a_keyed_driving_table_is_recomputed_by_groups_only_within_its_key(bench):
    by_seats = mart(
        "by_seats",
        "sql",
        "planes",
        sql="SELECT seats, count(*) AS planes FROM planes GROUP BY seats",
        incremental_by=("seats",),
    )
    b = bench([PLANES], [by_seats])
    b.log("planes", [plane("A", 1, D1), plane("B", 1, D1)])
    b.build("by_seats")
    b.log("planes", [plane("A", 2, D2)])
    b.build("by_seats")
    assert b.rows("by_seats") == [(1, 1), (2, 1)]


def test_two_rows_of_one_key_are_refused_by_name(bench):
    b = bench([FLIGHTS], [facts()])
    b.log("flights", [flight(1, D1, "A"), flight(1, D1, "B")])
    with pytest.raises(DuplicateKeyError) as refused:
        b.build("facts")
    assert str(refused.value) == (
        "facts: several rows have the key no=1. "
        "Name more columns as its key, or let its SELECT return one row for each, and deploy it"
    )
    assert b.rows("facts") == []


@pytest.mark.long(little=True)
def test_two_rows_of_one_key_are_refused_although_they_are_in_different_groups(bench):
    b = bench([FLIGHTS], [dataclasses.replace(facts(), incremental_by=("day",))])
    b.log("flights", [flight(1, D1, "A"), flight(2, D1, "A")])
    b.build("facts")
    b.log("flights", [flight(1, D2, "A")])
    with pytest.raises(DuplicateKeyError, match="facts: several rows have the key no=1"):
        b.build("facts")
    b.log("flights", remove=[flight(1, D1, "A")])
    b.build("facts")
    assert b.rows("facts", "no", "day") == [(1, D2), (2, D1)]


@pytest.mark.long(little=True)
def test_columns_that_no_table_can_take_are_refused_with_a_way_out(bench):
    def totals(columns):
        return mart("totals", "sql", "flights", sql=f"SELECT no, {columns} FROM flights", key=("no",))

    b = bench([FLIGHTS], [totals("miles")])
    b.log("flights", [flight(1, D1, "A")])
    b.build("totals")
    for columns, message in {
        "NULL AS why": r"column why is NULL without a type: write CAST\(NULL AS string\), say",
        "array(named_struct('a', NULL)) AS why": "column why is NULL without a type",
        "named_struct('a', day - day) AS gap": r"column gap is struct<a:interval day>, which no table holds: return a",
    }.items():
        b.plan = plan([FLIGHTS], [totals(columns)])
        with pytest.raises(MartSchemaError, match=message):
            b.build("totals")
        assert b.rows("totals") == [(1, 1)]
    b.plan = plan(
        [FLIGHTS], [totals("CAST(miles AS bigint) AS miles, tail AS `the tail`, struct(no AS void) AS avoided")]
    )
    b.build("totals")
    assert b.rows("totals") == [(1, 1, "A", (1,))]


def test_built_rows_say_who_built_them_and_when(bench):
    b = bench([FLIGHTS], [facts()])
    b.log("flights", [flight(1, D1, "A")])
    b.build("facts", now=datetime(2024, 6, 1, 12, tzinfo=UTC))
    assert b.rows("facts", "no", "_batch_id", "_built_at") == [(1, "batch-0", datetime(2024, 6, 1, 12))]
