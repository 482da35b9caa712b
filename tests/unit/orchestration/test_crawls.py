"""Crawls on a laptop: what a crawler finds in the objects of a prefix, and how its table grows."""

from __future__ import annotations

import time
from decimal import Decimal

import boto3
import pytest
from moto import mock_aws

from contracts.samples import Sample
from orchestration.embedded import crawls


def crawled(name: str) -> dict[str, str]:
    glue = boto3.client("glue")
    glue.start_crawler(Name=name)
    for _ in range(100):
        if glue.get_crawler(Name=name)["Crawler"]["State"] == "READY":
            break
        time.sleep(0.05)
    tables = glue.get_tables(DatabaseName="shop_dev_raw")["TableList"]
    return {f"{one['Name']}.{c['Name']}": c["Type"] for one in tables for c in one["StorageDescriptor"]["Columns"]}


@pytest.fixture
def lake():
    with mock_aws(), crawls.attached(boto3.client):
        s3, glue = boto3.client("s3"), boto3.client("glue")
        s3.create_bucket(Bucket="raw", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        glue.create_database(DatabaseInput={"Name": "shop_dev_raw"})
        glue.create_crawler(
            Name="crawl",
            Role="role",
            DatabaseName="shop_dev_raw",
            TablePrefix="orders__",
            Targets={"S3Targets": [{"Path": "s3://raw/ops/orders/"}]},
        )
        yield s3


def test_a_table_is_made_of_the_objects_and_takes_more_columns_as_they_come(lake):
    assert crawled("crawl") == {}
    lake.put_object(Bucket="raw", Key="ops/orders/1.csv", Body=b"Id,Amount,At\n1,2,2024-01-02\n")
    lake.put_object(Bucket="raw", Key="ops/other/1.csv", Body=b"x\n1\n")
    assert crawled("crawl") == {
        "orders__orders.id": "bigint",
        "orders__orders.amount": "bigint",
        "orders__orders.at": "string",
    }
    lake.put_object(Bucket="raw", Key="ops/orders/2.csv", Body=b"id,amount,note\n2,2.5,x\n")
    lake.put_object(Bucket="raw", Key="ops/orders/3.csv", Body=b"")
    assert crawled("crawl") == {
        "orders__orders.id": "bigint",
        "orders__orders.amount": "double",
        "orders__orders.at": "string",
        "orders__orders.note": "string",
    }


def test_nested_objects_are_structs_and_names_small():
    sample = Sample(
        "jsonl",
        ("Id", "o.x", "o.`a.b`", "l"),
        ({"Id": 1, "o.x": Decimal("1.50"), "o.`a.b`": True, "l": [{"n": 1}]},),
    )
    assert crawls.columns_of([sample]) == {
        "id": "bigint",
        "o": "map<string,string>",
        "l": "array<struct<n:bigint>>",
    }
    plain = Sample("jsonl", ("o.x", "o.y"), ({"o.x": 1, "o.y": "2020-01-01"},))
    assert crawls.columns_of([plain]) == {"o": "struct<x:bigint,y:string>"}


def test_what_a_later_object_holds_more_of_widens_a_column_and_null_tells_nothing(lake):
    """Glue's crawler merges objects by their fields: a field more, or a number with a fraction, is no other type."""
    lake.put_object(Bucket="raw", Key="ops/orders/1.jsonl", Body=b'{"id":1,"o":{"x":1,"l":[{"a":1}]},"n":5}\n')
    assert crawled("crawl") == {
        "orders__orders.id": "bigint",
        "orders__orders.o": "struct<x:bigint,l:array<struct<a:bigint>>>",
        "orders__orders.n": "bigint",
    }
    lake.put_object(
        Bucket="raw",
        Key="ops/orders/2.jsonl",
        Body=b'{"id":2,"o":{"x":1.5,"l":[{"a":null,"b":true}],"y":"z"},"n":null,"new":1}\n',
    )
    wider = {
        "orders__orders.id": "bigint",
        "orders__orders.o": "struct<x:double,l:array<struct<a:bigint,b:boolean>>,y:string>",
        "orders__orders.n": "bigint",
        "orders__orders.new": "bigint",
    }
    assert crawled("crawl") == wider
    lake.delete_object(Bucket="raw", Key="ops/orders/2.jsonl")
    assert crawled("crawl") == wider


def test_types_that_files_tell_are_merged_field_by_field():
    kinds = ("struct<a:bigint,l:array<int>,m:map<string,bigint>>", "struct<a:double,m:map<string,double>,z:date>")
    samples = [Sample("parquet", ("o",), (), types={"o": kind}) for kind in kinds]
    assert crawls.columns_of(samples) == {"o": "struct<a:double,l:array<int>,m:map<string,double>,z:date>"}
