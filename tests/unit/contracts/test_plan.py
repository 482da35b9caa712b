"""The compiled plan: what it holds, how it travels, where files go and in which order marts are built."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.compile import ContractError, compile_plan
from contracts.model import (
    Capacity,
    Check,
    Column,
    DimensionLookup,
    EffectiveAt,
    Extract,
    Limits,
    Mart,
    Parts,
    Plan,
    Source,
    Table,
)

NYCFLIGHTS = Path(__file__).parents[3] / "contracts" / "nycflights"
FULL = """\
table: customers
description: Customers.
source:
  prefix: crm/customers/
  format: csv
  compression: gzip
  options: {delimiter: ";", header: false, null_value: [N/A, "-"]}
load: changes
key: [customer_id]
effective_at: {column: updated_at}
tie_break: [lsn]
delete_when: op = 'D'
on_bad_key: fail
on_failed_file: hold
schema:
  columns:
    - {name: customer_id, type: LONG, required: true}
    - {name: name, type: string, from: FULL_NAME, expr: trim(FULL_NAME)}
    - {name: balance, type: "numeric(12, 2)"}
    - {name: updated_at, type: timestamp, format: "yyyy-MM-dd HH:mm"}
    - {name: lsn, type: bigint}
  unstored: [op]
  extra_columns: ignore
  missing_columns: null
checks:
  - {name: sane, rule: balance > -1e6, on_fail: warn}
