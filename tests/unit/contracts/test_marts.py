"""Every mistake of a mart contract is told, on its own and against the tables and marts that it reads."""

from __future__ import annotations

import pytest

from contracts.compile import check, compile_plan
from contracts.marts import default_track
from contracts.model import DimensionLookup
from tests.unit.contracts.conftest import ORDERS

CUSTOMERS = """\
table: customers
load: snapshot
key: [id]
schema:
  columns:
    - {name: id, type: bigint}
    - {name: name, type: string}
"""
MONTHS = ORDERS.replace("orders", "months") + (
    "    - {name: at_month, type: string}\n    - {name: id_bucket_8, type: int}\n"
    "    - {name: Is_Current, type: boolean}\n"
)
EVENTS = "table: events\nload: append\nschema: {columns: [{name: id, type: bigint}]}\n"
DIM = "mart: dim_customers\nkind: scd2\nsource: customers\n"
SQL = "SELECT id, note, at FROM orders"
OWN = {"marts/own.sql": "SELECT id, upper(note) AS note FROM orders"}
FACT = "mart: fct\nkind: fact\nsql: fct.sql\nkey: [id]\n"
NUMBERED = ORDERS.replace("orders", "numbered") + "effective_at: {column: id}\n"
SHOP = {
    "tables/orders.yaml": ORDERS,
    "tables/customers.yaml": CUSTOMERS,
    "tables/events.yaml": EVENTS,
    "tables/numbered.yaml": NUMBERED,
    "tables/months.yaml": MONTHS,
}


def found(write, mart: str, sql: str = SQL, **more: str) -> list[str]:
    files = {**SHOP, "marts/dim_customers.yaml": DIM, "marts/fct.sql": sql, **OWN, **more, "marts/fct.yaml": mart}
    return [str(mistake).removeprefix("shop/marts/fct.yaml:") for mistake in check(write(files))]


