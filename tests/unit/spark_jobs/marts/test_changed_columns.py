"""Marts whose tables change their columns: small integers, nested fields, partitions, names."""

from __future__ import annotations

import dataclasses
from datetime import datetime

import pytest

from contracts.model import Column, EffectiveAt, Source, Table
from spark_jobs.layers import branches, evolution
from spark_jobs.layers.branches import Branch
from spark_jobs.layers.errors import SchemaChangeError
from spark_jobs.layers.maintenance import refs
from spark_jobs.layers.marts import attempt, build, tables
from spark_jobs.layers.marts.diff import Counts, DuplicateKeyError
from spark_jobs.layers.marts.events import log_schema
from spark_jobs.layers.marts.tables import MartSchemaError
from spark_jobs.layers.shaping import parse_schema
from tests.cases import few
from tests.unit.spark_jobs.marts.bench import mart, plan

T1, T2 = datetime(2024, 1, 1), datetime(2024, 1, 2)
LATEST = mart("latest_t", "latest", "t")
SELECTED = mart("sql_t", "sql", "t", sql="SELECT * FROM t", key=("k",))


def keyed(**columns):
    """Return table `t` with the key `k` and these columns: names to types."""
    named = (Column("k", "bigint"), *(Column(name, kind) for name, kind in columns.items()))
    at = EffectiveAt(event_time=True)
    return Table(name="t", load="changes", source=Source(prefix="t/"), columns=named, key=("k",), effective_at=at)


def changed(bench, old, new, before, after, mart_before=LATEST, mart_after=None):
    """Build a mart twice, between which its table's contract changes; return the bench."""
    b = bench([old], [mart_before])
    b.log("t", before)
    b.build(mart_before.name)
    b.plan = plan([new], [mart_after or mart_before])
    evolution.ensure(b.lake, b.lake.table("staging", "t"), log_schema(new))
    b.log("t", after)
    b.build(mart_before.name)
    return b


@pytest.mark.parametrize(
    ("built", "kind"),
    few([(SELECTED, "smallint"), (LATEST, "tinyint"), (mart("scd2_t", "scd2", "t", track=("v",)), "smallint")]),
    ids=("sql", "latest", "scd2"),
)
def test_a_mart_of_small_integers_is_built_again_and_again(bench, kind, built):
    b = changed(bench, keyed(v=kind), keyed(v=kind), [(1, 5, "I", T1)], [(2, 6, "I", T2)], built)
    assert b.build(built.name, rebuild=True).status == "unchanged"
    assert b.rows(built.name, "k", "v") == [(1, 5), (2, 6)]


NESTED = {
    "a field at the end": (
        ("struct<x:int>", (1,)),
        ("struct<x:int,y:int>", (2, 3)),
        [{"x": 1, "y": None}, {"x": 2, "y": 3}],
    ),
    "a wider field": (
        ("struct<x:int>", (1,)),
        ("struct<x:bigint>", (2**40,)),
        [{"x": 1}, {"x": 2**40}],
    ),
    "a field in the middle": (
        ("struct<street:string,zip:string>", ("S", "Z")),
        ("struct<street:string,city:string,zip:string>", ("T", "C", "Y")),
        [{"street": "S", "city": None, "zip": "Z"}, {"street": "T", "city": "C", "zip": "Y"}],
    ),
    "a field less": (
        ("struct<street:string,zip:string>", ("S", "Z")),
        ("struct<zip:string>", ("Y",)),
        [{"zip": "Z"}, {"zip": "Y"}],
    ),
    "a field less in an array": (
        ("array<struct<street:string,zip:string>>", [("S", "Z")]),
        ("array<struct<zip:string>>", [("Y",)]),
        [[{"zip": "Z"}], [{"zip": "Y"}]],
    ),
    "a field in the middle in an array": (
        ("array<struct<sku:string,note:string>>", [("S", "N")]),
        ("array<struct<sku:string,colour:string,note:string>>", [("T", "red", "M")]),
        [[{"sku": "S", "colour": None, "note": "N"}], [{"sku": "T", "colour": "red", "note": "M"}]],
    ),
}


