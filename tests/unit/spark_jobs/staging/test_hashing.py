"""Row hashes: equal exactly where rows are equal by typed value, however deep the value lies and is declared."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pyspark.sql import functions as F

from contracts.model import Column, Mart, Plan
from spark_jobs.layers.marts.attempt import Run
from spark_jobs.layers.marts.build import build
from spark_jobs.layers.staging import capture
from spark_jobs.layers.staging.hashing import row_hash
from tests.unit.spark_jobs.staging.conftest import snapshot_table


def hashed(spark, values: str) -> str:
    rows = spark.sql(f"SELECT {values}")
    return rows.select(row_hash(rows.schema.fields)).head()[0]


EQUAL = {
    "entries of a map": ("map('a', 1, 'b', 2) AS m", "map('b', 2, 'a', 1) AS m"),
    "entries of a map in a map in an array": (
        "array(map('a', map('x', 1, 'y', 2), 'b', NULL)) AS m",
        "array(map('b', NULL, 'a', map('y', 2, 'x', 1))) AS m",
    ),
    "letters of names": (
        "1 AS Name, 2 AS b, named_struct('X', 1) AS S",
        "1 AS name, 2 AS B, named_struct('x', 1) AS s",
    ),
    "a wider decimal": ("CAST(5.25 AS decimal(20,2)) AS n", "CAST(5.25 AS decimal(38,2)) AS n"),
    "a decimal past twenty digits": (
        "CAST('123456789012345678901' AS decimal(21,0)) AS n",
        "CAST('123456789012345678901' AS decimal(38,0)) AS n",
    ),
    "a wider float in a struct": (
        "named_struct('f', float(0.1)) AS s",
        "named_struct('f', double(float(0.1))) AS s",
    ),
    "a column more that is NULL": ("1 AS a", "1 AS a, CAST(NULL AS map<string,timestamp>) AS b"),
}
DIFFERENT = {
    "microseconds in a struct": (
        "named_struct('at', TIMESTAMP '2020-01-01 00:00:00.123456') AS s",
        "named_struct('at', TIMESTAMP '2020-01-01 00:00:00.123999') AS s",
    ),
    "microseconds without a zone in an array in a map": (
        "map('k', array(TIMESTAMP_NTZ '2020-01-01 00:00:00.000001')) AS m",
        "map('k', array(TIMESTAMP_NTZ '2020-01-01 00:00:00')) AS m",
    ),
    "the last of many digits": (
        "CAST('123456789012345678901' AS decimal(38,0)) AS n",
        "CAST('123456789012345678902' AS decimal(38,0)) AS n",
    ),
    "values of a map": ("map('a', 1, 'b', 2) AS m", "map('a', 2, 'b', 1) AS m"),
    "a struct that is NULL": ("CAST(NULL AS struct<at:timestamp>) AS s", "named_struct('at', timestamp(NULL)) AS s"),
}


@pytest.mark.parametrize("case", EQUAL)
def test_equal_rows_have_one_hash(spark, case):
    assert hashed(spark, EQUAL[case][0]) == hashed(spark, EQUAL[case][1])


@pytest.mark.parametrize("case", DIFFERENT)
def test_rows_that_differ_have_two(spark, case):
    assert hashed(spark, DIFFERENT[case][0]) != hashed(spark, DIFFERENT[case][1])


NESTED = "named_struct('at', TIMESTAMP '2020-01-01 00:00:00.123', 'n', NULL) AS s, map('a', 1, 'b', NULL) AS m"
PINNED = {
    "1 AS a, 'x' AS b, CAST(1.5 AS decimal(10,2)) AS c, CAST(NULL AS int) AS d": "1e0593ed342cf8e4f261fc82aa322c4d",
    NESTED: "9838d50f931c498f557d1f6908d4b67d",
}


@pytest.mark.parametrize("values", PINNED)
def test_hashes_stay_what_they_are_in_tables_that_are_staged(spark, values):
    assert hashed(spark, values) == PINNED[values]


@pytest.mark.long(little=True)
@pytest.mark.parametrize("load", ["snapshot", "upsert"])
def test_rows_that_were_hashed_otherwise_are_told_again_once_and_open_no_version(bench, load):
    columns = (Column("k", "bigint"), Column("v", "string"), Column("s", "struct<at:timestamp>"))
    table = snapshot_table(load=load, columns=columns)

    def land(day: int, micros: int):
        moment = f'{{""at"": ""2020-01-01 00:00:00.{micros}""}}'
        return bench.land(f'k,v,s\n1,a,"{moment}"\n', f"planes/2020-01-{day:02d}.csv")

    with pytest.MonkeyPatch.context() as before:
        before.setattr(capture, "row_hash", lambda fields: F.reverse(row_hash(fields)))
        bench.stage(table, land(1, 123456))
        bench.stage(table, land(5, 123456))
    landings = [(6, 123456), (3, 123456), (7, 123456), (8, 123999)]
    assert [bench.stage(table, land(*landing)).books.unchanged for landing in landings] == [0, 0, 1, 0]
    mart = Mart("versions", "history", "planes", reads=("planes",))
    plan = Plan("p", {"planes": table}, {"versions": mart})
    build(Run(bench.lake, plan, mart, "b1", datetime(2020, 2, 1, tzinfo=UTC)))
    rows = bench.lake.read(bench.lake.table("mart", "versions")).orderBy("_effective_from")
    assert [(row["_op"], row["_effective_from"].day, row["s"]["at"].microsecond) for row in rows.collect()] == [
        ("I", 1, 123456),
        ("U", 8, 123999),
    ]
