"""Facts and free SQL: groups, lookups as of the fact's time, members that are inferred and replaced."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from datetime import UTC, date, datetime

import pytest

from contracts.model import DimensionLookup, EffectiveAt
from spark_jobs.layers.lake import Branch
from spark_jobs.layers.marts.attempt import SourceMissingError
from spark_jobs.layers.marts.diff import DuplicateKeyError
from spark_jobs.layers.marts.members import MissingMemberError
from spark_jobs.layers.marts.tables import MartSchemaError
from tests.unit.spark_jobs.marts.bench import mart, plan, table

D1, D2, D3 = (date(2024, 1, day) for day in range(1, 4))
BY_DAY = EffectiveAt(column="since")
FLIGHTS = table("flights", "no int, day date, tail string, origin string, miles int", load="append")
PLANES = table("planes", "tail string, seats int, since date", load="changes", key=("tail",), effective_at=BY_DAY)
AIRPORTS = table("airports", "faa string, name string, since date", key=("faa",), effective_at=BY_DAY)
DIM_PLANES = mart("dim_planes", "scd2", "planes", track=("seats",))
DIM_AIRPORTS = mart("dim_airports", "dimension", "airports")
TO_PLANES = DimensionLookup("dim_planes", {"tail": "tail"}, as_of="day")
DAYS = mart(
    "days",
    "sql",
    "facts",
    sql="SELECT day, sum(miles) AS miles FROM facts GROUP BY day;",
    key=("day",),
    incremental_by=("day",),
)
LANDED = datetime(2024, 2, 1)


def facts(*dimensions, **more):
    return mart(
        "facts",
        "fact",
        "flights",
        sql="SELECT no, day, tail, origin, miles FROM flights",
        key=("no",),
        incremental_by=("day",),
        dimensions=dimensions,
        reads=("flights", *dict.fromkeys(lookup.dimension for lookup in dimensions)),
        **more,
    )


def flight(no, day, tail, origin="JFK", miles=1):
    return (no, day, tail, origin, miles, "I", LANDED)


def plane(tail, seats, since):
    return (tail, seats, since, "U", since)


def pointed(b):
    """Return fact number, and tail, seats, valid_from, is_inferred of the member it points to."""
    lake = b.lake
    found = lake.spark.sql(
        f"SELECT no, d.tail, d.seats, d.valid_from, d.is_inferred FROM {lake.table('mart', 'facts')} f "
        f"LEFT JOIN {lake.table('mart', 'dim_planes')} d USING (dim_planes_key)"
    )
    return sorted((tuple(row) for row in found.collect()), key=repr)


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


def test_unknown_and_inferred_members_are_written_and_replaced_when_the_real_row_arrives(bench):
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES)])
    b.log("flights", [flight(1, D1, "A"), flight(2, D2, "A"), flight(3, D2, "B"), flight(4, D2, None)])
    b.build("dim_planes")
    assert b.build("facts").counts.inserted == 4
    assert pointed(b) == [
        (1, "A", None, None, True),
        (2, "A", None, None, True),
        (3, "B", None, None, True),
        (4, None, None, None, True),
    ]
    state = ("tail", "is_current", "is_inferred")
    assert b.rows("dim_planes", *state) == [("A", True, True), ("B", True, True), (None, None, True)]
    assert (b.build("facts").status, b.build("dim_planes", rebuild=True).status) == ("unchanged", "unchanged")

    b.log("planes", [plane("A", 2, D1)])
    b.build("dim_planes")
    counts = b.build("facts").counts
    assert (counts.inserted, counts.updated, counts.deleted) == (0, 2, 0)
    assert pointed(b)[:2] == [(1, "A", 2, D1, False), (2, "A", 2, D1, False)]
    assert b.rows("dim_planes", *state) == [("A", True, False), ("B", True, True), (None, None, True)]

    snapshots = (b.data_snapshots("facts"), b.data_snapshots("dim_planes"))
    assert b.build("facts").status == "unchanged"
    assert b.build("facts", rebuild=True).status == "unchanged"
    assert (b.data_snapshots("facts"), b.data_snapshots("dim_planes")) == snapshots


@pytest.mark.long(little=True)
def test_members_of_a_dimension_that_becomes_one_of_another_kind_are_members_of_that_kind(bench):
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES)])
    b.log("planes", [plane("A", 2, D1)])
    b.log("flights", [flight(1, D1, "A"), flight(2, D2, "B"), flight(3, D2, None)])
    b.build("dim_planes")
    b.build("facts")
    whole = mart("dim_planes", "dimension", "planes")
    b.plan = plan([FLIGHTS, PLANES], [whole, facts(DimensionLookup("dim_planes", {"tail": "tail"}))])
    b.build("dim_planes")
    b.build("facts")
    state = ("tail", "is_deleted", "is_inferred")
    assert b.rows("dim_planes", *state) == [("A", False, False), ("B", False, True), (None, None, True)]
    b.plan = plan([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES)])
    b.build("dim_planes")
    b.build("facts")
    state = ("tail", "is_current", "is_inferred")
    assert b.rows("dim_planes", *state) == [("A", True, False), ("B", True, True), (None, None, True)]
    assert pointed(b) == [(1, "A", 2, D1, False), (2, "B", None, None, True), (3, None, None, None, True)]
    assert b.build("facts", rebuild=True).status == "unchanged"


@pytest.mark.long(little=True)
def test_a_rebuild_sweeps_the_members_of_facts_that_look_the_dimension_up_no_more(bench):
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES), OTHERS])
    b.log("planes", [plane("A", 2, D1)])
    b.log("flights", [flight(1, D1, "C"), flight(2, D2, "B"), flight(3, D2, None), flight(4, D2, "A")])
    for name in ("dim_planes", "facts", "others"):
        b.build(name)
    b.plan.marts["facts"] = facts()
    b.build("facts")
    assert b.build("dim_planes", rebuild=True).total == 2
    state = ("tail", "is_current", "is_inferred")
    assert b.rows("dim_planes", *state) == [("A", True, False), ("C", True, True)]
    assert [b.build(name, rebuild=True).status for name in ("dim_planes", "others")] == ["unchanged", "unchanged"]


@pytest.mark.long(little=True)
def test_a_member_that_corrected_facts_no_longer_need_is_swept(bench):
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES)])
    b.log("flights", [flight(1, D1, "A"), flight(2, D1, None)])
    b.build("facts")
    assert len(b.rows("dim_planes")) == 2
    b.log("flights", add=[flight(3, D1, "B")], remove=[flight(1, D1, "A"), flight(2, D1, None)])
    b.build("facts")
    assert b.rows("dim_planes", "tail", "is_inferred") == [("B", True)]
    assert pointed(b) == [(3, "B", None, None, True)]
    assert b.build("facts").status == "unchanged"


@pytest.mark.long(little=True)
def test_a_fact_that_was_not_built_since_it_has_a_lookup_keeps_no_other_from_sweeping(bench):
    other = mart("others", "fact", "flights", sql="SELECT no, day, tail FROM flights", key=("no",))
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES), other])
    b.log("flights", [flight(1, D1, "A")])
    b.build("facts")
    b.build("others")
    b.plan.marts["others"] = dataclasses.replace(other, dimensions=(TO_PLANES,), reads=("flights", "dim_planes"))
    b.log("planes", [plane("A", 2, D1)])
    b.build("dim_planes")
    assert b.build("facts").counts.updated == 1
    assert pointed(b) == [(1, "A", 2, D1, False)]


@pytest.mark.long(little=True)
def test_a_member_is_inferred_under_the_contracts_type_of_its_key_before_its_dimension_has_it(bench):
    def planes(kind):
        ddl = f"tail {kind}, seats int, since date"
        return table("planes", ddl, load="changes", key=("tail",), effective_at=BY_DAY)

    numbered = table("flights", "no int, day date, tail bigint, origin string, miles int", load="append")
    b = bench([numbered, planes("int")], [DIM_PLANES, facts(TO_PLANES)])
    b.log("planes", [plane(1, 2, D1)])
    b.log("flights", [flight(1, D1, 1), flight(2, D1, 5)])
    b.build("dim_planes")
    b.build("facts")
    b.plan.tables["planes"] = planes("bigint")
    b.log("flights", [flight(3, D1, 7)])
    expected = [(1, 1, 2, D1, False), (2, 5, None, None, True), (3, 7, None, None, True)]
    b.build("facts")
    assert pointed(b) == expected
    b.build("dim_planes")
    b.build("facts")
    assert pointed(b) == expected
    assert b.rows("dim_planes", "tail", "is_inferred") == [(1, False), (5, True), (7, True)]


OTHERS = mart(
    "others",
    "fact",
    "flights",
    sql="SELECT no, day, tail FROM flights WHERE no < 2",
    dimensions=(DimensionLookup("dim_planes", {"tail": "tail"}),),
    reads=("flights", "dim_planes"),
)


@pytest.mark.long(little=True)
def test_a_member_of_another_fact_is_not_swept(bench):
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES), OTHERS])
    b.log("flights", [flight(1, D1, "A")])
    b.build("facts")
    b.build("others")
    b.log("flights", remove=[flight(1, D1, "A")])
    b.build("facts")
    assert b.rows("dim_planes", "tail") == [("A",)]
    b.build("others")
    assert b.rows("dim_planes", "tail") == []


@pytest.mark.long(little=True)
@pytest.mark.parametrize("dies", [False, True])
def test_a_member_that_another_fact_takes_up_while_it_is_swept_is_there_in_the_end(bench, monkeypatch, dies):
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES), OTHERS])
    b.log("flights", [flight(2, D1, "A"), flight(3, D1, None)])
    b.build("facts")
    b.log("flights", remove=[flight(2, D1, "A"), flight(3, D1, None)])
    publish = Branch.publish

    def overtaken(branch):
        if branch.table.endswith(".dim_planes"):
            monkeypatch.setattr(Branch, "publish", publish)
            b.log("flights", [flight(0, D1, None), flight(1, D1, "A")])
            b.build("others")
            return publish(branch) / (not dies)
        return publish(branch)

    monkeypatch.setattr(Branch, "publish", overtaken)
    with pytest.raises(ZeroDivisionError) if dies else nullcontext():
        b.build("facts")
    if dies:
        assert b.rows("dim_planes") == []
        b.build("facts")
    assert b.rows("dim_planes", "tail", "is_inferred") == [("A", True), (None, True)]
    assert b.build("others").status == "unchanged"


@pytest.mark.long
def test_missing_members_are_unknown_or_refused_as_the_contract_says(bench):
    unknown = facts(DimensionLookup("dim_planes", {"tail": "tail"}, "day", "unknown"))
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, unknown])
    b.log("flights", [flight(1, D1, "A"), flight(2, D1, None)])
    b.build("facts")
    assert b.rows("facts", "no", "dim_planes_key") == [(1, -1), (2, -1)]
    assert b.rows("dim_planes", "tail", "dim_planes_key") == [(None, -1)]

    b.plan.marts["facts"] = facts(DimensionLookup("dim_planes", {"tail": "tail"}, "day", "fail"))
    with pytest.raises(MissingMemberError, match="facts: dim_planes has no member for tail=A"):
        b.build("facts")
    assert b.rows("facts", "no", "dim_planes_key") == [(1, -1), (2, -1)]


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


SEATS = mart("seats", "sql", "dim_planes", sql="SELECT tail, seats, is_inferred FROM dim_planes", key=("tail",))
FLOWN = mart(
    "flown",
    "sql",
    "facts",
    sql="SELECT no, seats FROM facts LEFT JOIN dim_planes USING (dim_planes_key)",
    key=("no",),
    reads=("facts", "dim_planes"),
)


@pytest.mark.long(little=True)
@pytest.mark.parametrize("order", [("facts", "seats"), ("seats", "facts")], ids=["facts", "seats"])
def test_sql_sees_real_members_only_whichever_mart_is_built_first(bench, order):
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES), SEATS, FLOWN])
    b.log("planes", [plane("A", 2, D1)])
    b.log("flights", [flight(1, D1, "A"), flight(2, D1, "B"), flight(3, D1, None)])
    for name in ("dim_planes", *order, "flown"):
        b.build(name)
    assert (b.rows("seats"), b.rows("flown")) == ([("A", 2, False)], [(1, 2), (2, None), (3, None)])
    b.log("flights", [flight(4, D1, "C")])
    for name in (*order, "seats", "flown"):
        b.build(name)
    assert (b.rows("seats"), b.rows("flown")) == ([("A", 2, False)], [(1, 2), (2, None), (3, None), (4, None)])
    assert [b.build(name, rebuild=True).status for name in ("seats", "flown")] == ["unchanged"] * 2


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
def test_a_dimension_that_is_built_anew_under_another_type_keeps_its_inferred_members(bench):
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES)])
    b.log("planes", [plane("A", 2, D1)])
    b.log("flights", [flight(1, D1, "A"), flight(2, D1, "B"), flight(3, D1, None)])
    b.build("dim_planes")
    b.build("facts")
    b.lake.spark.sql(f"DROP TABLE {b.lake.table('staging', 'planes')}")
    planes = table(
        "planes", "tail string, seats string, since date", load="changes", key=("tail",), effective_at=BY_DAY
    )
    b.plan = plan([FLIGHTS, planes], [DIM_PLANES, facts(TO_PLANES)])
    b.log("planes", [plane("A", "two", D1)])
    b.build("dim_planes")
    members = [(1, "A", "two", D1, False), (2, "B", None, None, True), (3, None, None, None, True)]
    assert pointed(b) == members
    b.build("facts")
    assert pointed(b) == members


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


@pytest.mark.long(little=True)
def test_members_are_written_although_another_run_publishes_the_dimension_meanwhile(bench, monkeypatch):
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES)])
    b.log("planes", [plane("B", 1, D1)])
    b.log("flights", [flight(1, D1, "A"), flight(2, D1, "B")])
    publish, others = Branch.publish, [lambda: b.build("dim_planes")]

    def overtaken(branch):
        if others:
            others.pop()()
        return publish(branch)

    monkeypatch.setattr(Branch, "publish", overtaken)
    b.build("facts")
    monkeypatch.setattr(Branch, "publish", publish)
    b.build("facts")
    assert pointed(b) == [(1, "A", None, None, True), (2, "B", 1, D1, False)]
    assert b.rows("dim_planes", "tail", "is_inferred") == [("A", True), ("B", False)]


@pytest.mark.long(little=True)
def test_a_run_that_died_before_its_sweep_is_made_good_by_the_next(bench, monkeypatch):
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES)])
    b.log("flights", [flight(1, D1, "A")])
    b.build("facts")
    b.log("flights", remove=[flight(1, D1, "A")])
    with monkeypatch.context() as patch:
        patch.setattr("spark_jobs.layers.marts.members.sweep", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            b.build("facts")
    assert len(b.rows("dim_planes")) == 1
    assert b.build("facts").status == "unchanged"
    assert b.rows("dim_planes") == []


@pytest.mark.long(little=True)
def test_a_dimension_that_died_before_it_swept_its_own_members_is_made_good_by_the_next_run(bench, monkeypatch):
    b = bench([FLIGHTS, PLANES], [DIM_PLANES, facts(TO_PLANES)])
    b.log("planes", [plane("A", 2, D1)])
    b.log("flights", [flight(1, D1, "B")])
    b.build("dim_planes")
    b.build("facts")
    b.plan.marts["facts"] = facts()
    b.build("facts")
    with monkeypatch.context() as patch:
        patch.setattr("spark_jobs.layers.marts.members.sweep", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            b.build("dim_planes", rebuild=True)
    assert b.rows("dim_planes", "tail") == [("A",), ("B",)]
    assert b.build("dim_planes").status == "unchanged"
    assert b.rows("dim_planes", "tail") == [("A",)]
    seals = b.data_snapshots("dim_planes")
    assert b.build("dim_planes").status == "unchanged"
    assert b.data_snapshots("dim_planes") == seals


def test_built_rows_say_who_built_them_and_when(bench):
    b = bench([FLIGHTS], [facts()])
    b.log("flights", [flight(1, D1, "A")])
    b.build("facts", now=datetime(2024, 6, 1, 12, tzinfo=UTC))
    assert b.rows("facts", "no", "_batch_id", "_built_at") == [(1, "batch-0", datetime(2024, 6, 1, 12))]