@pytest.mark.parametrize("case", few(NESTED))
def test_nested_fields_keep_their_names_whatever_stands_beside_them(bench, case):
    old, new, values = NESTED[case]
    built = (LATEST, SELECTED)[[*NESTED].index(case) % 2]
    before, after = [(1, old[1], "I", T1)], [(2, new[1], "I", T2)]
    b = changed(bench, keyed(a=old[0]), keyed(a=new[0]), before, after, built)
    found = b.lake.read(b.lake.table("mart", built.name)).orderBy("k")
    assert [row.asDict(recursive=True)["a"] for row in found.collect()] == values


@pytest.mark.long(little=True)
@pytest.mark.parametrize("built", [LATEST, SELECTED], ids=lambda m: m.kind)
def test_a_column_by_which_a_mart_was_partitioned_is_null_from_then_on_and_may_come_back(bench, built):
    before = [(1, "a", "x", "I", T1), (2, "b", "y", "I", T1)]
    by_r = dataclasses.replace(built, partition_by=("r",))
    old, new = keyed(v="string", r="string"), keyed(v="string")
    b = changed(bench, old, new, before, [(1, "c", "U", T2)], by_r, built)
    assert b.rows(built.name, "k", "v", "r") == [(1, "c", None), (2, "b", None)]
    b.log("t", [(2, None, "D", T2)])
    b.build(built.name)
    assert b.rows(built.name, "k", "v", "r") == [(1, "c", None)]
    catalog, name = b.lake.table("mart", built.name).split(".", 1)
    b.lake.spark.sql(f"CALL {catalog}.system.rewrite_manifests('{name}')")
    b.plan = plan([old], [by_r])
    b.log("t", [(3, "d", "z", "I", T2)])
    b.build(built.name)
    assert b.rows(built.name, "k", "v", "r") == [(1, "c", None), (3, "d", "z")]


@pytest.mark.long(little=True)
@pytest.mark.parametrize("built", [LATEST, SELECTED], ids=lambda m: m.kind)
def test_a_column_whose_name_changes_by_case_alone_keeps_its_values(bench, built):
    b = changed(bench, keyed(Name="string"), keyed(name="string"), [(1, "a", "I", T1)], [(2, "b", "I", T2)], built)
    assert b.rows(built.name) == [(1, "a"), (2, "b")]
    anew = mart("anew", built.kind, "t", sql=built.sql, key=built.key)
    b.plan = plan([keyed(name="string")], [anew])
    b.build("anew")
    assert b.rows("anew", "k", "name") == [(1, "a"), (2, "b")]


def test_a_column_less_is_lost_by_a_build_that_succeeds_and_by_no_other(bench):
    def selected(sql):
        return plan([keyed(v="string", w="struct<x:int,y:int>")], [dataclasses.replace(SELECTED, sql=sql)])

    b = bench([], [])
    b.plan = selected("SELECT k, v, w FROM t")
    b.log("t", [(1, "a", (1, 2), "I", T1), (2, "b", None, "I", T1)])
    b.build("sql_t")
    rows = b.rows("sql_t")
    b.plan = selected("SELECT k % 1 AS k, named_struct('y', w.y) AS w FROM t")
    with pytest.raises(DuplicateKeyError):
        b.build("sql_t")
    assert b.rows("sql_t") == rows
    b.plan = selected("SELECT k, v, w FROM t")
    assert (b.build("sql_t").status, b.rows("sql_t")) == ("unchanged", rows)
    b.plan = selected("SELECT k, named_struct('y', w.y) AS w FROM t WHERE k = 1")
    counts = b.build("sql_t").counts
    assert (counts.inserted, counts.updated, counts.deleted) == (0, 0, 1)
    name = b.lake.table("mart", "sql_t")
    for found in (b.lake.read(name), b.lake.read(name, b.lake.head(name).id)):
        assert found.drop("_batch_id", "_built_at").schema.simpleString() == "struct<k:bigint,w:struct<y:int>>"
    assert b.rows("sql_t") == [(1, (2,))]


