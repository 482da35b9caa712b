"""Contract files as written: a mistake in one field does not hide those of the others."""

from __future__ import annotations

import pytest

from contracts.compile import check

TABLE = """\
table: orders
load: upsert
key: [nr]
freshnes: 1 day
limits: {max_deleted: many}
checks:
  - {name: good, rule: "id > 0", on_fail: explode}
schema:
  columns:
    - {name: id, type: bigint, formt: x}
    - {name: note, type: sting}
"""
MART = """\
mart: latest_orders
kind: latest
source: orders
colums: [id]
keep_for: 30d
"""


def told(folder) -> list[tuple[str, int, str]]:
    return [(mistake.file, mistake.line, mistake.field) for mistake in check(folder)]


ORDERS = [
    ("shop/tables/orders.yaml", 3, "key[0]"),
    ("shop/tables/orders.yaml", 4, "freshnes"),
    ("shop/tables/orders.yaml", 4, "freshness"),  # what was meant, and is no time either
    ("shop/tables/orders.yaml", 5, "limits.max_deleted"),
    ("shop/tables/orders.yaml", 7, "checks[0].on_fail"),
    ("shop/tables/orders.yaml", 10, "schema.columns[0].format"),
    ("shop/tables/orders.yaml", 10, "schema.columns[0].formt"),
    ("shop/tables/orders.yaml", 11, "schema.columns[1].type"),
]


def test_all_mistakes_are_told_at_once(write):
    folder = write({"tables/orders.yaml": TABLE, "marts/latest_orders.yaml": MART})
    assert told(folder) == [
        ("shop/marts/latest_orders.yaml", 4, "colums"),
        ("shop/marts/latest_orders.yaml", 5, "keep_for"),
        *ORDERS,
    ]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("lod: upsert", [("shop/tables/orders.yaml", 1, "(file)"), ("shop/tables/orders.yaml", 2, "lod")]),
        ("load: upserts", [("shop/tables/orders.yaml", 2, "load")]),
    ],
)
def test_a_word_that_is_near_to_one_is_taken_for_it_and_hides_no_other_mistake(write, typed, found):
    table = TABLE.replace("load: upsert", typed)
    assert told(write({"tables/orders.yaml": table})) == [*found, *ORDERS]


def test_where_a_word_is_lacking_that_others_depend_on_nothing_is_guessed(write):
    folder = write({"tables/orders.yaml": TABLE.replace("load:", "way:"), "marts/latest_orders.yaml": MART})
    assert told(folder) == [
        ("shop/marts/latest_orders.yaml", 4, "colums"),
        ("shop/tables/orders.yaml", 1, "(file)"),
        ("shop/tables/orders.yaml", 2, "way"),
        ("shop/tables/orders.yaml", 4, "freshnes"),
        ("shop/tables/orders.yaml", 4, "freshness"),
        ("shop/tables/orders.yaml", 5, "limits.max_deleted"),
        ("shop/tables/orders.yaml", 7, "checks[0].on_fail"),
        ("shop/tables/orders.yaml", 10, "schema.columns[0].formt"),
    ]