CASES = {
    "a kind that is none": (
        "mart: m\nkind: scd1\nsource: orders\n",
        ["2: kind: 'scd1' is not one of dimension, fact, history, latest, scd2, sql (did you mean scd2?)"],
    ),
    "no source": ("mart: m\nkind: latest\n", ["1: (file): lacks source: a latest mart is built from one table"]),
    "a source that is none": (
        "mart: m\nkind: latest\nsource: order\n",
        [
            "3: source: no such table: 'order' is not one of customers, events, months, numbered, orders (did you mean "
            "orders?)"
        ],
    ),
    "a mart as the source of a keyed one": (
        "mart: m\nkind: latest\nsource: dim_customers\n",
        [
            "3: source: no such table: 'dim_customers' is not one of customers, events, months, numbered, orders (did "
            "you mean customers?)"
        ],
    ),
    "a source without a key": (
        "mart: m\nkind: latest\nsource: events\n",
        ["3: source: events has no key: it feeds only history, fact and sql"],
    ),
    "history needs no key": ("mart: m\nkind: history\nsource: events\nkeep_for: 7y\n", []),
    "words of other kinds": (
        "mart: m\nkind: latest\nsource: orders\ntrack: [note]\nuntracked_change: ignore\nkeep_for: 1y\nkey: [id]\n",
        [
            "4: track: is for scd2 marts only, this one is latest",
            "5: untracked_change: is for scd2 marts only, this one is latest",
            "6: keep_for: is for history marts only, this one is latest",
            "7: key: is for fact and sql marts only, this one is latest",
        ],
    ),
    "a first version that landed among numbers": (
        "mart: m\nkind: scd2\nsource: numbered\nvalid_from: landed\n",
        [
            "4: valid_from: landed is a time, but numbered is dated by the number id; allowed: effective, epoch",
        ],
    ),
    "tracked columns that are none": (
        "mart: m\nkind: scd2\nsource: orders\ntrack: [notes]\n",
        ["4: track[0]: no such column: 'notes' is not one of at, id, note (did you mean note?)"],
    ),
    "a time that is none": (
        "mart: m\nkind: history\nsource: orders\nkeep_for: forever\n",
        ["4: keep_for: 'forever' must be a time such as 12h, 90d, 8w, 6mo or 7y"],
    ),
    "an age among numbers": (
        "mart: m\nkind: history\nsource: numbered\nkeep_for: 7y\n",
        ["4: keep_for: numbered is dated by the number id, which tells no age"],
    ),
    "partitions that are called like columns": (
        "mart: m\nkind: latest\nsource: months\npartition_by: [month(at), 'bucket(8, id)', year(at)]\n",
        [
            "4: partition_by[0]: month(at) is kept under the name of the column at_month: call that otherwise",
            "4: partition_by[1]: bucket(8, id) is kept under the name of the column id_bucket_8: call that otherwise",
            "4: partition_by[2]: at partitions twice",
        ],
    ),
    "columns that the mart adds": (
        "mart: m\nkind: scd2\nsource: months\n",
        ["3: source: months has a column Is_Current, which the mart adds"],
    ),
    "partitions by type": (
        "mart: m\nkind: latest\nsource: orders\npartition_by: [day(id), month(at), state]\n",
        [
            "4: partition_by[0]: id is bigint; day takes date, timestamp, timestamp_ntz",
            "4: partition_by[2]: no such column: 'state' is not one of at, id, note",
        ],
    ),
    "no SQL": ("mart: m\nkind: sql\nkey: [id]\n", ["1: (file): lacks sql: a sql mart is a SELECT in a file beside it"]),
    "a file that is not there": (
        "mart: m\nkind: sql\nsql: fact.sql\nkey: [id]\n",
        ["3: sql: no such file: 'fact.sql' is not one of fct.sql, own.sql (did you mean fct.sql?)"],
    ),
    "no key": (
        "mart: m\nkind: sql\nsql: fct.sql\n",
        ["1: (file): lacks key: the columns that tell the rows of a sql mart apart"],
    ),
    "keys that the SQL does not return": (
        "mart: m\nkind: sql\nsql: fct.sql\nkey: [idd]\nincremental_by: [day]\n",
        [
            "4: key[0]: no such column: 'idd' is not one of at, id, note (did you mean id?)",
            "5: incremental_by[0]: no such column: 'day' is not one of at, id, note",
        ],
    ),
    "columns to recompute by that are not the source's own": (
        "mart: m\nkind: sql\nsql: own.sql\nkey: [id]\nincremental_by: [id, note]\n",
        [
            "5: incremental_by[1]: note is not orders's own column note, by whose changes the mart would be "
            "recomputed: return that as it is, or leave incremental_by out (the mart is then recomputed whole)"
        ],
    ),
    "a source that the SQL does not read": (
        "mart: m\nkind: sql\nsql: fct.sql\nkey: [id]\nsource: customers\n",
        ["5: source: the SQL does not read customers, only orders"],
    ),
    "a dimension that is none": (
        FACT + "dimensions:\n  - {dimension: customers, on: {id: id}}\n",
        [
            "6: dimensions[0].dimension: no such scd2 or dimension mart: 'customers' is not one of dim_customers "
            "(did you mean dim_customers?)"
        ],
    ),
    "lookups that do not fit": (
        FACT + "dimensions:\n  - {dimension: dim_customers, on: {customer: name}}\n"
        "  - {dimension: dim_customers, on: {id: id}, as_of: at}\n",
        [
            "6: dimensions[0]: the SQL returns no such column: 'customer' is not one of at, id, note",
            "6: dimensions[0].as_of: dim_customers is scd2 and needs as_of: a column of the fact",
            "6: dimensions[0].on: must name the dimension's key on its right side: id",
            "7: dimensions[1]: dim_customers_key stands twice: give one lookup a name",
        ],
    ),
}


@pytest.mark.parametrize(("mart", "messages"), CASES.values(), ids=CASES)
def test_what_a_mart_cannot_be(write, mart, messages):
    assert found(write, mart) == messages


STATEMENTS = {
    "SELECT id, FROM (orders": ["3: sql: fct.sql: does not parse: line 1, character 23, near 'orders'"],
    "SELECT id FROM ordres": [
        "3: sql: fct.sql: no such table or mart: 'ordres' is not one of customers, dim_customers, events, months, "
        "numbered, orders (did you mean orders?)"
    ],
    "SELECT 1 AS id": ["3: sql: fct.sql: reads no table"],
    "DELETE FROM orders": ["3: sql: fct.sql: must be one SELECT"],
    "SELECT id FROM orders; SELECT id FROM orders": ["3: sql: fct.sql: must be one SELECT"],
    "WITH big AS (SELECT id FROM orders) SELECT id FROM big -- of all\n;\n": [],
    "SELECT id FROM orders JOIN staging.customers USING (id)": [
        "3: sql: fct.sql: staging.customers: tables and marts go by their names alone: customers"
    ],
    "SELECT id, note, at AS Note FROM orders": ["3: sql: fct.sql: returns two columns called Note: name them apart"],
    "SELECT id, upper(note), upper(at) FROM orders": [],
    "SELECT * FROM orders": [],
    "\ufeffSELECT id FROM orders": [],
}


