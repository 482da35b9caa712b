"""Tables follow their contracts: what is added and widened in place, and what is refused with both types named."""

from __future__ import annotations

import pytest

from spark_jobs.layers.errors import SchemaChangeError
from spark_jobs.layers.evolution import changes, ensure, renew
from spark_jobs.layers.shaping import conformed, parse_schema
from tests.cases import few


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
    ("a array<int>", "a array<string>"): ([], ["a.element int string"]),
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


ANEW = {
    "a int": ("a string", "'x'", "x"),
    "a struct<x:int,y:int>": ("a struct<x:string,z:int>", "named_struct('x', 'x', 'z', 1)", ("x", 1)),
    "a array<int>": ("a array<string>", "array('x')", ["x"]),
    "a map<string,int>": ("a map<string,string>", "map('k', 'x')", {"k": "x"}),
}


@pytest.mark.parametrize("have", few(ANEW))
def test_where_all_rows_come_anew_readers_see_the_old_column_until_they_are_published(lake, have):
    want, value, found = ANEW[have]
    name = lake.table("staging", "t")
    ensure(lake, name, parse_schema(f"k int, {have}, z int"), ("bucket(2, k)",))
    lake.spark.sql(f"INSERT INTO {name} VALUES (1, NULL, 3)")
    before, old = lake.read(name).schema["a"].dataType, lake.head(name).id
    read_meanwhile = lake.read(name, old)
    schema = parse_schema(f"k int, {want}, z int")
    ensure(lake, name, schema, anew=True)
    branch = lake.branch(name, "b_1", alone=True)
    branch.clear()
    renew(branch, schema, ("truncate(2, a)",) if have == "a int" else ())
    branch.append(lake.spark.sql(f"SELECT 2 AS k, {value} AS A, 4 AS z UNION ALL SELECT 3, {value}, 5"))
    branch.remove(lake.spark.sql("SELECT 3 AS k"))
    assert lake.read(name).schema["a"].dataType == before
    assert [tuple(row) for row in lake.read(name).select("k", "a", "z").collect()] == [(1, None, 3)]
    sealed = branch.seal({"batch-id": "b1"})
    assert branch.publish() == lake.head(name).id != sealed
    assert lake.head(name).summary["landfall.batch-id"] == "b1"
    assert lake.read(name).columns == ["k", "a", "z"]
    assert [tuple(row) for row in lake.read(name).collect()] == [(2, found, 4)]
    for rows in (read_meanwhile, lake.read(name, old)):  # as a mart does that began before
        assert rows.schema["a"].dataType == before
        assert [tuple(row) for row in rows.collect()] == [(1, None, 3)]
    assert list(lake._partitions(name)) == (["truncate(2, a)"] if have == "a int" else [])
    assert [row.k for row in lake.spark.sql(f"SELECT k FROM {name} VERSION AS OF {lake.head(name).id}").collect()] == [
        2
    ]


def test_columns_that_nobody_published_go_with_their_branch(lake):
    name = lake.table("staging", "t")
    ensure(lake, name, parse_schema("k int, a bigint"), ("bucket(2, a)",))
    lake.spark.sql(f"INSERT INTO {name} VALUES (1, 2)")
    for want in ("k int, a string", "k string, a string"):
        branch = lake.branch(name, "b_1", alone=True)
        branch.clear()
        renew(branch, parse_schema(want), ("bucket(2, a)",))
    ensure(lake, name, parse_schema("k int, a bigint"), ("bucket(2, a)",))
    lake.branch(name, "b_2", alone=True)
    assert [tuple(row) for row in lake.read(name).collect()] == [(1, 2)]
    assert list(lake._partitions(name)) == ["bucket(2, a)"]


def test_a_column_by_whose_values_the_table_is_partitioned_keeps_its_type(lake):
    name = lake.table("staging", "t")
    ensure(lake, name, parse_schema("k int, a int, b int"), ("a", "bucket(2, b)"))
    with pytest.raises(SchemaChangeError) as raised:
        ensure(lake, name, parse_schema("k string, a string, b string"), anew=True)
    assert str(raised.value) == (
        "t: column a is int in the table and string in the contract; a type may only widen: int to bigint, float to "
        "double, decimal(p,s) to more digits before the point. The table is, or was, partitioned by a itself, which "
        "keeps that type as long as the table is there. Keep the type, or declare a column of another name. Or else: "
        f"drop {name} from the catalog, and start the same again; there is no such table until that is published"
    )
    assert lake.read(name).columns == ["k", "a", "b"]


def test_rows_are_brought_to_the_columns_of_a_schema(spark):
    rows = spark.sql("SELECT 1 AS K, named_struct('x', 1, 'old', 'a') AS s UNION ALL SELECT 2, NULL")
    shaped = conformed(rows, parse_schema("k bigint, s struct<x:bigint,y:string>, n date"))
    assert shaped.schema.simpleString() == "struct<k:bigint,s:struct<x:bigint,y:string>,n:date>"
    assert [tuple(row) for row in shaped.collect()] == [(1, (1, None), None), (2, None, None)]


def test_fields_inside_arrays_and_maps_go_by_their_names(spark):
    rows = spark.sql(
        "SELECT array(named_struct('street', 'S', 'zip', 1)) AS a, map('m', named_struct('y', 'Y', 'x', 'X')) AS m"
    )
    schema = parse_schema("a array<struct<zip:bigint,city:string,street:string>>, m map<string,struct<x:string>>")
    shaped = conformed(rows, schema)
    assert shaped.schema.simpleString() == schema.simpleString()
    assert [tuple(row) for row in shaped.collect()] == [([(1, None, "S")], {"m": ("X",)})]


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