limits: {max_rejected: 1%, max_deleted: 5, min_rows: 1}
partition_by: ["bucket(4, customer_id)"]
freshness: 26h
capacity: {worker_type: G.2X, workers: 4, timeout_minutes: 30, flex: true}
"""
CUSTOMERS = Table(
    name="customers",
    description="Customers.",
    load="changes",
    source=Source("crm/customers/", "csv", "gzip", {"delimiter": ";", "header": False, "null_value": ["N/A", "-"]}),
    columns=(
        Column("customer_id", "bigint", required=True, reads=("customer_id",)),
        Column("name", "string", "FULL_NAME", "trim(FULL_NAME)", reads=("FULL_NAME",)),
        Column("balance", "decimal(12,2)", reads=("balance",)),
        Column("updated_at", "timestamp", format="yyyy-MM-dd HH:mm", reads=("updated_at",)),
        Column("lsn", "bigint", reads=("lsn",)),
    ),
    key=("customer_id",),
    effective_at=EffectiveAt(column="updated_at"),
    tie_break=("lsn",),
    delete_when="op = 'D'",
    on_bad_key="fail",
    on_failed_file="hold",
    unstored=("op",),
    extra_columns="ignore",
    missing_columns="null",
    checks=(Check("sane", "balance > -1e6", "warn"),),
    limits=Limits(max_rejected=0.01, max_deleted=5, min_rows=1),
    partition_by=("bucket(4, customer_id)",),
    freshness="26h",
    capacity=Capacity("G.2X", 4, 30, True),
)
DIM = "mart: dim_customers\nkind: scd2\nsource: customers\ncapacity: {workers: 3}\n"
FACT = (
    "mart: fct\nkind: fact\nsql: fct.sql\nkey: [customer_id]\npartition_by: [name]\n"
    "dimensions:\n  - {dimension: dim_customers, name: who, on: {customer_id: customer_id}, as_of: updated_at}\n"
)


@pytest.fixture
def shop(write) -> Path:
    return write(
        {
            "tables/customers.yaml": FULL,
            "marts/dim_customers.yaml": DIM,
            "marts/fct.yaml": FACT,
            "marts/fct.sql": "SELECT customer_id, name, updated_at FROM customers;\n",
        }
    )


def test_every_word_of_a_table_reaches_the_plan(shop):
    assert compile_plan(shop).tables["customers"] == CUSTOMERS


def test_what_marts_derive_reaches_the_plan(shop):
    assert compile_plan(shop).marts == {
        "dim_customers": Mart(
            "dim_customers",
            "scd2",
            "customers",
            reads=("customers",),
            key=("customer_id",),
            track=("name", "balance"),
            capacity=Capacity(workers=3),
        ),
        "fct": Mart(
            "fct",
            "fact",
            "customers",
            reads=("customers", "dim_customers"),
            key=("customer_id",),
            sql="SELECT customer_id, name, updated_at FROM customers",
            incremental_by=("customer_id",),
            dimensions=(
                DimensionLookup("dim_customers", {"customer_id": "customer_id"}, "updated_at", "infer", "who"),
            ),
            partition_by=("name",),
        ),
    }


def test_a_plan_survives_its_way_as_json(shop):
    plan = compile_plan(shop)
    assert Plan.from_json(plan.to_json()) == plan
    assert Plan.from_json(plan.to_json()).to_json() == plan.to_json()


def test_a_plan_of_another_version_is_refused(shop):
    raw = json.loads(compile_plan(shop).to_json())
    with pytest.raises(ValueError, match="^plan version 99 is not 1: compile the contracts again$"):
        Plan.from_json(json.dumps({**raw, "version": 99}))


def test_a_file_with_mistakes_makes_no_plan(write):
    with pytest.raises(ContractError, match="^shop/tables/a.yaml:1: .file.: lacks load, schema$") as raised:
        compile_plan(write({"tables/a.yaml": "table: a\n"}))
    assert [(m.file, m.line, m.field) for m in raised.value.mistakes] == [("shop/tables/a.yaml", 1, "(file)")]


def test_the_columns_that_a_file_must_hold(shop):
    assert compile_plan(shop).tables["customers"].source_names == (
        "customer_id",
        "FULL_NAME",
        "balance",
        "updated_at",
        "lsn",
        "op",
    )


def table(name: str, prefix: str) -> Table:
    return Table(name, "append", Source(prefix), ())


def mart(name: str, *reads: str) -> Mart:
    return Mart(name, "sql", reads[0], reads)


def test_the_longest_prefix_wins():
    tables = {"a": table("a", "crm/"), "b": table("b", "crm/orders/"), "c": table("c", "crm/orders_old/")}
    plan = Plan("shop", tables, {})
    keys = ("crm/orders/x.csv", "crm/orders_old/x.csv", "crm/x.csv", "crm/orders", "CRM/x.csv", "x/crm/x.csv")
    routes = [plan.route(key) for key in keys]
    assert [found.name if found else None for found in routes] == ["b", "c", "a", "a", None, None]


def test_a_table_without_a_prefix_takes_no_files_and_only_a_marker_is_expected():
    marked = replace(table("m", "m/"), source=Source("m/", parts=Parts(marker="_SUCCESS$")))
    plan = Plan("shop", {"a": table("a", ""), "b": table("b", "b/"), "m": marked}, {})
    assert plan.route("x.csv") is None
    keys = ("m/_SUCCESS", "m/part-0.csv", "b/_SUCCESS", "_SUCCESS")
    assert [plan.expects(key) for key in keys] == [True, False, False, False]


def test_equal_contracts_make_equal_plans_whatever_their_order():
    tables, marts = [table("é", "a/"), table("b", "b/")], [mart("x", "b"), mart("y", "b")]
    one = Plan("shop", {t.name: t for t in tables}, {m.name: m for m in marts})
    other = Plan("shop", {t.name: t for t in reversed(tables)}, {m.name: m for m in reversed(marts)})
    assert one.to_json() == other.to_json()


def test_only_tables_that_say_so_are_crawled_or_extracted():
    extract = Extract("ops", "T")
    tables = {"a": table("a", "a/"), "c": replace(table("c", "c/"), crawled=True)}
    plan = Plan("shop", tables | {"b": Table("b", "append", Source("b/", extract=extract), ())}, {})
    assert (plan.crawls, plan.extracts) == (("c",), {"b": extract})


def test_what_orders_the_changes_of_a_table():
    at = Column("at", "date")
    by_event = replace(table("t", "t/"), columns=(at,), tie_break=("lsn", "at"))
    by_column = replace(by_event, effective_at=EffectiveAt(column="at"))
    assert [(t.sequence_columns, t.effective_type) for t in (by_event, by_column)] == [
        (("lsn", "at"), "timestamp"),
        (("at", "lsn"), "date"),
    ]
    feed = replace(by_event, source=Source(preset="dms"))
    assert [t.in_source_order for t in (by_event, feed, replace(feed, tie_break=()))] == [False, False, True]
    assert not table("t", "t/").in_source_order


def test_the_columns_of_a_file_that_a_column_is_made_of():
    made = [
        Column("a", "int"),
        Column("a", "int", source="B"),
        Column("a", "int", expr="x + y", reads=("x", "y")),
        Column("a", "int", expr="1"),
        Column("a", "int", source="B", reads=("after.B", "before.B")),
    ]
    assert [column.sources for column in made] == [("a",), ("B",), ("x", "y"), (), ("after.B", "before.B")]


def test_a_worker_s_units_are_those_that_glue_bills():
    kinds = ("G.1X", "G.2X", "G.4X", "G.8X")
    assert [Capacity(worker_type=kind, workers=3).dpus for kind in kinds] == [3, 6, 12, 24]
    assert Capacity() == Capacity("G.1X", 2, 60, flex=False)


def test_a_wave_reads_only_what_is_older():
    marts = [mart("e", "d", "c"), mart("d", "b", "other"), mart("b", "t"), mart("c", "t"), mart("x", "other")]
    plan = Plan("shop", {"t": table("t", "t/"), "other": table("other", "o/")}, {m.name: m for m in marts})
    assert plan.waves("t") == (("b", "c"), ("d",), ("e",))
    assert plan.waves("other") == (("d", "x"), ("e",))
    assert (plan.upstream_marts("e"), plan.upstream_marts("d")) == (("c", "d"), ("b",))
    assert plan.downstream("t") == {"b", "c", "d", "e"}
    assert plan.downstream("t", among={"c", "e", "x"}) == {"c", "e"}
    assert plan.downstream("b", among={"e", "x"}) == frozenset()


def test_marts_in_a_circle_have_no_waves():
    marts = {m.name: m for m in (mart("a", "t", "b"), mart("b", "a"))}
    with pytest.raises(ValueError, match="^marts form a cycle: a, b$"):
        Plan("shop", {"t": table("t", "t/")}, marts).waves("t")


def test_the_demo_pipeline_compiles():
    plan = compile_plan(NYCFLIGHTS)
    assert sorted(plan.tables) == ["airlines", "airports", "flights", "planes", "planes_register", "weather"]
    assert {table: plan.waves(table) for table in plan.tables} == {
        "airlines": (("dim_airlines",), ("fct_flights",), ("daily_delays",)),
        "airports": (("dim_airports",), ("fct_flights",), ("daily_delays",)),
        "flights": (("fct_flights",), ("daily_delays",)),
        "planes": (("dim_planes", "latest_planes", "planes_history"), ("fct_flights",), ("daily_delays",)),
        "planes_register": (),
        "weather": (),
    }
    assert {name: mart.incremental_by for name, mart in plan.marts.items() if mart.sql} == {
        "daily_delays": ("flight_date", "origin"),
        "fct_flights": ("time_hour", "carrier", "flight"),
    }
    assert Plan.from_json(plan.to_json()) == plan
