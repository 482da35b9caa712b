"""Order does not matter: any order, split and repetition of any landings ends in what the rules say of their set.

Nor does it matter whether the tables are maintained in between.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from spark_jobs.layers.lake import Lake
from spark_jobs.layers.maintenance import rewriting
from spark_jobs.layers.staging.session import configure
from tests.cases import LITTLE
from tests.law.histories import World, worlds
from tests.law.laws import hold
from tests.law.shapes import SHAPES, Shape
from tests.unit.spark_jobs.staging.conftest import Bench, FolderS3

MARTS = (("latest", "scd2"), ("first", "history"), ("all", "fact"), ("members", "sums"))
ENDINGS = ("rebuild", "replay")
AT_ONCE = 2
GROUPS = 4
ROOT = "landfall.test.root"
DRAWN = 20
NORMAL = ("changes_with_numbers_and_ties",)


def hold_one(spark, lake_name: str, shape: Shape, histories: int, number: int) -> int:
    """Hold a generated world of a shape to the law, in a session of its own; return how many histories it has."""
    world = world_of(shape, histories, number)
    session = configure(spark.newSession())
    bench = Bench(Lake(session, f"{lake_name}_{shape.name}_{number}"), FolderS3(Path(spark.conf.get(ROOT))))
    place = SHAPES.index(shape) + number
    ending = None if number == 1 else ENDINGS[place % 2]
    marts = MARTS[place % len(MARTS)] if shape.keyed else ("history", "sums")
    hold(bench, world, ending, *marts, maintained=number % 2 == 1)
    return world.histories


def world_of(shape: Shape, histories: int, number: int) -> World:
    """Draw a world out of a seed of its own; of what hypothesis draws the first are the simplest.

    Hypothesis takes up constants of the modules that are loaded: a failing world comes again where the same tests are
    collected, of the same code.
    """
    drawn: list[World] = []

    @seed(crc32(f"{shape.name} {number}".encode()))
    @settings(
        max_examples=DRAWN,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(world=worlds(shape, histories, 1 if shape.load == "snapshot" else GROUPS))
    def draws(world: World) -> None:
        drawn.append(world)

    draws()
    return [world for world in drawn if world.is_telling][-1]


@pytest.mark.parametrize("name", NORMAL)
def test_tables_are_a_function_of_the_set_of_landings(spark, lake, name):
    shape = next(shape for shape in SHAPES if shape.name == name)
    assert hold_one(spark, lake.prefix, shape, 6, 0) == 6


@pytest.fixture(scope="module")
def begun(spark, request) -> Iterator[Mapping[tuple[Shape, int], Future[int]]]:
    """Worlds that are to be tried, two at a time for as long as there are any."""
    found = filter(None, map(_world, request.session.items))
    lake = f"law{uuid.uuid4().hex[:8]}"
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(AT_ONCE) as pool:
        patch.setattr(rewriting, "remove_orphans", lambda *_: 0)  # Iceberg removes none that is younger than a day
        yield {
            (shape, number): pool.submit(hold_one, spark, lake, shape, histories_of(shape, number), number)
            for shape, number in found
        }
        pool.shutdown(cancel_futures=True)


def histories_of(shape: Shape, number: int) -> int:
    """Return how many histories a world of a shape holds, CI's fewer; in those of snapshots all share their files."""
    return (18 if shape.load == "snapshot" else 36) if number else (12 if shape.load == "snapshot" else 24)


def _world(item: pytest.Item) -> tuple[Shape, int] | None:
    if item.path != Path(__file__) or "shape" not in item.callspec.params:
        return None
    return item.callspec.params["shape"], item.callspec.params["number"]


# CI leaves these to make long: each joins a load and a kind of time that stand in other shapes.
LIKE_OTHERS = (
    "snapshots_with_dates",
    "snapshots_with_timestamps",
    "kept_snapshots_with_numbers",
    "changes_dated_by_key",
    "changes_with_timestamps",
    "appends_without_key",
)
WORLDS = [
    pytest.param(shape, 0, marks=LITTLE if shape.name in LIKE_OTHERS else pytest.mark.long, id=shape.name)
    for shape in SHAPES
]
WORLDS += [pytest.param(shape, 1, marks=LITTLE, id=f"{shape.name} and maintenance") for shape in SHAPES]
WORLDS += [
    pytest.param(shape, number, marks=pytest.mark.long, id=f"{shape.name}, world {number}")
    for number in map(int, os.environ.get("LANDFALL_WORLDS", "").split())
    for shape in SHAPES
]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("shape", "number"), WORLDS)
def test_tables_are_a_function_of_the_set_of_landings_of_every_load(begun, shape, number):
    assert begun[shape, number].result() == histories_of(shape, number)
