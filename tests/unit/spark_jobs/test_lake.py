"""Publishing by branch: atomic, refused after another publish, and changed keys told from snapshots."""

from __future__ import annotations

import pytest

from spark_jobs.layers.errors import ConcurrentPublishError


@pytest.fixture
def table(lake):
    name = lake.table("staging", "planes")
    lake.create(name, lake.spark.createDataFrame([], "k int, v string").schema)
    return name


def rows(lake, *values):
    return lake.spark.createDataFrame(list(values), "k int, v string").coalesce(1)


def published(lake, table, *values, **properties):
    branch = lake.branch(table, "b_test")
    branch.append(rows(lake, *values))
    branch.seal(properties)
    return branch.publish()


def test_readers_see_a_branch_only_after_it_is_published(lake, table):
    branch = lake.branch(table, "b_1")
    branch.append(rows(lake, (1, "a")))
    assert lake.read(table).collect() == []
    branch.seal({"batch-id": "x-0"})
    branch.publish()
    assert [tuple(r) for r in lake.read(table).collect()] == [(1, "a")]
    assert lake.property(table, "batch-id") == "x-0"


def test_a_branch_is_refused_when_main_moved_since(lake, table):
    stale = lake.branch(table, "b_stale")
    stale.append(rows(lake, (1, "stale")))
    published(lake, table, (1, "new"))
    with pytest.raises(ConcurrentPublishError, match="published by another run"):
        stale.publish()
    assert [tuple(r) for r in lake.read(table).collect()] == [(1, "new")]


def test_a_branch_left_by_a_dead_run_is_started_afresh(lake, table):
    lake.branch(table, "b_1").append(rows(lake, (1, "dead")))
    branch = lake.branch(table, "b_1")
    branch.append(rows(lake, (2, "alive")))
    branch.publish()
    assert [tuple(r) for r in lake.read(table).collect()] == [(2, "alive")]


def test_changed_keys_of_appends_and_of_removals(lake, table):
    first = published(lake, table, (1, "a"), (2, "b"), (3, None))
    second = published(lake, table, (4, "d"))
    branch = lake.branch(table, "b_2")
    branch.remove(rows(lake, (3, None)))
    branch.append(rows(lake, (2, "x")))
    branch.publish()

    def keys(since):
        return sorted(r.k for r in lake.changed_keys(table, ["k"], since).collect())

    assert keys(second) == [2, 3]
    assert keys(first) == [2, 3, 4]
    assert keys(lake.head(table).id) == []
    assert lake.changed_keys(table, ["k"], None) is None
    assert lake.changed_keys(table, ["k"], 42) is None
    assert sorted((r.k, r.v) for r in lake.read(table).collect()) == [(1, "a"), (2, "b"), (2, "x"), (4, "d")]