@pytest.mark.parametrize("sql", STATEMENTS)
def test_the_sql_of_a_mart_is_one_select_over_what_there_is(write, sql):
    assert found(write, FACT, sql) == STATEMENTS[sql]


def test_sql_in_another_encoding(write):
    folder = write({**SHOP, "marts/fct.yaml": FACT})
    (folder / "marts/fct.sql").write_bytes(b"SELECT id, 'caf\xe9' AS place FROM orders")
    assert [str(mistake) for mistake in check(folder)] == [
        "shop/marts/fct.yaml:3: sql: fct.sql: is not written in UTF-8 (byte 15)"
    ]


def test_a_select_that_returns_the_key_of_a_lookup_itself(write):
    looked_up = FACT + "dimensions:\n  - {dimension: dim_customers, on: {id: id}, as_of: at}\n"
    assert found(write, looked_up, "SELECT id, at, 1 AS dim_customers_KEY FROM orders") == [
        "6: dimensions[0]: the SQL returns a column dim_customers_key itself: give the lookup a name"
    ]
    assert (
        found(write, looked_up.replace("at}", "at, name: own}"), "SELECT id, at, 1 AS dim_customers_key FROM orders")
        == []
    )


def test_marts_that_read_each_other_are_told_with_the_way(write):
    one = "mart: one\nkind: sql\nsql: one.sql\nkey: [id]\n"
    two = one.replace("one", "two")
    more = {
        "marts/one.yaml": one,
        "marts/one.sql": "SELECT id FROM orders JOIN two USING (id)",
        "marts/two.yaml": two,
        "marts/two.sql": "SELECT id FROM one",
    }
    assert found(write, FACT, **more) == [
        "shop/marts/one.yaml:1: mart: reads itself: one <- two <- one",
        "shop/marts/two.yaml:1: mart: reads itself: two <- one <- two",
    ]


def test_names_and_prefixes_belong_to_one_contract_each(write):
    files = {
        "tables/orders.yaml": ORDERS + "source: {prefix: crm/}\n",
        "tables/z.yaml": ORDERS + "source: {prefix: crm/}\n",
        "marts/m.yaml": "mart: orders\nkind: latest\nsource: orders\n",
    }
    assert [str(mistake) for mistake in check(write(files))] == [
        "shop/marts/m.yaml:1: mart: orders is already the name of shop/tables/orders.yaml",
        "shop/tables/z.yaml:1: table: orders is already the name of shop/tables/orders.yaml",
        "shop/tables/z.yaml:9: source.prefix: 'crm/' is already the prefix of shop/tables/orders.yaml; "
        "the longest prefix wins",
    ]


def test_what_a_deployment_would_refuse_is_told_before(write):
    capacity = "capacity: {worker_type: G.8X, workers: 2, flex: true}\n"
    files = {
        "tables/orders2.yaml": ORDERS.replace("orders", "orders2") + "source: {prefix: a/}\n" + capacity,
        "tables/orders_2.yaml": ORDERS.replace("orders", "orders_2") + "source: {prefix: b/}\n",
    }
    assert [str(mistake) for mistake in check(write(files))] == [
        "shop/tables/orders2.yaml:10: capacity.flex: is for workers of G.1X or G.2X, not G.8X",
        "shop/tables/orders_2.yaml:1: table: orders_2 is too like orders2: their resources would have one name",
    ]


def test_a_crawled_table_takes_no_other_s_columns(write):
    crawled = "table: {0}\nload: append\nsource: {{prefix: {0}/}}\nschema: crawler\n"
    names = ("orders", "orders__old", "orders_new")
    files = {f"tables/{name}.yaml": crawled.format(name) for name in names}
    assert [str(mistake) for mistake in check(write(files))] == [
        "shop/tables/orders__old.yaml:1: table: orders__old must have another name: orders is crawled too, and what "
        "begins with orders__ is what its crawler finds"
    ]


