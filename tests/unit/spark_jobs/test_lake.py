"""Publishing by branch: atomic, refused after another publish, and changed keys told from snapshots."""

from __future__ import annotations

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import IllegalArgumentException

from spark_jobs.layers import branches
from spark_jobs.layers.errors import ConcurrentPublishError
from spark_jobs.layers.lake import Lake, branch_name


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


def test_a_branch_can_be_read_whatever_its_execution_is_called(lake, table):
    branch = lake.branch(table, branch_name("prüfung-名前²-0"))
    assert branch.name.startswith("b_pr_fung_____0_x") and branch.read().collect() == []


def test_a_branch_is_refused_when_main_moved_since(lake, table):
    stale = lake.branch(table, "b_stale")
    stale.append(rows(lake, (1, "stale")))
    published(lake, table, (1, "new"))
    with pytest.raises(ConcurrentPublishError, match="published by another run"):
        stale.publish()
    assert [tuple(r) for r in lake.read(table).collect()] == [(1, "new")]
    assert list(lake.handle(table).refs()) == ["main"]


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


class LosesTheAnswer:
    """A Java table whose next transaction is committed, and whose answer is lost."""

    def __init__(self, java):
        self.java = java

    def __getattr__(self, name):
        made = getattr(self.java, name)
        if name == "newTransaction":
            return lambda: LosesTheAnswer(made())

        def commit():
            made()
            raise IllegalArgumentException("no answer within 60 seconds")

        return commit if name == "commitTransaction" else made


def test_a_publish_whose_answer_is_lost_is_looked_up_before_it_is_done_again(lake, table, monkeypatch):
    branch = lake.branch(table, "b_1")
    branch.append(rows(lake, (1, "a")))
    sealed = branch.seal({"batch-id": "x-0"})
    with monkeypatch.context() as patch:
        handle = lake.handle
        patch.setattr(lake, "handle", lambda name: LosesTheAnswer(handle(name)), raising=False)
        patch.setattr(lake, "history", lambda name: Lake(lake.spark, lake.prefix).history(name), raising=False)
        assert branch.publish() == sealed
    assert lake.published_by(table, "x-0").id == sealed
    assert [tuple(r) for r in lake.read(table).collect()] == [(1, "a")]


def test_a_run_that_was_taken_over_can_neither_seal_nor_publish_what_it_wrote(lake, table):
    stale = lake.branch(table, "b_stale")
    stale.append(rows(lake, (1, "stale")))
    heir = lake.branch(table, "b_heir", alone=True)
    for step in (lambda: stale.seal({"batch-id": "stale"}), stale.publish, stale.clear):
        with pytest.raises(ConcurrentPublishError, match="another run took the table over and dropped b_stale"):
            step()
    heir.append(rows(lake, (2, "heir")))
    heir.publish()
    assert [tuple(r) for r in lake.read(table).collect()] == [(2, "heir")]
    assert list(lake.handle(table).refs()) == ["main"]


def test_a_batch_is_not_looked_for_behind_a_lower_token(lake, table):
    first = published(lake, table, (1, "a"), **{"batch-id": "one", "token": "1"})
    published(lake, table, (2, "b"), **{"batch-id": "two", "token": "2"})
    assert lake.published_by(table, "one", 1).id == first
    assert lake.published_by(table, "one", 3) is None
    assert lake.published_by(table, "one").id == first
    assert lake.published_by(table, "two", 3) is None  # another ledger's


def test_what_no_file_can_hold_is_known_from_metadata(lake, table):
    assert not lake.may_hold(table, "v", ["a"])
    published(lake, table, (1, "a"), (2, "c"))
    assert lake.may_hold(table, "v", ["b", "z"])
    assert not lake.may_hold(table, "v", ["d", "z"])
    assert not lake.may_hold(table, "v", [])


def test_a_branch_is_opened_although_others_commit_meanwhile(lake, table, monkeypatch):
    jvm, opened, tries = lake.spark._jvm, branches._opened, []
    nothing = lake.spark.sparkContext._gateway.new_array(jvm.java.lang.Object, 0)

    def overtaken_twice(*words):
        tries.append(words)
        if len(tries) < 3:
            refused = jvm.org.apache.iceberg.exceptions.CommitFailedException(
                "Table metadata refresh is required", nothing
            )
            raise Py4JJavaError("An error occurred while calling commit", refused)
        return opened(*words)

    monkeypatch.setattr(branches, "_opened", overtaken_twice)
    published(lake, table, (1, "a"))
    assert len(tries) == 3
    assert lake.read(table).collect() == [(1, "a")]
