"""The ledger is lost, and made again from the raw bucket, as the runbook says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pipeline.conftest import Shop

pytestmark = pytest.mark.long
TABLES = ("staging.customers", "staging.orders", "mart.dim_customers", "mart.fct_orders", "mart.latest_customers")


def rows(shop: Shop) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of all tables, but for what tells of files and batches."""
    found = {}
    for table in TABLES:
        columns, values = shop.cloud.query(f"SELECT * FROM {table}")
        plain = [dict(zip(columns, one, strict=True)) for one in values]
        found[table] = sorted(({n: v for n, v in one.items() if n[0] != "_" or n == "_op"} for one in plain), key=repr)
    return found


def test_a_ledger_that_is_lost_is_made_again_from_the_raw_bucket(shop: Shop) -> None:
    shop.customers("2024-04-02", "1,Bern", "2,Basel")
    shop.orders("2024-04-02", "401,1,2024-04-02T09:00:00Z,1.00")
    assert {status for _, status in shop.run()} == {"SUCCEEDED"}
    bad = shop.orders("2024-04-04", "403", header="order_id")
    assert shop.run() == [("orders", "FAILED")]
    before = rows(shop)
    dynamodb, ledger = shop.cloud.client("dynamodb"), shop.cloud.live.outputs["LedgerTableName"]
    for item in shop.cloud.live.items():
        dynamodb.delete_item(TableName=ledger, Key={name: item[name] for name in ("pk", "sk")})
    shop.orders("2024-04-03", "402,2,2024-04-03T09:00:00Z,2.00")
    assert shop.run() == [("orders", "SUCCEEDED")]
    refused = shop.cloud.start({"table": "orders", "mode": "rebuild", "layer": "staging"})
    assert (refused.status, refused.error, bad in str(refused.cause)) == ("FAILED", "ContractViolationError", True)
    for table in ("orders", "customers"):
        assert shop.cloud.start({"table": table, "mode": "rebuild", "layer": "staging"}).status == "SUCCEEDED"
    after = rows(shop)
    [new] = [one for one in after["mart.fct_orders"] if one not in before["mart.fct_orders"]]
    assert (new["order_id"], new["amount"]) == (402, 2)
    assert len(after.pop("staging.orders")) == len(before.pop("staging.orders")) + 1
    assert {**after, "mart.fct_orders": [one for one in after["mart.fct_orders"] if one != new]} == before
    assert shop.landings("customers")["staged"] == 2
