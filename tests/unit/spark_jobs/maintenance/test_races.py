"""Maintenance beside a batch: neither is lost, neither fails, whoever comes first."""

from __future__ import annotations

import threading

import pytest

from spark_jobs.layers.branches import Branch
from spark_jobs.layers.errors import ConcurrentPublishError
from spark_jobs.layers.maintenance import maintain as module
from spark_jobs.layers.maintenance import rewriting, state
from tests.unit.spark_jobs.maintenance.conftest import MARTS

pytestmark = pytest.mark.long


def before_publishing(monkeypatch, layer, action):
    """Let `action` happen once, just before a batch publishes a table of the layer."""
    plain, left = Branch.publish, [action]

    def publish(branch):
        if branch.table.startswith(f"{layer}.") and left and "maintenance" not in branch.name:
            left.pop()()
        return plain(branch)

    monkeypatch.setattr(Branch, "publish", publish)


def compacting_whatever_works_there(p, monkeypatch):
    """Maintain although a batch has a branch: what happens when it opens one a moment after maintenance looked."""

    def compact():
        with monkeypatch.context() as patch:
            patch.setattr(module.refs, "branches", lambda *_: {})
            done = p.maintain()
        assert {one.error for one in done.values()} == {""}

    return compact


def test_a_batch_that_publishes_after_its_tables_were_compacted_is_staged_again_by_itself(pipeline, monkeypatch):
    p = pipeline()
    for number in range(1, 7):
        p.snapshot(number, k1=f"v{number}", k2="same")
    before_publishing(monkeypatch, "staging", compacting_whatever_works_there(p, monkeypatch))
    staged = p.snapshot(7, k1="v7", k3="new")
    assert (staged.books.inserted, staged.books.updated, staged.books.deleted) == (1, 1, 1)
    assert [row[:3] for row in p.log() if row[3].startswith("2020-01-07")] == [
        (1, "v7", "U"),
        (2, None, "D"),
        (3, "new", "I"),
    ]
    operations = [one.operation for one in p.lake.history(p.table("staging"))]
    assert "replace" in operations
    p.snapshot(8, k1="v7", k3="new")
    assert len(p.log()) == 10


def test_a_mart_that_is_published_after_its_table_was_compacted_is_built_again_by_itself(pipeline, monkeypatch):
    p = pipeline(*MARTS)
    for number in range(1, 7):
        p.snapshot(number, **{f"k{number}": "v", "k1": f"v{number}"})
        p.build("dim_planes")
    p.snapshot(7, k1="v7")
    before_publishing(monkeypatch, "mart", compacting_whatever_works_there(p, monkeypatch))
    assert p.build("dim_planes").status == "published"
    assert "replace" in [one.operation for one in p.lake.history(p.table("mart", "dim_planes"))]
    assert p.build("dim_planes", rebuild=True).status == "unchanged"


def test_a_batch_that_is_faster_keeps_its_own_state_named(pipeline, monkeypatch):
    p = pipeline()
    for number in range(1, 7):
        p.snapshot(number, k1=f"v{number}", k2="same")
    plain = state.branch_name

    def batch_comes_first(name):
        monkeypatch.setattr(state, "branch_name", plain)
        p.snapshot(7, k1="v7", k2="same")
        return plain(name)

    monkeypatch.setattr(state, "branch_name", batch_comes_first)
    done = p.maintain()
    assert done["state.planes"].note == module.OVERTAKEN
    p.snapshot(8, k2="same")
    assert [(k, v, op) for k, v, op, at in p.log() if at >= "2020-01-07"] == [(1, "v7", "U"), (1, None, "D")]


def test_batches_and_compactions_at_the_same_time_lose_no_row(pipeline):
    """Appends and removals are published while files are merged again and again."""
    p = pipeline()
    lake, table = p.lake, p.table("staging", "busy")
    lake.create(table, lake.spark.createDataFrame([], "k int, v int").schema)
    over, told = threading.Event(), []

    def compact():
        while not over.is_set():
            try:
                told.append(rewriting.compact(lake, table))
            except Exception as error:
                if not module._was_overtaken(error):
                    told.append(error)

    def publish(number):
        for _ in range(20):
            branch = lake.branch(table, "b_batch", alone=True)
            try:
                branch.append(lake.spark.createDataFrame([(number, n) for n in range(3)], "k int, v int").coalesce(1))
                branch.remove(lake.spark.createDataFrame([(number - 3, 1)], "k int, v int"))
                return branch.publish()
            except ConcurrentPublishError:
                continue
        raise AssertionError("never published")

    compactor = threading.Thread(target=compact)
    compactor.start()
    try:
        for number in range(12):
            publish(number)
    finally:
        over.set()
        compactor.join()
    assert [one for one in told if isinstance(one, Exception)] == []
    expected = sorted((k, v) for k in range(12) for v in range(3) if v != 1 or k >= 9)
    assert sorted(tuple(row) for row in lake.read(table).collect()) == expected
