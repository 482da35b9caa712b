"""Maps, which Spark cannot compare: SQL reads them, no mart holds them."""

from __future__ import annotations

from datetime import datetime

import pytest

from contracts.model import Column, EffectiveAt, Source, Table
from spark_jobs.layers.marts.tables import MartSchemaError
from tests.unit.spark_jobs.marts.bench import mart

T1, T2 = datetime(2024, 1, 1), datetime(2024, 1, 2)
COLUMNS = (Column("k", "int"), Column("m", "map<string,int>"))
AT = EffectiveAt(event_time=True)
APPENDED = Table(name="t", load="append", source=Source(prefix="t/"), columns=COLUMNS, effective_at=AT)


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


@pytest.mark.parametrize(
    ("column", "kind"), [("m", "map<string,int>"), ("array(struct(m AS n)) AS m", "array<struct<n:map<string,int>>>")]
)
def test_a_mart_with_a_map_is_refused_with_a_way_out(bench, column, kind):
    b = bench([APPENDED], [mart("maps", "sql", "t", sql=f"SELECT k, {column} FROM t", key=("k",))])
    b.log("t", [(1, {"a": 1}, "I", T1)])
    with pytest.raises(MartSchemaError) as raised:
        b.build("maps")
    assert str(raised.value) == (
        f"maps: column m is {kind}, and maps cannot be compared: return what is needed of it, such as one value or "
        "array_sort(map_entries(…))"
    )
