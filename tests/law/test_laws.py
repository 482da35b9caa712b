"""Order does not matter: any order, split and repetition of any landings ends in what the rules say of their set."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from spark_jobs.layers.lake import Lake
from spark_jobs.layers.staging.session import configure
from tests.law.histories import World, worlds
from tests.law.laws import hold
from tests.law.shapes import SHAPES, Shape
from tests.unit.spark_jobs.staging.conftest import Bench, FolderS3

MARTS = (("latest", "scd2"), ("first", "history"), ("all", "members"))
NORMAL = ("snapshots_dated_by_key", "changes_with_numbers_and_ties", "appends_of_keys")


def law(spark, shape: Shape, histories: int, examples: int, lake_name: str) -> int:
    """Hold generated worlds of a shape to the law; return how many histories they had."""
    configure(spark)
    seen: list[World] = []

    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(world=worlds(shape, histories))
    def holds(world: World) -> None:
        number = len(seen)
        seen.append(world)
        bench = Bench(Lake(spark, f"{lake_name}{number}"), FolderS3(Path(spark.conf.get("landfall.test.root"))))
        hold(bench, world, *(MARTS[number % len(MARTS)] if shape.keyed else ("history",)))

    holds()
    return sum(world.histories for world in seen)


@pytest.mark.parametrize("name", NORMAL)
def test_tables_are_a_function_of_the_set_of_landings(spark, lake, name):
    shape = next(shape for shape in SHAPES if shape.name == name)
    assert law(spark, shape, 10, 1, lake.prefix) == 10


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_tables_are_a_function_of_the_set_of_landings_of_every_load(spark, lake, shape):
    assert law(spark, shape, 12, 3, lake.prefix) == 36
