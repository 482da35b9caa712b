"""The columns of marts, told from contracts and SQL alone."""

from __future__ import annotations

import pytest

from contracts.mart_columns import AUDIT, columns_of_marts, in_order
from contracts.model import Column, EffectiveAt, Mart, Plan, Source, Table

PLANES = Table(
    "planes",
    "snapshot",
    Source("planes/"),
    (Column("id", "int"), Column("seats", "decimal(9,2)")),
    key=("id",),
    effective_at=EffectiveAt(event_time=True),
)


def sql(name: str, text: str, *reads: str) -> Mart:
    return Mart(name, "sql", reads[0], reads=reads, key=("id",), sql=text)


def told(*marts: Mart) -> dict[str, dict[str, str]]:
    plan = Plan("p", {"planes": PLANES}, {mart.name: mart for mart in marts})
    return {name: {n: str(kind) for n, kind in found.items()} for name, found in columns_of_marts(plan).items()}


def of(kind: str) -> Mart:
    return Mart("m", kind, "planes", reads=("planes",), key=("id",))


OWN = {"id": "int", "seats": "decimal(9,2)"}


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("latest", {}),
        ("history", {"_op": "string", "_effective_from": "timestamp"}),
        (
            "scd2",
            {
                "valid_from": "timestamp",
                "valid_to": "timestamp",
                "is_current": "boolean",
                "m_key": "bigint",
                "is_inferred": "boolean",
            },
        ),
        ("dimension", {"is_deleted": "boolean", "m_key": "bigint", "is_inferred": "boolean"}),
    ],
)
def test_each_kind_adds_its_own_columns_to_those_of_its_table(kind: str, more: dict[str, str]) -> None:
    assert told(of(kind)) == {"m": {**OWN, **more}}
    assert {name: str(found) for name, found in AUDIT.items()} == {"_batch_id": "string", "_built_at": "timestamp"}


def test_a_mart_that_reads_another_has_its_types_whatever_they_are_called() -> None:
    base = sql("z", "SELECT id, seats + 1 AS more, no_such_function(id) AS riddle FROM planes", "planes")
    above = sql("a", "SELECT id, more FROM z", "z")
    plan = Plan("p", {"planes": PLANES}, {"a": above, "z": base})
    assert in_order(plan) == ["z", "a"]
    found = told(above, base)
    assert list(found) == ["a", "z"]
    assert {name: kind.split("(")[0] for name, kind in found["a"].items()} == {"id": "int", "more": "decimal"}


@pytest.mark.parametrize("text", ["SELECT * FROM nowhere", "SELECT id FROM (", "SHOW TABLES"])
def test_of_what_only_spark_can_tell_nothing_is_told(text: str) -> None:
    assert told(sql("m", text, "planes")) == {"m": {}}
