"""Order does not matter: any order, split and repetition of any landings ends in what the rules say of their set."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from spark_jobs.layers.lake import Lake
from spark_jobs.layers.staging.session import configure
from tests.law.histories import World, worlds
from tests.law.laws import hold
from tests.law.shapes import SHAPES, Shape
from tests.unit.spark_jobs.staging.conftest import Bench, FolderS3

MARTS = (("latest", "scd2"), ("first", "history"), ("all", "fact"), ("members", "sums"))
ENDINGS = ("rebuild", "replay")
AT_ONCE = 2
GROUPS = 4
HISTORIES = 36
ROOT = "landfall.test.root"
DRAWN = 20
NORMAL = ("changes_with_numbers_and_ties",)


def hold_one(spark, lake_name: str, shape: Shape, histories: int, number: int) -> int:
    """Hold a generated world of a shape to the law, in a session of its own; return how many histories it has."""
    world = world_of(shape, histories, number)
    session = configure(spark.newSession())
    bench = Bench(Lake(session, f"{lake_name}_{shape.name}_{number}"), FolderS3(Path(spark.conf.get(ROOT))))
    place = SHAPES.index(shape) + number
    ending = None if number else ENDINGS[place % 2]
    hold(bench, world, ending, *(MARTS[place % len(MARTS)] if shape.keyed else ("history", "sums")))
    return world.histories


def world_of(shape: Shape, histories: int, number: int) -> World:
    """Draw a world out of a seed of its own; of what hypothesis draws the first are the simplest."""
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
    assert hold_one(spark, lake.prefix, shape, 9, 0) == 9


@pytest.fixture(scope="module")
def begun(spark, request) -> Iterator[Mapping[Shape, Sequence[Future[int]]]]:
    """Worlds of the shapes that are to be tried, two at a time for as long as there are any."""
    shapes = [item.callspec.params["shape"] for item in request.session.items if "shape" in _parameters(item)]
    lake = f"law{uuid.uuid4().hex[:8]}"
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            shape: [pool.submit(hold_one, spark, lake, shape, HISTORIES // worlds, number) for number in range(worlds)]
            for shape in shapes
            for worlds in (2 if shape.load == "snapshot" else 1,)
        }
        pool.shutdown(cancel_futures=True)


def _parameters(item: pytest.Item) -> Mapping[str, object]:
    return item.callspec.params if item.path == Path(__file__) and hasattr(item, "callspec") else {}


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_tables_are_a_function_of_the_set_of_landings_of_every_load(begun, shape):
    assert sum(future.result() for future in begun[shape]) == HISTORIES
