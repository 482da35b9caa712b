"""Tables follow their contracts: what is added and widened in place, and what is refused with both types named."""

from __future__ import annotations

import pytest

from spark_jobs.layers.errors import SchemaChangeError
from spark_jobs.layers.evolution import changes, ensure
from spark_jobs.layers.shaping import conformed, parse_schema


def told(have: str, want: str) -> tuple[list[str], list[str]]:
    found = changes(parse_schema(have), parse_schema(want))
    refused = [f"{'.'.join(path)} {one.simpleString()} {other.simpleString()}" for path, one, other in found.refused]
    return found.alters, refused


CASES = {
    ("a int", "A int"): ([], []),
    ("a int, b string", "a int"): ([], []),
    ("a int", "a int, b array<int>"): (["ADD COLUMN `b` array<int>"], []),
    ("a int", "a int, `x``y` struct<`p q`:int>"): (["ADD COLUMN `x``y` struct<`p q`: int>"], []),
    ("a int", "a bigint"): (["ALTER COLUMN `a` TYPE bigint"], []),
    ("a float", "a double"): (["ALTER COLUMN `a` TYPE double"], []),
    ("a decimal(10,2)", "a decimal(12,2)"): (["ALTER COLUMN `a` TYPE decimal(12,2)"], []),
    ("a int", "a smallint"): ([], []),
    ("s struct<x:int,y:string>", "s struct<x:bigint,z:date>"): (
        ["ALTER COLUMN `s`.`x` TYPE bigint", "ADD COLUMN `s`.`z` date"],
        [],
    ),
    ("s array<struct<x:float>>", "s array<struct<x:double>>"): (["ALTER COLUMN `s`.`element`.`x` TYPE double"], []),
    ("m map<string,int>", "m map<string,bigint>"): (["ALTER COLUMN `m`.`value` TYPE bigint"], []),
    ("a bigint", "a int"): ([], ["a bigint int"]),
    ("a bigint", "a smallint"): ([], ["a bigint smallint"]),
    ("a double", "a float"): ([], ["a double float"]),
    ("a decimal(12,2)", "a decimal(10,2)"): ([], ["a decimal(12,2) decimal(10,2)"]),
    ("a decimal(10,2)", "a decimal(12,4)"): ([], ["a decimal(10,2) decimal(12,4)"]),
    ("a int", "a string"): ([], ["a int string"]),
    ("a date", "a timestamp"): ([], ["a date timestamp"]),
    ("s struct<x:bigint>", "s struct<x:int>"): ([], ["s.x bigint int"]),
    ("s string", "s struct<x:int>"): ([], ["s string struct<x:int>"]),
}


@pytest.mark.parametrize(("have", "want"), CASES)
def test_columns_are_added_and_widened_and_nothing_else(spark, have, want):
    assert told(have, want) == CASES[have, want]


def test_a_table_is_brought_to_its_contract_with_its_rows(lake):
    name = lake.table("staging", "t")
    ensure(lake, name, parse_schema("k int, gone string, s struct<x:float>"))
    lake.spark.sql(f"INSERT INTO {name} VALUES (1, 'a', named_struct('x', 1.5))")
    ensure(lake, name, parse_schema("k bigint, `a``b` struct<`p q`:int>, s struct<x:double,`y z`:string>"))
    rows = lake.read(name)
    assert rows.schema.simpleString() == (
        "struct<k:bigint,gone:string,s:struct<x:double,y z:string>,a`b:struct<p q:int>>"
    )
    assert [tuple(row) for row in rows.collect()] == [(1, "a", (1.5, None), None)]


def test_a_refused_change_changes_nothing_and_names_both_types_and_the_way_out(lake):
    name = lake.table("staging", "t")
    ensure(lake, name, parse_schema("a bigint, b string"))
    with pytest.raises(SchemaChangeError) as raised:
        ensure(lake, name, parse_schema("a int, b date, c int"), way_out="Ask.")
    assert str(raised.value) == (
        "t: column a is bigint in the table and int in the contract; column b is string in the table and date in the "
        "contract; a type may only widen: int to bigint, float to double, decimal(p,s) to more digits before the "
        "point. Ask."
    )
    assert lake.read(name).columns == ["a", "b"]


def test_where_all_rows_come_anew_a_changed_column_begins_again(lake):
    name = lake.table("staging", "t")
    ensure(lake, name, parse_schema("k int, a bigint"))
    lake.spark.sql(f"INSERT INTO {name} VALUES (1, 2)")
    ensure(lake, name, parse_schema("k int, a string"), anew=True)
    assert [tuple(row) for row in lake.read(name).select("k", "a").collect()] == [(1, None)]
    assert lake.read(name).schema["a"].dataType.simpleString() == "string"


def test_rows_are_brought_to_the_columns_of_a_schema(spark):
    rows = spark.sql("SELECT 1 AS K, named_struct('x', 1, 'old', 'a') AS s UNION ALL SELECT 2, NULL")
    shaped = conformed(rows, parse_schema("k bigint, s struct<x:bigint,y:string>, n date"))
    assert shaped.schema.simpleString() == "struct<k:bigint,s:struct<x:bigint,y:string>,n:date>"
    assert [tuple(row) for row in shaped.collect()] == [(1, (1, None), None), (2, None, None)]


def test_partitions_follow_the_contract_and_old_rows_stay_readable(lake):
    name = lake.table("staging", "t")
    schema = parse_schema("k bigint, at timestamp, city string")
    ensure(lake, name, schema, ("month(at)", "bucket(4, k)"))
    lake.spark.sql(f"INSERT INTO {name} VALUES (1, TIMESTAMP '2020-01-01 00:00:00', 'Bern')")
    before = lake.head(name)
    ensure(lake, name, schema, ("month( at )", "bucket(4,k)"))
    assert lake.handle(name).spec().specId() == 0
    ensure(lake, name, schema, ("day(at)", "truncate(2, city)", "bucket(4, k)"))
    lake.spark.sql(f"INSERT INTO {name} VALUES (2, TIMESTAMP '2020-02-01 00:00:00', 'Genf')")
    assert list(lake._partitions(name)) == ["bucket(4, k)", "days(at)", "truncate(2, city)"]
    assert [row.k for row in lake.read(name, before.id).collect()] == [1]
    found = lake.read(name).where("at > '2019-01-01' AND city LIKE 'B%' OR k = 2").orderBy("k")
    assert [row.k for row in found.collect()] == [1, 2]
    ensure(lake, name, schema)
    assert list(lake._partitions(name)) == []
    lake.spark.sql(f"DELETE FROM {name} WHERE k = 1")
    assert [row.k for row in lake.read(name).collect()] == [2]
