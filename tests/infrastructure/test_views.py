"""What analysts find: views of what is true now, and a policy that shows them marts and nothing else."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import sqlglot

from contracts.mart_columns import columns_of_marts
from contracts.model import Column, Mart
from contracts.types import parse_type
from orchestration.athena_sql import outputs, select
from orchestration.views import current_views
from tests.infrastructure.stack import Resources, small_plan
from tests.infrastructure.test_pipeline_stack import text


def kept_text(view: dict[str, Any]) -> dict[str, Any]:
    """Return what Athena reads of a view."""
    words = view["TableInput"]["ViewOriginalText"].split()
    assert (words[:4], words[-1]) == (["/*", "Presto", "View:", words[3]], "*/")
    read: dict[str, Any] = json.loads(base64.b64decode(words[3]))
    return read


def test_a_mart_with_versions_has_a_view_of_what_is_true_now_as_athena_keeps_views(resources: Resources) -> None:
    [view] = resources.of_type("AWS::Glue::Table").values()
    table = view["TableInput"]
    assert (view["DatabaseName"], table["Name"]) == ("nycflights_dev_mart", "dim_planes_current")
    assert (table["TableType"], table["Parameters"]["presto_view"]) == ("VIRTUAL_VIEW", "true")
    read = kept_text(view)
    assert (read["catalog"], read["schema"]) == ("awsdatacatalog", "nycflights_dev_mart")
    assert read["originalSql"] == (
        'SELECT "tailnum", "seats", CAST("valid_from" AS timestamp(3)) AS "valid_from", '
        'CAST("valid_to" AS timestamp(3)) AS "valid_to", "is_current", "dim_planes_key", "is_inferred", "_batch_id", '
        'CAST("_built_at" AS timestamp(3)) AS "_built_at" FROM "nycflights_dev_mart"."dim_planes" '
        "WHERE is_current AND NOT is_inferred"
    )
    kept = [(column["name"], column["type"]) for column in read["columns"]]
    assert kept[:3] == [("tailnum", "varchar"), ("seats", "integer"), ("valid_from", "timestamp(3)")]
    hive = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    assert (
        list(hive)
        == [name for name, _ in kept]
        == sqlglot.parse_one(read["originalSql"], dialect="athena").named_selects
    )
    assert (hive["tailnum"], hive["seats"], hive["valid_from"]) == ("string", "int", "timestamp")


def test_analysts_and_operators_have_workgroups_apart(resources: Resources) -> None:
    described = {"nycflights-dev": "reads the marts", "nycflights-dev-operators": "reads every layer"}
    results = {}
    for workgroup in resources.of_type("AWS::Athena::WorkGroup").values():
        name, configuration = workgroup["Name"], workgroup["WorkGroupConfiguration"]
        assert workgroup["Description"] == f"Landfall nycflights-dev: {described[name]}"
        assert workgroup["RecursiveDeleteOption"] is True  # with what was asked, it could not be destroyed
        assert configuration["EnforceWorkGroupConfiguration"] is True
        assert configuration["BytesScannedCutoffPerQuery"] == 107_374_182_400
        assert configuration["ResultConfiguration"]["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}
        results[name] = text(configuration["ResultConfiguration"]["OutputLocation"]).rpartition(">")[2]
    assert results == {"nycflights-dev": "/query-results/", "nycflights-dev-operators": "/operators-query-results/"}


def test_queries_to_begin_with_lie_in_the_workgroup_of_those_who_may_ask_them(resources: Resources) -> None:
    found = resources.of_type("AWS::Athena::NamedQuery").values()
    words = ("Name", "Description", "Database", "WorkGroup", "QueryString")
    assert [tuple(query[word] for word in words) for query in found] == [
        (
            "dim_planes",
            "The mart dim_planes",
            "nycflights_dev_mart",
            "nycflights-dev",
            'SELECT * FROM "nycflights_dev_mart"."dim_planes" WHERE is_current AND NOT is_inferred LIMIT 100',
        ),
        (
            "fct_flights",
            "The mart fct_flights",
            "nycflights_dev_mart",
            "nycflights-dev",
            'SELECT * FROM "nycflights_dev_mart"."fct_flights" LIMIT 100',
        ),
        (
            "books",
            "What the newest batches read, wrote and refused",
            "nycflights_dev_audit",
            "nycflights-dev-operators",
            'SELECT * FROM "nycflights_dev_audit"."batches" ORDER BY published_at DESC LIMIT 100',
        ),
    ]


def test_views_and_queries_come_after_the_database_and_the_workgroups_that_they_lie_in(cdk_out: Path) -> None:
    outer = json.loads((cdk_out / "landfall-nycflights-dev.template.json").read_text())["Resources"]
    [needed] = [stack["DependsOn"] for name, stack in outer.items() if name.startswith("ViewsSqlNestedStack")]
    assert [name[:-8] for name in needed] == ["JobsMartDatabase", "ViewsOperatorsWorkgroup", "ViewsWorkgroup"]


def test_a_mart_that_is_called_like_a_view_keeps_its_name() -> None:
    plan = small_plan()
    taken = {**plan.marts, "dim_planes_current": Mart("dim_planes_current", "latest", "planes", reads=("planes",))}
    dimension = Mart("members", "dimension", "planes", reads=("planes",), key=("tailnum",))
    assert current_views(plan) == ["dim_planes"]
    assert current_views(dataclasses.replace(plan, marts={**taken, "members": dimension})) == ["members"]


@pytest.mark.parametrize(
    ("kind", "sql", "trino", "hive", "quicksight"),
    [
        ("tinyint", '"x"', "integer", "int", "INTEGER"),
        ("smallint", '"x"', "integer", "int", "INTEGER"),
        ("string", '"x"', "varchar", "string", "STRING"),
        ("double", '"x"', "double", "double", "DECIMAL"),
        ("bigint", '"x"', "bigint", "bigint", "INTEGER"),
        ("float", '"x"', "real", "float", "DECIMAL"),
        ("decimal(12,2)", '"x"', "decimal(12,2)", "decimal(12,2)", "DECIMAL"),
        ("date", '"x"', "date", "date", "DATETIME"),
        ("timestamp_ntz", 'CAST("x" AS timestamp(3)) AS "x"', "timestamp(3)", "timestamp", "DATETIME"),
        ("boolean", '"x"', "boolean", "boolean", "BOOLEAN"),
        ("binary", 'to_hex("x") AS "x"', "varchar", "string", "STRING"),
        ("array<struct<a:int>>", 'json_format(CAST("x" AS json)) AS "x"', "varchar", "string", "STRING"),
        ("struct<a:int>", 'json_format(CAST("x" AS json)) AS "x"', "varchar", "string", "STRING"),
        (
            "map<int,timestamp>",
            'json_format(CAST(CAST("x" AS map(integer, timestamp(3))) AS json)) AS "x"',
            "varchar",
            "string",
            "STRING",
        ),
        (
            "map<date,int>",
            'json_format(CAST(CAST("x" AS map(varchar, integer)) AS json)) AS "x"',
            "varchar",
            "string",
            "STRING",
        ),
        (
            "array<struct<At:timestamp,n:tinyint,d:decimal(9,2)>>",
            'json_format(CAST(CAST("x" AS array(row("at" timestamp(3), "n" integer, "d" decimal(9,2)))) AS json)) '
            'AS "x"',
            "varchar",
            "string",
            "STRING",
        ),
    ],
)
def test_every_type_has_its_word_in_athena_glue_and_quicksight(
    kind: str, sql: str, trino: str, hive: str, quicksight: str
) -> None:
    found = outputs({"X": parse_type(kind)})[0]
    assert (found.name, found.sql) == ("x", sql)
    assert (found.trino, found.hive, found.quicksight) == (trino, hive, quicksight)


def test_names_are_quoted_and_audit_columns_come_last() -> None:
    assert [one.sql for one in outputs({'a"B': parse_type("int")})] == [
        '"a""b"',
        '"_batch_id"',
        'CAST("_built_at" AS timestamp(3)) AS "_built_at"',
    ]


def test_bytes_inside_of_others_of_which_no_text_can_be_made_are_left_out() -> None:
    assert [one.name for one in outputs({"x": parse_type("struct<b:binary>"), "y": parse_type("int")})][:1] == ["y"]


def test_columns_whose_type_nobody_tells_are_left_out() -> None:
    plan = small_plan()
    planes = dataclasses.replace(plan.tables["planes"], columns=(Column("tailnum", "string"), Column("seats", "int")))
    sql = (
        "SELECT tailnum, seats * 2 AS twice, no_such_function(seats) AS riddle, make_date(2020, 1, seats) AS day, "
        "make_timestamp(2020, 1, 1, 0, 0, seats) AS moment, date_trunc('month', make_date(2020, 1, 1)) AS month, "
        "hash(tailnum) AS short, xxhash64(tailnum) AS long FROM planes"
    )
    mart = Mart("twice", "sql", "planes", reads=("planes",), key=("tailnum",), sql=sql)
    told = columns_of_marts(dataclasses.replace(plan, tables={"planes": planes}, marts={"twice": mart}))
    assert {name: str(kind) for name, kind in told["twice"].items()} == {
        "tailnum": "string",
        "twice": "int",
        "riddle": "None",
        "day": "date",
        "moment": "timestamp",
        "month": "timestamp",
        "short": "int",
        "long": "bigint",
    }
    assert select("db", "twice", outputs(told["twice"])).startswith('SELECT "tailnum", "twice", "day", CAST("moment"')


def test_readers_of_marts_see_the_mart_bucket_and_the_mart_database_and_no_other(resources: Resources) -> None:
    [policy] = resources.of_type("AWS::IAM::ManagedPolicy").values()
    found: dict[str, set[str]] = {}
    for statement in policy["PolicyDocument"]["Statement"]:
        resource, action = statement["Resource"], statement["Action"]
        for one in resource if isinstance(resource, list) else [resource]:
            found.setdefault(text(one), set()).update(action if isinstance(action, list) else [action])
    assert "Users" not in policy and "Roles" not in policy
    written = {place for place, actions in found.items() if any(":Put" in a or ":Delete" in a for a in actions)}
    assert [place.split("/", 1)[1] for place in written] == ["query-results/*"]
    assert {place.split("/")[0] for place in found if place.startswith("<Storage")} == {
        next(place for place in found if place.startswith("<StorageMart")).split("/")[0]
    }
    tables = {place.rsplit("/", 2)[-2] for place in found if ":table/" in place}
    assert tables == {"nycflights_dev_mart"}
    assert found["*"] == {"athena:ListDataCatalogs", "athena:ListWorkGroups"}
    assert not [a for actions in found.values() for a in actions if a.endswith(":*")]
