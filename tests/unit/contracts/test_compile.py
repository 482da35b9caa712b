"""A pipeline's files together: which are read, and what a wrong one leaves to be said of the others."""

from __future__ import annotations

import pytest

from contracts.compile import check, compile_plan
from tests.unit.contracts.conftest import ORDERS

OPS = "connection: ops\nurl: jdbc:postgresql://db/ops\nsecret: landfall/ops\n"
EXTRACTED = ORDERS.replace("load", "source: {connection: ops, table: O}\nload")
LATEST = "mart: {}\nkind: latest\nsource: orders\n"
QUERY = "mart: {}\nkind: sql\nsql: {}.sql\nkey: [id]\n"


def told(folder) -> list[str]:
    return [str(mistake).removeprefix("shop/") for mistake in check(folder)]


def test_both_endings_of_yaml_are_read(write):
    files = {
        "connections/ops.yml": OPS,
        "connections/other.yaml": OPS.replace("connection: ops", "connection: other"),
        "tables/orders.yml": EXTRACTED,
        "tables/events.yaml": ORDERS.replace("orders", "events"),
        "marts/latest.yml": LATEST.format("latest"),
        "marts/newest.yaml": LATEST.format("newest"),
    }
    plan = compile_plan(write(files))
    assert (list(plan.connections), list(plan.tables), list(plan.marts)) == (
        ["ops", "other"],
        ["events", "orders"],
        ["latest", "newest"],
    )


def test_a_connection_that_its_schema_refuses_is_known_to_its_tables(write):
    files = {"connections/ops.yaml": OPS + "pasword: x\n", "tables/orders.yaml": EXTRACTED}
    [mistake] = told(write(files))
    assert mistake.startswith("connections/ops.yaml:4: pasword: is no field here; allowed: ")


def test_a_connection_that_is_no_yaml_is_told(write):
    files = {"connections/ops.yaml": OPS + "- x\n", "tables/orders.yaml": EXTRACTED}
    assert "connections/ops.yaml:4: (file): is no YAML: expected <block end>, but found '-'" in told(write(files))


def test_a_mart_that_is_refused_is_missed_by_none_that_reads_it(write):
    files = {
        "tables/orders.yaml": ORDERS,
        "marts/wrong.yaml": "mart: wrong\nkind: latest\n",
        "marts/refused.yaml": "mart: refused\nsource: orders\n",
        "marts/reads_it.yaml": QUERY.format("reads_it", "reads_it"),
        "marts/reads_it.sql": "SELECT id, x FROM refused",
        "marts/other.yaml": "mart: other\nkind: scd2\nsource: orders\ntrack: [notes]\n",
        "marts/last.yaml": QUERY.format("last", "last").replace("[id]", "[it]"),
        "marts/last.sql": "SELECT id FROM other",
    }
    assert told(write(files)) == [
        "marts/last.yaml:4: key[0]: no such column: 'it' is not one of id",
        "marts/other.yaml:4: track[0]: no such column: 'notes' is not one of at, id, note (did you mean note?)",
        "marts/refused.yaml:1: (file): lacks kind",
        "marts/wrong.yaml:1: (file): lacks source: a latest mart is built from one table",
    ]


def test_marts_that_read_themselves_are_told_and_those_that_only_read_them_are_not(write):
    reads = {"a": "b", "b": "c", "c": "b"}
    files = {f"marts/{name}.yaml": QUERY.format(name, name) for name in reads}
    files |= {f"marts/{name}.sql": f"SELECT id FROM {read}" for name, read in reads.items()}
    assert told(write({"tables/orders.yaml": ORDERS, **files})) == [
        "marts/b.yaml:1: mart: reads itself: b <- c <- b",
        "marts/c.yaml:1: mart: reads itself: c <- b <- c",
    ]


