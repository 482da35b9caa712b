"""A row that is appended once: as it was given, never doubled, whoever else writes meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from spark_jobs.layers import once
from spark_jobs.layers.errors import ConcurrentPublishError
from spark_jobs.layers.once import append_once

COLUMNS = "batch_id string, count bigint, is_good boolean, at timestamp, later string"
AT = datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)
LONG = "a batch id that is longer than the bounds which Iceberg keeps of strings, number "


@pytest.fixture
def table(lake):
    name = lake.table("audit", "batches")
    lake.create(name, lake.spark.createDataFrame([], COLUMNS).schema)
    return name


def row(batch_id, count=1):
    return {"batch_id": batch_id, "count": count, "is_good": True, "at": AT}


def found(lake, table):
    rows = lake.read(table).selectExpr("batch_id", "count", "is_good", "cast(at AS string)", "later")
    return [tuple(one) for one in rows.orderBy("batch_id").collect()]


def overtake(monkeypatch, lake, table, rival):
    """Let another row be written after the next writer has looked at the table, and before it writes."""
    written = once._written

    def overtaken(*args):
        monkeypatch.setattr(once, "_written", written)
        assert append_once(lake, table, rival, "batch_id")
        return written(*args)

    monkeypatch.setattr(once, "_written", overtaken)


def test_a_row_is_written_once_with_every_type(lake, table):
    assert append_once(lake, table, row("x", count=7), "batch_id")
    assert append_once(lake, table, row("y", count=2**40), "batch_id")
    assert not append_once(lake, table, row("x", count=8), "batch_id")
    moment = "2024-02-29 23:59:59.123456"
    assert found(lake, table) == [("x", 7, True, moment, None), ("y", 2**40, True, moment, None)]
    assert len(list(lake.history(table))) == 2


@pytest.mark.parametrize("is_new", [True, False])
def test_of_two_writers_at_once_one_writes(lake, table, monkeypatch, is_new):
    if not is_new:
        append_once(lake, table, row(LONG + "0"), "batch_id")
    overtake(monkeypatch, lake, table, row(LONG + "1", count=1))
    assert not append_once(lake, table, row(LONG + "1", count=2), "batch_id")
    assert [(one[0], one[1]) for one in found(lake, table)][-1] == (LONG + "1", 1)
    assert len(found(lake, table)) == len(list(lake.history(table))) == (1 if is_new else 2)


def test_rows_of_others_that_come_meanwhile_hold_nobody_up(lake, table, monkeypatch):
    overtake(monkeypatch, lake, table, row(LONG + "1"))
    assert append_once(lake, table, row(LONG + "2"), "batch_id")
    assert [one[0] for one in found(lake, table)] == [LONG + "1", LONG + "2"]


def test_a_table_that_never_rests_is_told(lake, table, monkeypatch):
    monkeypatch.setattr(once, "_ATTEMPTS", 2)
    commit = once._commit

    def overtaken(jvm, handle, file, column, value):
        everything = jvm.org.apache.iceberg.expressions.Expressions.alwaysTrue()
        other = once._written(jvm, lake.handle(table), row(value, count=9))
        lake.handle(table).newAppend().appendFile(other).commit()
        lake.handle(table).newDelete().deleteFromRowFilter(everything).commit()
        commit(jvm, handle, file, column, value)

    monkeypatch.setattr(once, "_commit", overtaken)
    with pytest.raises(ConcurrentPublishError, match="other commits came first 2 times while x was written"):
        append_once(lake, table, row("x"), "batch_id")
    assert found(lake, table) == []
