"""What contracts tell of a mart's columns is what Spark makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.compile import compile_plan
from contracts.mart_columns import columns_of_marts
from spark_jobs.layers.marts.names import without_rows

CONTRACTS = Path(__file__).parents[4] / "contracts"
SHOP = Path(__file__).parents[3] / "pipeline" / "contracts" / "shop"


def coarse(kind):
    """Return a type without a decimal's size, which only Spark can tell of a sum."""
    return str(kind).split("(")[0]


@pytest.mark.parametrize("folder", [CONTRACTS / "nycflights", SHOP], ids=lambda path: path.name)
def test_columns_and_their_types_are_those_of_the_mart(spark, folder):
    plan = compile_plan(folder)
    told = {name: {n: coarse(k) for n, k in columns.items()} for name, columns in columns_of_marts(plan).items()}
    made = {name: without_rows(spark, plan, name).schema for name in sorted(plan.marts)}
    assert told == {name: {f.name: coarse(f.dataType.simpleString()) for f in s.fields} for name, s in made.items()}
