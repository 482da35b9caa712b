"""`schema: crawler`: staging follows the crawler's table, and has it crawled anew when files hold more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from contracts.model import Check, Mart, Plan, Source
from spark_jobs.layers.errors import SchemaChangeError
from spark_jobs.layers.staging.crawled import CrawlerError, Crawls, known, spark_type
from tests.unit.spark_jobs.staging.conftest import Bench, snapshot_table
from tests.unit.spark_jobs.staging.test_extras import at, snapshot

OPEN = snapshot_table(columns=(), crawled=True, missing_columns="null")


@dataclass
class Glue:
    """Glue's crawlers and catalog: each crawl finds the next columns."""

    finds: list[Mapping[str, str] | Exception]
    tables: list[dict[str, Any]] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    crawls: int = 0

    def get_paginator(self, name: str) -> Glue:
        assert name == "get_tables"
        return self

    def paginate(self, DatabaseName: str) -> list[dict[str, Any]]:  # noqa: N803 (boto3's names)
        assert DatabaseName == "shop_dev_raw"
        return [{"TableList": self.tables}]

    def start_crawler(self, Name: str) -> None:  # noqa: N803
        assert Name == "shop-dev-crawl-planes"
        self.crawls += 1
        self.states += ["RUNNING", "STOPPING"]
        columns = [{"Name": name, "Type": kind} for name, kind in self.finds.pop(0).items()]
        self.tables[:1] = [{"Name": "planes__planes", "StorageDescriptor": {"Columns": columns}}]

    def get_crawler(self, Name: str) -> dict[str, Any]:  # noqa: N803
        return {
            "Crawler": {"State": self.states.pop(0) if self.states else "READY", "LastCrawl": {"Status": "SUCCEEDED"}}
        }


def crawls(*finds: Mapping[str, str], tables: tuple[str, ...] = ()) -> Crawls:
    found = [{"Name": name, "StorageDescriptor": {"Columns": []}} for name in tables]
    return Crawls(Glue(list(finds), found), "shop_dev_raw", "shop-dev-crawl-", sleep=lambda _: None)


def stage(bench: Bench, crawled: Crawls, *landings: Any, table: Any = OPEN) -> Any:
    from spark_jobs.layers.staging.reading import Reader
    from spark_jobs.layers.staging.stage import stage as stage_batch

    manifest = bench.manifest(table, *landings)
    reader = Reader(bench.lake.spark, bench.s3, "test-staging", manifest.batch_id)
    return stage_batch(bench.lake, table, manifest, reader, crawled)


def test_columns_are_the_crawlers_and_come_with_the_files(bench):
    crawled = crawls({"k": "bigint", "seat count": "bigint"}, {"k": "bigint", "seat_count": "bigint", "v": "string"})
    stage(bench, crawled, snapshot(bench, 1, "K,Seat Count", "1,200", "2,x"))
    stage(bench, crawled, snapshot(bench, 2, "k,seat count", "1,200", "2,7"))
    assert crawled.glue.crawls == 1
    stage(
        bench, crawled, snapshot(bench, 3, "v,k", "a,1", "b,2"), snapshot(bench, 4, "Seat Count,k,V", "6,1,a", ",2,b")
    )
    assert crawled.glue.crawls == 2
    assert bench.log(OPEN, "k", "seat_count", "v") == [
        (1, 200, None, "I", at(1)),
        (1, None, "a", "U", at(3)),
        (1, 6, "a", "U", at(4)),
        (2, 7, None, "I", at(2)),
        (2, None, "b", "U", at(3)),
    ]


def test_a_type_that_the_crawler_changes_is_named(bench):
    crawled = crawls({"k": "bigint", "v": "bigint"}, {"k": "bigint", "v": "string", "w": "string"})
    stage(bench, crawled, snapshot(bench, 1, "k,v", "1,2"))
    with pytest.raises(SchemaChangeError, match="column v is bigint in the table and string in the contract"):
        stage(bench, crawled, snapshot(bench, 2, "k,v,w", "1,x,y"))


@pytest.mark.long(little=True)
def test_objects_are_read_as_they_are_spelled(bench):
    table = snapshot_table(columns=(), crawled=True, missing_columns="null", source=Source("planes/", "jsonl"))
    crawled = crawls({"k": "bigint", "tailnum": "string", "o": "struct<x:array<int>>"})
    landing = bench.land('{"k": 1, "tailNum": "N1", "o": {"x": [1]}}\n{"k": 2}\n', "planes/2020-01-01/planes.jsonl")
    stage(bench, crawled, landing, table=table)
    assert [tuple(row) for row in bench.lake.read(bench.lake.table("staging", "planes")).select("k", "tailnum", "o.x")
            .orderBy("k").collect()] == [(1, "N1", [1]), (2, None, None)]  # fmt: skip


def test_what_the_contract_needs_and_the_crawler_lacks_is_told(bench):
    with pytest.raises(CrawlerError, match="^planes: the crawler knows no column k; it knows id, v$"):
        stage(bench, crawls({"id": "bigint", "v": "string"}), snapshot(bench, 1, "id,v", "1,a"))
    two = crawls(tables=("planes__a", "planes__b", "planes_too__c"))
    with pytest.raises(CrawlerError, match="made 2 tables .planes__a, planes__b.: files under planes/ have not one"):
        stage(bench, two, snapshot(bench, 1, "k", "1"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"checks": (Check("few", "seats < 9"),)}, "the check few"),
        ({"load": "changes", "delete_when": "seats = 'D'"}, "delete_when"),
    ],
)
def test_sql_that_asks_for_a_column_that_there_is_not_is_told_with_those_that_there_are(bench, words, told):
    table = replace(OPEN, **words)
    with pytest.raises(CrawlerError) as raised:
        stage(bench, crawls({"k": "bigint", "v": "string"}), snapshot(bench, 1, "k,v", "1,a"), table=table)
    assert str(raised.value).startswith(f"planes: {told} asks for what the crawler does not know: ")
    assert "`seats`" in str(raised.value) and str(raised.value).endswith("; it knows k, v")


@pytest.mark.long(little=True)
def test_of_two_columns_that_are_called_alike_each_holds_its_own(bench):
    crawled = crawls({"k": "bigint", "a b": "string", "a_b": "string"})
    stage(bench, crawled, snapshot(bench, 1, "k,a b,a_b", "1,x,y"))
    stage(bench, crawled, snapshot(bench, 2, "k,a_b", "1,z"), snapshot(bench, 3, "k,A b", "1,w"))
    assert bench.log(OPEN, "k", "a_b", "a_b_too") == [
        (1, "x", "y", "I", at(1)),
        (1, None, "z", "U", at(2)),
        (1, "w", None, "U", at(3)),
    ]


def test_marts_know_the_columns_that_were_staged_last(bench):
    stage(bench, crawls({"k": "bigint", "v": "string"}), snapshot(bench, 1, "k,v", "1,a"))
    mart = Mart("dim_planes", "scd2", "planes", reads=("planes",), key=("k",))
    plan = known(bench.lake, Plan("shop", {"planes": OPEN}, {"dim_planes": mart}))
    assert [(column.name, column.type) for column in plan.tables["planes"].columns] == [
        ("k", "bigint"),
        ("v", "string"),
    ]
    assert plan.marts["dim_planes"].track == ("v",)


def test_glues_types_become_sparks():
    assert spark_type("struct<char:varchar(10),n:array<char(2)>>") == "struct<char:string,n:array<string>>"
    assert [spark_type(kind) for kind in ("decimal(10,2)", "bigint", "timestamp")] == [
        "decimal(10,2)",
        "bigint",
        "timestamp",
    ]
