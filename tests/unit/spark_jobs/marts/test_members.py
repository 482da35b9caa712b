"""Members of dimensions that facts need and nobody has sent: inferred, replaced by the real row, swept."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext

import pytest

from contracts.model import DimensionLookup
from spark_jobs.layers.lake import Branch
from spark_jobs.layers.marts.members import MissingMemberError
from tests.unit.spark_jobs.marts.bench import mart, plan, table
from tests.unit.spark_jobs.marts.flights import (
    BY_DAY,
    D1,
    D2,
    DIM_PLANES,
    FLIGHTS,
    PLANES,
    TO_PLANES,
    facts,
    flight,
    plane,
    pointed,
)

OTHERS = mart(
    "others",
    "fact",
    "flights",
    sql="SELECT no, day, tail FROM flights WHERE no < 2",
    dimensions=(DimensionLookup("dim_planes", {"tail": "tail"}),),
    reads=("flights", "dim_planes"),
)
SEATS = mart("seats", "sql", "dim_planes", sql="SELECT tail, seats, is_inferred FROM dim_planes", key=("tail",))
FLOWN = mart(
    "flown",
    "sql",
    "facts",
    sql="SELECT no, seats FROM facts LEFT JOIN dim_planes USING (dim_planes_key)",
    key=("no",),
    reads=("facts", "dim_planes"),
)


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
