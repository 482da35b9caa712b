"""One command goes on where another stopped."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestration.embedded.cli.main import cli
from orchestration.embedded.cloud import open_cloud
from orchestration.embedded.report import CloudError, QueryError
from tests.pipeline.conftest import SHOP, Shop


def test_the_next_command_knows_what_the_last_one_did_and_goes_on(shop: Shop) -> None:
    s3, raw = shop.cloud.client("s3"), shop.cloud.live.outputs["RawBucketName"]
    first = s3.put_object(Bucket=raw, Key="notes/x.txt", Body=b"one", Metadata={"by": "hand"})
    s3.put_object(Bucket=raw, Key="notes/x.txt", Body=b"two")
    shop.orders("2024-02-01", "20,1,2024-02-01T09:00:00Z,2.00")
    names, ledger = shop.cloud.live.stack.resources, shop.cloud.live.items()
    done = [one.arn for one in shop.cloud.status().executions]
    told = shop.cloud.notifications()
    shop.reopen()
    assert [one.arn for one in shop.cloud.status().executions] == done
    assert shop.cloud.notifications() == told
    assert sorted(shop.cloud.live.items(), key=str) == sorted(ledger, key=str)
    kinds = ("Storage", "Ledger", "Functions", "Ingestion", "Jobs", "Workflow")
    steady = {name: id_ for name, id_ in names.items() if name.startswith(kinds) and "EventSource" not in name}
    assert {name: shop.cloud.live.stack.resources[name] for name in steady} == steady
    s3 = shop.cloud.client("s3")
    old = s3.get_object(Bucket=raw, Key="notes/x.txt", VersionId=first["VersionId"])
    assert (old["Body"].read(), old["Metadata"]) == (b"one", {"by": "hand"})
    assert s3.get_object(Bucket=raw, Key="notes/x.txt")["Body"].read() == b"two"
    assert shop.cloud.client("stepfunctions").describe_execution(executionArn=done[0])["status"] in (
        "SUCCEEDED",
        "FAILED",
    )
    assert ("orders", "SUCCEEDED") in shop.run()
    assert (20, Decimal("2.00")) in shop.rows("SELECT order_id, amount FROM mart.fct_orders")


def test_two_commands_do_not_use_a_lake_at_once(shop: Shop) -> None:
    _ = shop.cloud.live
    with open_cloud(SHOP, shop.lake) as second, pytest.raises(CloudError, match="is in use by another command"):
        second.land(b"", "x")


def test_a_command_leaves_another_what_it_works_with_though_contracts_have_changed(shop: Shop, tmp_path: Path) -> None:
    _ = shop.cloud.live
    folder = shop.cloud._assembly.folder
    changed = shutil.copytree(SHOP, tmp_path / "shop")
    with (changed / "tables" / "orders.yaml").open("a", encoding="utf-8") as contract:
        contract.write("freshness: 2d\n")
    with open_cloud(changed, shop.lake) as second:
        second.status()
        with pytest.raises(CloudError, match="is in use by another command"):
            second.land(b"", "x")
    assert (folder / "manifest.json").exists()


def test_a_lake_belongs_to_one_pipeline(shop: Shop) -> None:
    shop.close()
    other = SHOP.parents[3] / "contracts" / "nycflights"
    with open_cloud(other, shop.lake) as cloud:
        for command in (lambda: cloud.land(b"", "x"), cloud.status):
            with pytest.raises(CloudError, match="belongs to landfall-shop-dev, not to the pipeline nycflights"):
                command()
    shop.reopen()


def test_status_and_queries_deploy_nothing(shop: Shop) -> None:
    told = shop.cloud.status()
    shop.close()
    with open_cloud(SHOP, shop.lake) as cloud:
        assert [one.table for one in cloud.status().tables] == ["customers", "orders"]
        assert cloud.status().executions == told.executions
        assert cloud.query("SELECT count(*) > 1 AS many FROM staging.orders") == (["many"], [(True,)])
        assert cloud._live is None
    shop.reopen()


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT * FROM mart.nothing", "nothing` cannot be found.* The lake has audit.batches, .*mart.fct_orders"),
        ("SELECT raise_error('no such luck')", "no such luck"),
        ("SELEC 1", "Syntax error"),
        ("DELETE FROM mart.fct_orders", "Only questions are answered here"),
        ("DROP TABLE mart.fct_orders", "Only questions are answered here"),
        ("WITH a AS (SELECT 1) INSERT INTO mart.fct_orders TABLE mart.fct_orders", "Only questions are answered here"),
        ("FROM mart.fct_orders INSERT INTO mart.fct_orders SELECT * INSERT INTO mart.fct_orders SELECT *", "Only"),
        ("SELECT DATE'+10000-01-01'", "year 10000 is out of range: cast such times and dates to string to see them"),
    ],
)
def test_a_query_that_cannot_be_answered_says_why(shop: Shop, sql: str, why: str) -> None:
    with pytest.raises(QueryError, match=why):
        shop.cloud.query(sql)


def test_the_first_and_the_last_instant_are_shown(shop: Shop) -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    sql = "SELECT timestamp'0001-01-01' AS first, array(timestamp'9999-12-31 23:59:59.999999') AS last"
    assert shop.cloud.query(sql) == (["first", "last"], [(first, [last])])


def test_json_holds_no_two_columns_of_one_name(shop: Shop) -> None:
    places = ["--pipeline", str(SHOP), "--lake", str(shop.lake)]
    result = CliRunner().invoke(cli, ["query", "SELECT 1 AS a, 2 AS a", "--format", "json", *places])
    sentence = "Error: two columns are called a, and JSON holds one: name them apart with AS.\n"
    assert (result.exit_code, result.stderr) == (2, sentence)


def test_queries_tell_the_tables_of_the_lake_and_their_columns(shop: Shop) -> None:
    assert shop.cloud.query("show tables in staging") == (
        ["layer", "table"],
        [("staging", "customers"), ("staging", "orders")],
    )
    every = shop.cloud.query("SHOW TABLES;")[1]
    assert {("audit", "batches"), ("mart", "fct_orders"), ("staging", "orders")} <= set(every)
    assert ("_op", "string") in [row[:2] for row in shop.cloud.query("DESCRIBE staging.orders")[1]]