BY_V = dataclasses.replace(keyed(v="string"), key=("v",))
NARROW = keyed(v="int")
ANEW = 'Stage the table anew from its raw files: start {"table": "t", "mode": "rebuild", "layer": "staging"}'


@pytest.mark.parametrize(
    ("contract", "words"),
    [
        (BY_V, f"t: key was [k] and is [v]: rows staged before would mean something else now. {ANEW}"),
        (
            NARROW,
            "t: column v is string in the table and int in the contract; a type may only widen: int to bigint, float "
            "to double, decimal(p,s) to more digits before the point. Keep the type, or declare a column of another "
            f"name. Or else: {ANEW}",
        ),
    ],
    ids=("key", "type"),
)
def test_rows_that_were_staged_under_another_contract_are_not_read(bench, contract, words):
    """A mart that reads other tables too is built by their batches: it keeps its last good state until then."""
    b = bench([keyed(v="string")], [LATEST])
    b.log("t", [(1, "a", "I", T1), (2, "a", "I", T1)])
    b.build("latest_t")
    b.plan = plan([contract], [LATEST])
    for rebuild in (False, True):
        with pytest.raises(SchemaChangeError) as raised:
            b.build("latest_t", rebuild)
        assert str(raised.value) == words
    assert b.rows("latest_t", "k", "v") == [(1, "a"), (2, "a")]


@pytest.mark.parametrize("kind", few(["scd2", "dimension"]))
def test_a_mart_of_one_kind_becomes_one_of_another(bench, kind):
    b = bench([keyed(v="string")], [LATEST])
    b.log("t", [(1, "a", "I", T1), (2, "b", "I", T1)])
    b.build("latest_t")
    b.plan = plan([keyed(v="string")], [mart("latest_t", kind, "t", track=("v",))])
    counts = b.build("latest_t").counts
    assert (counts.inserted, counts.updated, counts.deleted) == (2, 0, 2)
    assert b.rows("latest_t", "k", "v", "is_inferred") == [(1, "a", False), (2, "b", False)]
    assert b.build("latest_t", rebuild=True).status == "unchanged"


def selected(columns, **more):
    """Return a plan whose mart `sql_t` selects these columns."""
    sql = f"SELECT k, {columns} FROM t"
    return plan([keyed(v="string", w="string")], [dataclasses.replace(SELECTED, sql=sql, **more)])


def built_of_text(bench, **more):
    b = bench([], [])
    b.plan = selected("v, w", **more)
    b.log("t", [(1, "7", "x", "I", T1), (2, None, "y", "I", T1)])
    b.build("sql_t")
    b.plan = selected("CAST(v AS int) AS v, w", **more)
    return b


@pytest.mark.parametrize("step", few(["append", "seal", "publish"]))
def test_a_column_of_another_type_begins_anew_and_readers_see_the_old_one_until_then(bench, monkeypatch, step):
    b = built_of_text(bench)

    def dies(reaches, **_):
        if reaches == step:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        for module in (build, branches):
            patch.setattr(module, "reached", dies)
        with pytest.raises(KeyboardInterrupt):
            b.build("sql_t")
    assert b.rows("sql_t", "k", "v", "w") == [(1, "7", "x"), (2, None, "y")]
    b.batches = iter([1, 2, 3])  # the batch is tried again
    assert b.build("sql_t").counts == Counts(inserted=2)
    name = b.lake.table("mart", "sql_t")
    for found in (b.lake.read(name), b.lake.read(name, b.lake.head(name).id)):
        assert found.drop("_batch_id", "_built_at").schema.simpleString() == "struct<k:bigint,v:int,w:string>"
    assert b.rows("sql_t") == [(1, 7, "x"), (2, None, "y")]
    b.log("t", [(2, "8", "z", "U", T2)])
    assert b.build("sql_t").counts == Counts(updated=1)
    assert b.rows("sql_t") == [(1, 7, "x"), (2, 8, "z")]


