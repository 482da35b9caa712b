"""Keyed marts from run to run: only what changed is written, and a rebuild gives the same rows."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from contracts.model import EffectiveAt
from spark_jobs.layers.errors import ConcurrentPublishError
from spark_jobs.layers.lake import Branch
from spark_jobs.layers.marts.attempt import SourceMissingError
from spark_jobs.layers.marts.names import MartSqlError
from tests.cases import few
from tests.unit.spark_jobs.marts.bench import mart, plan, table

D1, D2, D3, D4 = (date(2024, 1, day) for day in range(1, 5))
PLANES = table(
    "planes",
    "tail string, seats int, day date",
    load="changes",
    key=("tail",),
    effective_at=EffectiveAt(column="day"),
)
MARTS = {
    "latest": mart("latest_planes", "latest", "planes"),
    "scd2": mart("dim_planes", "scd2", "planes", track=("seats",)),
    "dimension": mart("members_planes", "dimension", "planes"),
    "history": mart("planes_history", "history", "planes"),
}


def up(tail, seats, day):
    return (tail, seats, day, "U", day)


def gone(tail, day):
    return (tail, None, None, "D", day)


@pytest.mark.parametrize(
    "kind",
    few(["scd2", "latest", "dimension", "history"]),
)
def test_increments_that_correct_the_past_give_what_a_rebuild_gives(bench, kind):
    b, name = bench([PLANES], MARTS.values()), MARTS[kind].name
    b.log("planes", [up("A", 1, D1), up("B", 1, D1), up("B", 2, D3), up("C", 5, D1)])
    first = b.build(name)
    assert (first.status, first.counts.updated, first.counts.deleted) == ("published", 0, 0)
    b.log("planes", add=[up("A", 9, D2), gone("C", D2), up("D", 1, D4)], remove=[up("B", 2, D3)])
    second = b.build(name)
    assert second.status == "published"
    rows, snapshots = b.rows(name), b.data_snapshots(name)
    assert (b.build(name).status, b.build(name, rebuild=True).status) == ("unchanged", "unchanged")
    assert (b.rows(name), b.data_snapshots(name)) == (rows, snapshots)
    fresh = dict(MARTS)[kind]
    assert second.total == len(rows)
    assert rows == EXPECTED[kind](b, fresh)


def _keys(b, name, *columns):
    """Map (key columns) to the surrogate key, which tests of the transforms look at."""
    return {row[:-1]: row[-1] for row in b.rows(name, *columns, f"{name}_key")}


def _scd2(b, of):
    keys = _keys(b, of.name, "tail", "valid_from")
    rows = [
        ("A", 1, D1, D1, D2, False),
        ("A", 9, D2, D2, None, True),
        ("B", 1, D1, D1, None, True),
        ("C", 5, D1, D1, D2, False),
        ("D", 1, D4, D4, None, True),
    ]
    return sorted(((*row, keys[(row[0], row[3])], False) for row in rows), key=repr)


def _dimension(b, of):
    keys = _keys(b, of.name, "tail")
    rows = [("A", 9, D2, False), ("B", 1, D1, False), ("C", 5, D1, True), ("D", 1, D4, False)]
    return [(*row, keys[(row[0],)], False) for row in rows]


EXPECTED = {
    "latest": lambda b, of: [("A", 9, D2), ("B", 1, D1), ("D", 1, D4)],
    "scd2": _scd2,
    "dimension": _dimension,
    "history": lambda b, of: [
        ("A", 1, D1, "I", D1),
        ("A", 9, D2, "U", D2),
        ("B", 1, D1, "I", D1),
        ("C", 5, D1, "D", D2),
        ("C", 5, D1, "I", D1),
        ("D", 1, D4, "I", D4),
    ],
}


def test_a_run_touches_only_rows_that_differ_and_says_what_it_did(bench):
    b = bench([PLANES], [MARTS["latest"]])
    b.log("planes", [up("A", 1, D1), up("B", 1, D1), up("C", 1, D1)])
    b.build("latest_planes")
    b.log("planes", [up("A", 2, D2), gone("B", D2), up("D", 1, D2)])
    result = b.build("latest_planes")
    counts = result.counts
    assert (counts.inserted, counts.updated, counts.deleted, result.total) == (1, 1, 1, 3)
    assert b.rows("latest_planes", "tail", "_batch_id") == [
        ("A", "batch-1"),
        ("C", "batch-0"),
        ("D", "batch-1"),
    ]


def test_a_source_batch_that_changes_nothing_in_the_mart_adds_no_data_snapshot(bench):
    b = bench([PLANES], [MARTS["history"]])
    b.log("planes", [up("A", 1, D1)])
    b.build("planes_history")
    b.log("planes", [up("A", 1, D2)])
    assert b.build("planes_history").status == "unchanged"
    assert b.data_snapshots("planes_history") == 1
    table = b.lake.table("mart", "planes_history")
    assert str(b.lake.head(b.lake.table("staging", "planes")).id) in b.lake.property(table, "seen")


@pytest.mark.long(little=True)
def test_history_forgets_what_it_no_longer_keeps_in_keys_without_change_too(bench):
    kept = mart("h", "history", "planes", keep_for="2d")
    b = bench([PLANES], [kept])
    b.log("planes", [up("A", 1, D1), up("A", 2, D3), up("B", 1, D1)])
    b.build("h", now=datetime(2024, 1, 2, 9, tzinfo=UTC))
    assert len(b.rows("h")) == 3
    b.log("planes", [up("C", 1, D4)])
    assert b.build("h", now=datetime(2024, 1, 5, 9, tzinfo=UTC)).counts.deleted == 2
    assert b.rows("h") == [("A", 2, D3, "U", D3), ("C", 1, D4, "I", D4)]
    assert b.build("h", rebuild=True, now=datetime(2024, 1, 5, 20, tzinfo=UTC)).status == "unchanged"


def test_rows_without_a_key_come_and_go_as_often_as_they_are_in_the_log(bench):
    events, t1, t2 = table("events", "v int", load="append"), datetime(2024, 1, 1), datetime(2024, 1, 2)
    b = bench([events], [mart("h", "history", "events")])
    b.log("events", [(1, "I", t1), (1, "I", t1), (2, "I", t2), (None, "I", t2)])
    b.build("h")
    b.log("events", add=[(1, "I", t1), (3, "I", t2)], remove=[(2, "I", t2)])
    counts = b.build("h").counts
    assert (counts.inserted, counts.updated, counts.deleted) == (2, 0, 1)
    assert b.rows("h") == [(1, "I", t1)] * 3 + [(3, "I", t2), (None, "I", t2)]


def test_a_publish_by_another_run_in_between_is_computed_again_from_it(bench, monkeypatch):
    b = bench([PLANES], [MARTS["latest"]])
    b.log("planes", [up("A", 1, D1)])
    b.build("latest_planes")
    b.log("planes", [up("B", 1, D1)])
    publish, others = Branch.publish, [lambda: b.build("latest_planes")]

    def overtaken(branch):
        if others:
            others.pop()()
        return publish(branch)

    monkeypatch.setattr(Branch, "publish", overtaken)
    assert b.build("latest_planes").status == "unchanged"
    assert b.rows("latest_planes") == [("A", 1, D1), ("B", 1, D1)]


@pytest.mark.long(little=True)
def test_a_mart_that_is_always_overtaken_gives_up_in_the_end(bench, monkeypatch):
    b = bench([PLANES], [MARTS["latest"]])
    b.log("planes", [up("A", 1, D1)])
    tries = []

    def refused(branch):
        tries.append(branch.name)
        raise ConcurrentPublishError("published by another run")

    monkeypatch.setattr(Branch, "publish", refused)
    with pytest.raises(ConcurrentPublishError, match="published by another run"):
        b.build("latest_planes")
    assert len(tries) == 5
    assert b.rows("latest_planes") == []


def test_a_changed_contract_rebuilds_the_mart_with_its_new_columns(bench):
    b = bench([PLANES], [MARTS["latest"]])
    b.log("planes", [up("A", 1, D1)])
    b.build("latest_planes")
    words = {"load": "changes", "key": ("tail",), "effective_at": EffectiveAt(column="day")}
    b.plan = plan([table("planes", "tail string, seats bigint, owner string, day date", **words)], [MARTS["latest"]])
    assert b.build("latest_planes").status == "unchanged"
    assert b.rows("latest_planes", "tail", "seats", "owner", "day") == [("A", 1, None, D1)]
    b.plan = plan([table("planes", "tail string, day date", **words)], [MARTS["latest"]])
    b.build("latest_planes")
    assert b.rows("latest_planes") == [("A", D1)]


def test_a_mart_of_a_table_that_has_no_rows_yet_is_empty_and_follows(bench):
    b = bench([PLANES], [MARTS["scd2"]])
    result = b.build("dim_planes")
    assert (result.status, result.total, b.rows("dim_planes")) == ("unchanged", 0, [])
    b.log("planes", [up("A", 1, D1)])
    assert b.build("dim_planes").counts.inserted == 1


def test_a_source_that_vanished_does_not_empty_the_mart(bench):
    b = bench([PLANES], [MARTS["latest"]])
    b.log("planes", [up("A", 1, D1)])
    b.build("latest_planes")
    b.lake.spark.sql(f"DROP TABLE {b.lake.table('staging', 'planes')}")
    with pytest.raises(SourceMissingError, match="latest_planes: planes was read before and is gone"):
        b.build("latest_planes")


def test_sql_that_asks_for_what_there_is_not_fails_in_the_words_of_spark(bench):
    b = bench([PLANES], [mart("seats", "sql", "planes", sql="SELECT tail, nope FROM planes", key=("tail",))])
    b.log("planes", [up("A", 1, D1)])
    with pytest.raises(MartSqlError, match="seats: .*`nope` cannot be resolved.*. Correct the SQL"):
        b.build("seats")