def test_what_a_deployment_would_refuse_of_marts_is_told_before(write):
    files = {f"marts/{name}.yaml": LATEST.format(name) for name in ("new_orders", "neworders", "new__orders")}
    assert told(write({"tables/orders.yaml": ORDERS, **files})) == [
        "marts/new_orders.yaml:1: mart: new_orders is too like new__orders: their resources would have one name"
    ]


@pytest.mark.parametrize("freshness", ["4m", "8d", "169h"])
def test_what_a_deployment_would_refuse_of_tables_is_told_before(write, freshness):
    late = ORDERS.replace("load", f"freshness: {freshness}\nload")
    window = "must lie between 5m and 7d, which is what CloudWatch looks back to"
    assert told(write({"tables/orders.yaml": late})) == [f"tables/orders.yaml:2: freshness: '{freshness}' {window}"]
    slow = ORDERS.replace("load", "capacity: {timeout_minutes: 1441}\nload")
    assert told(write({"tables/orders.yaml": slow})) == [
        "tables/orders.yaml:2: capacity.timeout_minutes: 1441 must be at most 1440"
    ]


def test_what_a_deployment_takes_is_no_mistake(write):
    crawled = "table: orders\nload: append\nschema: crawler\ncapacity: {worker_type: G.8X, workers: 2, flex: false}\n"
    older = (
        ORDERS.replace("orders", "orders__old") + "capacity: {worker_type: G.2X, timeout_minutes: 1440, flex: true}\n"
    )
    quick = ORDERS.replace("orders", "quick") + "freshness: 5m\n"
    weekly = ORDERS.replace("orders", "weekly") + "freshness: 7d\n"
    files = {"orders": crawled, "old": older, "quick": quick, "weekly": weekly}
    assert told(write({f"tables/{name}.yaml": text for name, text in files.items()})) == []


@pytest.mark.parametrize("prefix", ["данные/", "in/${aws:username}/", "😀/"])
def test_a_prefix_that_a_role_is_to_name_is_one_that_a_policy_can_hold(write, prefix):
    crawled = f'table: orders\nsource: {{prefix: "{prefix}"}}\nload: append\nschema: crawler\n'
    extracted = EXTRACTED.replace("table: O", f'table: O, prefix: "{prefix}"')
    plain = ORDERS.replace("load", f'source: {{prefix: "{prefix}"}}\nload')
    why = (
        "must be written otherwise: the policy of a role holds no letters behind ÿ (U+00FF), and reads ${ as a variable"
    )
    for text in (crawled, extracted):
        files = {"connections/ops.yaml": OPS, "tables/orders.yaml": text}
        assert told(write(files)) == [f"tables/orders.yaml:2: source.prefix: {prefix!r} {why}"]
        assert told(write({**files, "tables/orders.yaml": text.replace(prefix, "größte $ {neu}/")})) == []
    assert told(write({**files, "tables/orders.yaml": plain})) == []


def test_a_crawler_reads_a_folder_and_no_other_tables_files(write):
    crawled = "table: {0}\nsource: {{prefix: {1}}}\nload: append\nschema: crawler\n"
    plain = ORDERS.replace("orders", "items").replace("load", "source: {prefix: ops/items/}\nload")
    files = {
        "tables/all.yaml": crawled.format("all", "ops/"),
        "tables/items.yaml": plain,
        "tables/orders.yaml": crawled.format("orders", "crm/orders_"),
    }
    assert told(write(files)) == [
        "tables/all.yaml:2: source.prefix: 'ops/' must hold files of all only: the crawler would find the columns of "
        "items too, under 'ops/items/'",
        "tables/orders.yaml:2: source.prefix: 'crm/orders_' must end in /: a Glue crawler reads whole folders, here "
        "all that it begins in",
    ]
    apart = {
        "tables/all.yaml": crawled.format("all", "ops/all/"),
        "tables/items.yaml": plain,
        "tables/orders.yaml": crawled.format("orders", "crm/orders/"),
    }
    assert told(write(apart)) == []