@pytest.mark.long(little=True)
def test_a_type_that_changes_under_the_same_contract_is_refused_until_the_mart_is_rebuilt(bench, monkeypatch):
    b = built_of_text(bench)
    monkeypatch.setattr(attempt, "fingerprint", lambda *_: b.lake.property(b.lake.table("mart", "sql_t"), "contract"))
    b.log("t", [(2, "8", "z", "U", T2)])
    with pytest.raises(MartSchemaError) as raised:
        b.build("sql_t")
    assert str(raised.value) == (
        "sql_t: column v is string in the table and int in the contract; a type may only widen: int to bigint, float "
        "to double, decimal(p,s) to more digits before the point. Keep the type, or give the column another name. Or "
        'else build the mart anew: start {"table": "t", "mode": "rebuild", "marts": ["sql_t"]}'
    )
    assert b.rows("sql_t") == [(1, "7", "x"), (2, None, "y")]
    b.build("sql_t", rebuild=True)
    assert b.rows("sql_t") == [(1, 7, "x"), (2, 8, "z")]


@pytest.mark.long(little=True)
def test_what_a_dead_build_began_anew_goes_with_its_branch(bench):
    b = built_of_text(bench)
    name = b.lake.table("mart", "sql_t")
    tables.renew(b.lake.branch(name, "b_dead"), parse_schema("k bigint, v int, w string"), ())
    b.plan = selected("v, w, 1 AS x")
    b.build("sql_t")
    assert b.rows("sql_t", "k", "v", "w", "x") == [(1, "7", "x", 1), (2, None, "y", 1)]
    refs.drop_dead(b.lake, name, [*b.lake.history(name)], before=2**62)
    assert b.lake.read(name).columns == ["k", "v", "w", "_batch_id", "_built_at", "x"]


@pytest.mark.long(little=True)
def test_of_two_builds_that_begin_a_column_anew_one_publishes_and_the_other_sees_it(bench, monkeypatch):
    b = built_of_text(bench)
    publish, others = Branch.publish, [lambda: b.build("sql_t")]

    def overtaken(branch):
        if others:
            others.pop()()
        return publish(branch)

    monkeypatch.setattr(Branch, "publish", overtaken)
    assert b.build("sql_t").status == "unchanged"
    assert b.rows("sql_t") == [(1, 7, "x"), (2, None, "y")]
    assert b.lake.read(b.lake.table("mart", "sql_t")).columns == ["k", "v", "w", "_batch_id", "_built_at"]


@pytest.mark.long(little=True)
def test_fields_of_another_type_begin_anew_with_their_column(bench):
    b = built_of_text(bench)
    for columns, row in (("struct(v AS a, w AS b) AS s", ("7", "x")), ("struct(int(v) AS a) AS s", (7,))):
        b.plan = selected(columns)
        b.build("sql_t")
        assert b.rows("sql_t")[0] == (1, row)


@pytest.mark.long(little=True)
def test_a_column_that_partitions_a_mart_keeps_its_type_as_long_as_the_table_is_there(bench):
    b = built_of_text(bench, partition_by=("v",))
    for rebuild in (False, True):
        with pytest.raises(MartSchemaError) as raised:
            b.build("sql_t", rebuild)
        assert str(raised.value).endswith(
            "Or else drop the table, which such a column partitions, and build the mart anew: start "
            '{"table": "t", "mode": "rebuild", "marts": ["sql_t"]}'
        )
    assert b.rows("sql_t", "k", "v", "w") == [(1, "7", "x"), (2, None, "y")]
    b.lake.spark.sql(f"DROP TABLE {b.lake.table('mart', 'sql_t')}")
    b.build("sql_t", rebuild=True)
    assert b.rows("sql_t") == [(1, 7, "x"), (2, None, "y")]
