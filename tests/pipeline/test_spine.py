"""A file lands and the marts are right: queue, functions, ledger, state machine and jobs of the deployed template."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

from orchestration.embedded.cli.outcome import remarks
from tests.pipeline.conftest import Shop

FACTS = "SELECT order_id, amount FROM mart.fct_orders ORDER BY order_id"
DATA_SNAPSHOTS = """
    SELECT snapshot_id FROM {table}.snapshots
    WHERE coalesce(summary['added-data-files'], summary['deleted-data-files'], '0') <> '0' ORDER BY committed_at"""


def test_files_that_land_become_rows_of_their_marts(shop: Shop) -> None:
    found = shop.rows(
        "SELECT f.order_id, f.amount, c.city, c.is_inferred FROM mart.fct_orders f "
        "JOIN mart.dim_customers c ON c.dim_customers_key = f.dim_customers_key WHERE f.order_id < 12 ORDER BY 1"
    )
    assert found == [(10, Decimal("5.50"), "Bern", False), (11, Decimal("7.25"), None, True)]
    versions = shop.rows("SELECT city, valid_from, valid_to FROM mart.dim_customers WHERE customer_id = 1")
    assert versions == [("Bern", datetime(2024, 1, 1, tzinfo=UTC), None)]
    books = shop.rows(
        "SELECT read, inserted, updated, rejected FROM audit.batches WHERE table = 'orders' "
        "ORDER BY published_at LIMIT 1"
    )
    assert books == [(2, 2, 0, 0)]


def test_what_comes_twice_changes_no_row_and_adds_no_snapshot_with_data(shop: Shop) -> None:
    tables = ("staging.orders", "mart.fct_orders", "mart.city_sales", "staging.customers", "mart.dim_customers")
    snapshots = {table: shop.rows(DATA_SNAPSHOTS.format(table=table)) for table in tables}
    rows = {table: sorted(shop.rows(f"SELECT * FROM {table}"), key=str) for table in tables}
    shop.orders("2024-01-01", "10,1,2024-01-01T09:00:00Z,5.50", "11,3,2024-01-01T10:00:00Z,7.25")
    shop.customers("2024-01-01", "1,Bern", "2,Genf")
    assert shop.cloud.live.redeliver() >= 4
    assert {status for _, status in shop.run()} <= {"SUCCEEDED"}
    assert {table: shop.rows(DATA_SNAPSHOTS.format(table=table)) for table in tables} == snapshots
    assert {table: sorted(shop.rows(f"SELECT * FROM {table}"), key=str) for table in tables} == rows
    assert shop.landings("orders")["duplicate"] == shop.landings("customers")["duplicate"] == 1


def test_a_mart_job_that_fails_once_is_run_again_and_nobody_is_told(shop: Shop) -> None:
    told = len(shop.cloud.notifications())
    shop.cloud.live.jobs.fail("shop-dev-mart-city_sales", "SparkException: an executor was lost")
    shop.orders("2024-01-02", "12,1,2024-01-02T09:00:00Z,1.00")
    assert shop.run() == [("orders", "SUCCEEDED")]
    assert shop.job_runs("shop-dev-mart-city_sales")[-2:] == ["FAILED", "SUCCEEDED"]
    assert len(shop.cloud.notifications()) == told
    assert (12, Decimal("1.00")) in shop.rows(FACTS)


def test_a_mart_that_always_fails_spares_the_others_and_is_repaired_by_a_start(shop: Shop) -> None:
    told = len(shop.cloud.notifications())
    shop.cloud.live.jobs.fail("shop-dev-mart-dim_customers", "SparkException: no space left on device", times=10)
    shop.customers("2024-01-03", "1,Chur", "2,Genf")
    [failed] = shop.ran(lambda: None)
    assert (failed.table, failed.status, failed.error) == ("customers", "FAILED", "SparkException")
    assert failed.cause is not None and failed.cause.startswith("dim_customers: ")
    latest = "SELECT city FROM mart.latest_customers WHERE customer_id = 1"
    current = "SELECT city FROM mart.dim_customers WHERE customer_id = 1 AND is_current"
    assert shop.rows(latest) == [("Chur",)]
    assert shop.rows(current) == [("Bern",)]
    [message] = shop.cloud.notifications()[told:]
    assert message.subject == "[shop-dev] customers: mart dim_customers failed: SparkException"
    assert "no space left on device" in message.message and "SKIPPED  city_sales, fct_orders" in message.message
    assert json.loads(message.attributes["report"])["rerun"] == [{"table": "customers"}]
    shop.cloud.live.jobs.mend("shop-dev-mart-dim_customers")
    assert shop.cloud.start({"table": "customers"}).status == "SUCCEEDED"
    assert shop.rows(current) == [("Chur",)]


def test_a_file_that_breaks_its_contract_is_refused_kept_and_told_and_the_next_one_goes_on(shop: Shop) -> None:
    told, before = len(shop.cloud.notifications()), shop.rows(FACTS)
    bad = shop.orders("2024-01-04", "13,1,2024-01-04T09:00:00Z", header="order_id,customer_id,ordered_at")
    [failed] = shop.ran(lambda: None)
    assert (failed.status, failed.error) == ("FAILED", "ContractViolationError")
    assert shop.rows(FACTS) == before
    assert shop.landings("orders")["failed"] == 1
    items = [item for item in shop.cloud.live.items() if item.get("key", {}).get("S") == bad]
    assert "amount" in items[0]["reason"]["S"] and items[0]["column"]["S"] == "amount"
    raw = shop.cloud.live.outputs["RawBucketName"]
    kept = shop.cloud.client("s3").get_object(Bucket=raw, Key=bad)["Body"].read()
    assert (
        kept == (shop.lake / raw / bad).read_bytes() == b"order_id,customer_id,ordered_at\n13,1,2024-01-04T09:00:00Z\n"
    )
    [message] = shop.cloud.notifications()[told:]
    assert bad in message.message and "amount" in message.message
    shop.orders("2024-01-05", "14,2,2024-01-05T09:00:00Z,3.00")
    assert shop.run() == [("orders", "SUCCEEDED")]
    assert (14, Decimal("3.00")) in shop.rows(FACTS)


def test_a_file_that_a_limit_stops_is_told_with_its_records_and_the_others_go_on(shop: Shop) -> None:
    told = len(shop.cloud.notifications())
    bad = shop.orders("2024-01-06", "15,1,2024-01-06T09:00:00Z,1.00", "x,1,2024-01-06T09:00:00Z,1", "y,1,,1")
    shop.orders("2024-01-07", "16,1,2024-01-07T09:00:00Z,4.00", "17,1,2024-01-07T09:00:00Z,5.00", "z,1,,1")
    [failed] = shop.ran(lambda: None)
    assert (failed.status, failed.error) == ("FAILED", "LimitExceededError")
    assert failed.cause is not None and "2 of 3 records read would be rejected, the limit is 50%" in failed.cause
    [message] = shop.cloud.notifications()[told:]
    assert message.subject == "[shop-dev] orders: stopped by limit max_rejected"
    assert (
        f"To blame: {bad}" in message.message and f"{bad}, record 2: column order_id: 'x' is no int" in message.message
    )
    assert "in quarantine 1 of 3 records" in message.message
    shown = "shop/orders/2024-01-07/orders.csv record 3: column order_id 'z' is no int"
    assert list(remarks(failed)) == [f"orders: 1 record of 3 in quarantine: {shown}"]
    assert {15, 16, 17} & {row[0] for row in shop.rows(FACTS)} == {16, 17}
    assert shop.cloud.start({"table": "orders", "allow": ["max_rejected"]}).status == "SUCCEEDED"
    assert {15, 16, 17} <= {row[0] for row in shop.rows(FACTS)}


def test_an_operator_s_mistake_is_a_sentence(shop: Shop) -> None:
    refused = shop.cloud.start({"table": "customers", "mode": "sideways"})
    assert (refused.status, refused.error) == ("FAILED", "InvalidRequestError")
    assert refused.cause is not None and "incremental" in refused.cause


def test_an_object_that_no_contract_claims_is_written_down(shop: Shop) -> None:
    before = shop.cloud.status().unrouted
    shop.cloud.land(b"?", "elsewhere/a b+c.csv")
    assert shop.run() == []
    assert shop.cloud.status().unrouted == before + 1
    unrouted = [item["key"]["S"] for item in shop.cloud.live.items() if item["pk"]["S"] == "UNROUTED"]
    assert unrouted.count("elsewhere/a b+c.csv") == 1
