"""Maps, which Spark cannot compare: SQL reads them, no mart holds them."""

from __future__ import annotations

import dataclasses
from datetime import datetime

import pytest

from contracts.model import Column, EffectiveAt, Source, Table
from spark_jobs.layers.marts.tables import MartSchemaError
from tests.unit.spark_jobs.marts.bench import mart

T1, T2 = datetime(2024, 1, 1), datetime(2024, 1, 2)
COLUMNS = (Column("k", "int"), Column("m", "map<string,int>"))
AT = EffectiveAt(event_time=True)
APPENDED = Table(name="t", load="append", source=Source(prefix="t/"), columns=COLUMNS, effective_at=AT)


@pytest.mark.long
def test_sql_over_a_table_with_maps_is_recomputed_where_rows_came_and_went(bench):
    entries = mart(
        "entries",
        "sql",
        "t",
        sql="SELECT k, array_sort(map_entries(m)) AS entries FROM t",
        key=("k",),
        incremental_by=("k",),
    )
    b = bench([APPENDED], [entries])
    b.log("t", [(1, {"b": 2, "a": 1}, "I", T1), (2, {"c": 3}, "I", T1), (3, {}, "I", T2)])
    b.build("entries")
    assert b.rows("entries") == [(1, [("a", 1), ("b", 2)]), (2, [("c", 3)]), (3, [])]
    target = b.lake.table("staging", "t")
    b.lake.spark.sql(f"DELETE FROM {target} WHERE k = 1")
    b.log("t", [(2 + 2, {"d": 4}, "I", T2)])
    b.build("entries")
    assert b.rows("entries") == [(2, [("c", 3)]), (3, []), (4, [("d", 4)])]


MARTS = {
    "sql": (mart("maps", "sql", "t", sql="SELECT k, m FROM t", key=("k",)), "map<string,int>"),
    "sql with a map deep in it": (
        mart("maps", "sql", "t", sql="SELECT k, array(struct(m AS n)) AS m FROM t", key=("k",)),
        "array<struct<n:map<string,int>>>",
    ),
    "latest": (mart("maps", "latest", "t"), "map<string,int>"),
    "scd2": (mart("maps", "scd2", "t", track=("m",)), "map<string,int>"),
    "history": (mart("maps", "history", "t"), "map<string,int>"),
}


@pytest.mark.parametrize(("built", "kind"), MARTS.values(), ids=MARTS)
def test_a_mart_with_a_map_is_refused_with_a_way_out(bench, built, kind):
    b = bench([dataclasses.replace(APPENDED, key=("k",))], [built])
    b.log("t", [(1, {"a": 1}, "I", T1)])
    with pytest.raises(MartSchemaError) as raised:
        b.build("maps")
    assert str(raised.value) == (
        f"maps: column m is {kind}, and maps cannot be compared: return what is needed of it by SQL, such as one "
        "value or array_sort(map_entries(…))"
    )