def test_a_folder_whose_name_no_pipeline_can_bear(write):
    folder = write({"tables/orders.yaml": ORDERS})
    assert [str(mistake) for mistake in check(folder.rename(folder.with_name("my-shop")))] == [
        "my-shop:1: (folder): its name 'my-shop' must be at most 40 small letters, digits and _, a letter first"
    ]


def test_a_folder_without_tables(write):
    assert [str(m) for m in check(write({"marts/x.sql": ""}))] == [
        "shop:1: tables: holds no contract: write tables/<table>.yaml"
    ]


def test_scd2_tracks_by_default_all_but_key_sequence_and_what_deletes(write):
    text = (
        "table: feed\nload: changes\nkey: [id]\ndelete_when: OP = 'D'\neffective_at: {column: at}\ntie_break: [lsn]\n"
        "schema:\n  columns:\n"
        "    - {name: id, type: bigint}\n    - {name: name, type: string}\n    - {name: op, type: string}\n"
        "    - {name: at, type: timestamp}\n    - {name: lsn, type: bigint}\n"
    )
    plan = compile_plan(write({"tables/feed.yaml": text}))
    assert default_track(plan.tables["feed"]) == ("name",)


DERIVED = {
    "SELECT id, note FROM orders": ("id",),
    "SELECT count(*) AS n, note AS id FROM orders GROUP BY note": (),
    "SELECT id, row_number() OVER (PARTITION BY note ORDER BY id) AS nth FROM orders": (),
}


@pytest.mark.parametrize("sql", DERIVED)
def test_a_mart_is_recomputed_in_part_only_where_its_sql_shows_that_this_is_right(write, sql):
    files = {**SHOP, "marts/fct.sql": sql, "marts/fct.yaml": "mart: fct\nkind: sql\nsql: fct.sql\nkey: [id]\n"}
    assert compile_plan(write(files)).marts["fct"].incremental_by == DERIVED[sql]


@pytest.mark.parametrize("kind", ["latest", "scd2", "history", "dimension"])
def test_maps_reach_no_mart_but_through_sql(write, kind):
    columns = (
        "    - {name: tags, type: 'map<string,string>'}\n    - {name: deep, type: 'array<struct<m:map<int,int>>>'}\n"
    )
    files = {
        "tables/orders.yaml": ORDERS + columns,
        "marts/fct.sql": "SELECT id, tags['a'] AS a FROM orders",
        "marts/fct.yaml": FACT,
        "marts/m.yaml": f"mart: m\nkind: {kind}\nsource: orders\n",
    }
    way_out = "maps cannot be compared: declare a struct, or make a sql mart that returns what is needed of it"
    assert [str(mistake) for mistake in check(write(files))] == [
        f"shop/marts/m.yaml:3: source: orders.deep is array<struct<m:map<int,int>>>, and {way_out}",
        f"shop/marts/m.yaml:3: source: orders.tags is map<string,string>, and {way_out}",
    ]


def test_what_a_fact_says_of_its_dimensions_and_of_what_it_is_recomputed_by_reaches_the_plan(write):
    lookup = "{dimension: dim_customers, on: {id: id}, as_of: at, missing: fail, name: buyer}"
    fact = f"{FACT}incremental_by: [note]\ndimensions:\n  - {lookup}\n"
    files = {**SHOP, "marts/dim_customers.yaml": DIM, "marts/fct.sql": SQL, "marts/fct.yaml": fact}
    mart = compile_plan(write(files)).marts["fct"]
    assert mart.dimensions == (DimensionLookup("dim_customers", {"id": "id"}, "at", "fail", "buyer"),)
    assert (mart.incremental_by, mart.reads) == (("note",), ("orders", "dim_customers"))


def test_a_fact_is_dated_for_its_dimension_by_a_column_of_its_own(write):
    wrong = FACT + "dimensions:\n  - {dimension: dim_customers, on: {id: id}, as_of: when}\n"
    assert found(write, wrong) == [
        "6: dimensions[0]: the SQL returns no such column: 'when' is not one of at, id, note"
    ]
