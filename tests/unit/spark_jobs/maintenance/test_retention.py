"""Which snapshots stay: what readers may still hold, what a mart has not read past, what bears the last seal."""

from __future__ import annotations

import pytest

from spark_jobs.layers.lake import Snapshot
from spark_jobs.layers.maintenance.retention import holder, kept


def history(*ages: int, sealed: tuple[int, ...] = ()) -> list[Snapshot]:
    """Return snapshots, newest first, by their ages in days before the time 1000; ids are 1, 2, 3 from the newest."""
    return [
        Snapshot(place, place + 1, "append", {"landfall.batch-id": "b"} if place in sealed else {}, 1000 - age)
        for place, age in enumerate(ages, start=1)
    ]


@pytest.mark.parametrize(
    ("ages", "needed", "sealed", "count"),
    [
        pytest.param((0,), (), (), 1, id="the head stays"),
        pytest.param((90, 95), (), (), 1, id="however old it is"),
        pytest.param((3, 8, 9), (), (), 2, id="what was the head three days ago may still be read"),
        pytest.param((3, 6, 8, 9), (), (), 3, id="and all that were within a week"),
        pytest.param((3, 6, 8, 9, 10), {5}, (), 5, id="a mart goes on from the fifth"),
        pytest.param((3, 6, 8, 9, 10), {99}, (), 3, id="what is gone already keeps nothing"),
        pytest.param((8, 9, 10, 11), (), (3, 4), 3, id="the newest seal is behind commits that bear none"),
        pytest.param((), (), (), 1, id="a table without snapshots"),
    ],
)
def test_snapshots_stay_as_long_as_somebody_needs_them(ages, needed, sealed, count):
    assert kept(history(*ages, sealed=sealed), 1000 - 7, needed, "batch-id") == count


def test_the_mart_that_holds_old_snapshots_back_is_named():
    found = history(3, 8, 30, 40)
    assert holder(found, 3, 1000 - 7, {"slow": 3, "quick": 1}) == "slow"
    assert holder(found, 2, 1000 - 7, {"quick": 2}) == ""
    assert holder(found, 1, 1000 - 7, {}) == ""
