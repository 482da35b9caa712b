"""Values change their type by the names of their fields, wherever these stand."""

from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from spark_jobs.layers.by_name import by_name
from spark_jobs.layers.shaping import parse_schema

OLD, NEW = "struct<street:string,Zip:int,gone:int>", "struct<zip:bigint,city:string,street:string>"
SQL, ROW = "named_struct('street', 'S', 'Zip', 1, 'gone', 2)", (1, None, "S")
CASES = {
    "one type": ("int", "int", "1", 1),
    "a leaf": ("int", "string", "1", "1"),
    "a struct": (OLD, NEW, SQL, ROW),
    "a struct that is NULL": (OLD, NEW, "NULL", None),
    "a struct of names with dots": ("struct<`a.b`:int,c:int>", "struct<c:int,`a.b`:int>", "struct(1, 2)", (2, 1)),
    "an array": (f"array<{OLD}>", f"array<{NEW}>", f"array({SQL}, NULL)", [ROW, None]),
    "an array that is NULL": (f"array<{OLD}>", f"array<{NEW}>", "NULL", None),
    "a map": (f"map<string,{OLD}>", f"map<string,{NEW}>", f"map('k', {SQL}, 'n', NULL)", {"k": ROW, "n": None}),
    "a map that is NULL": (f"map<string,{OLD}>", f"map<string,{NEW}>", "NULL", None),
    "the keys of a map": (f"map<{OLD},int>", f"map<{NEW},string>", f"map({SQL}, 1)", {ROW: "1"}),
    "all of them": (
        f"struct<n:int,l:array<array<map<int,{OLD}>>>>",
        f"struct<l:array<array<map<int,{NEW}>>>>",
        f"struct(1, array(array(map(1, {SQL}))))",
        ([[{1: ROW}]],),
    ),
}


@pytest.mark.parametrize(("old", "new", "sql", "expected"), CASES.values(), ids=CASES)
def test_a_value_is_converted_by_the_names_of_its_fields(spark, old, new, sql, expected):
    have, want = (parse_schema(f"v {kind}")["v"].dataType for kind in (old, new))
    rows = spark.range(1).select(F.expr(f"CAST({sql} AS {old})").alias("v"))
    found = rows.select(by_name(F.col("v"), have, want).alias("v"))
    assert found.schema["v"].dataType.simpleString() == want.simpleString()
    assert [row.v for row in found.collect()] == [expected]
