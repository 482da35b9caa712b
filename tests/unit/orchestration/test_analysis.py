"""What Spark says of the SQL in contracts that are sound otherwise, with file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from contracts.compile import compile_documents
from orchestration.embedded.analysis import mistakes

ORDERS = """\
table: orders
source: {prefix: orders/}
load: changes
key: [id]
effective_at: {event_time: true}
delete_when: "size(amount) = 0"
schema:
  columns:
    - {name: id, type: int}
    - {name: amount, type: int}
    - {name: tags, type: array<string>, expr: "split(tags, ',')"}
    - {name: first, type: int, expr: "split(first, ',')"}
    - {name: words, type: int, expr: "size(words)"}
checks:
  - {name: tagged, rule: "size(tags) > 0"}
  - {name: most, rule: "array_max(tags)"}
  - {name: other, rule: "tags = 1 OR tags > array(1)"}
"""
NOTES = """\
table: notes
source: {prefix: notes/, format: parquet}
load: append
effective_at: {event_time: true}
schema: crawler
"""
GOOD = "SELECT *, explode(tags) AS tag FROM orders LATERAL VIEW posexplode(tags) p AS place, again"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A pipeline with a table; `write` adds marts."""
    for folder in ("tables", "marts"):
        (tmp_path / "shop" / folder).mkdir(parents=True)
    (tmp_path / "shop/tables/orders.yaml").write_text(ORDERS)
    (tmp_path / "shop/tables/notes.yaml").write_text(NOTES)
    return tmp_path / "shop"


def write(shop: Path, name: str, sql: str, more: str = "key: [id]\n") -> None:
    (shop / f"marts/{name}.sql").write_text(sql)
    (shop / f"marts/{name}.yaml").write_text(f"mart: {name}\nkind: sql\nsql: {name}.sql\n{more}")


def told(spark: SparkSession, shop: Path) -> dict[str, str]:
    """Return what is said by file, line and field, without Spark's names of its errors."""
    found = mistakes(spark, compile_documents(shop))
    return {f"{one.file}:{one.line}: {one.field}": one.message.partition("] ")[2] or one.message for one in found}


def test_each_piece_of_a_tables_sql_is_judged_by_the_columns_that_it_may_read(spark, shop):
    found = told(spark, shop)
    assert list(found) == [
        "shop/tables/orders.yaml:6: delete_when",
        "shop/tables/orders.yaml:12: schema.columns[3].expr",
        "shop/tables/orders.yaml:13: schema.columns[4].expr",
        "shop/tables/orders.yaml:16: checks[1].rule",
        "shop/tables/orders.yaml:17: checks[2].rule",
    ]
    assert list(found.values())[1] == "is array<string>, but the column int: declare that type, or convert it"
    assert 'Cannot resolve "size(words)"' in list(found.values())[2]
    assert list(found.values())[3] == "is string, and must be true or false: write a comparison"
    assert list(found.values())[4].endswith("(line 1, character 1)")


def test_marts_are_judged_in_order_and_none_for_the_mistake_of_another(spark, shop):
    write(shop, "good", GOOD)
    write(shop, "better", "SELECT id, upper(tag) AS tag, place FROM good", "key: [id]\npartition_by: [place]\n")
    write(shop, "wrong", "SELECT id,\n  amuont\nFROM orders")
    write(shop, "reads_wrong", "SELECT id, amuont FROM wrong")
    write(shop, "crawled", "SELECT id, anything FROM notes")
    write(shop, "star", "SELECT * FROM good", "key: [id, no]\npartition_by: [month(tag)]\n")
    write(shop, "late", "SELECT id, struct(now() - now() AS gap) AS late FROM orders", "key: [id]\n")
    found = {place: message for place, message in told(spark, shop).items() if "/marts/" in place}
    assert list(found) == [
        "shop/marts/late.yaml:3: sql",
        "shop/marts/star.yaml:4: key[1]",
        "shop/marts/star.yaml:5: partition_by[0]",
        "shop/marts/wrong.yaml:3: sql",
    ]
    late, key, month, wrong = found.values()
    assert late.startswith("late.sql: column late is struct<gap:interval day to second>, which no table holds: return")
    assert key == (
        "the SQL returns no such column: 'no' is not one of again, amount, first, id, place, tag, tags, words"
    )
    assert month == "tag is string; month takes date, timestamp, timestamp_ntz"
    assert wrong.startswith("A column or function parameter with name `amuont` cannot be resolved. Did you mean one")
    assert wrong.endswith("(line 2, character 3)")
