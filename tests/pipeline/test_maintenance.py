"""Maintenance in the laptop's cloud: the real machine, the real job, on tables that batches have written."""

from __future__ import annotations

import os
import time

import pytest

from tests.pipeline.conftest import Shop

pytestmark = pytest.mark.long
TABLES = ("staging.customers", "staging.orders", "mart.dim_customers", "mart.fct_orders", "mart.latest_customers")
_FIVE_DAYS = 5 * 24 * 3600


def rows(shop: Shop) -> dict[str, list[tuple[object, ...]]]:
    return {table: sorted(shop.rows(f"SELECT * FROM {table}"), key=repr) for table in TABLES}


def test_tables_are_compacted_files_of_nobody_go_and_no_row_changes(shop: Shop) -> None:
    for day in range(2, 8):
        if day in (2, 7):
            shop.customers(f"2024-02-0{day}", "1,Bern", f"2,Ort {day}")
        shop.orders(f"2024-02-0{day}", f"{100 + day},1,2024-02-0{day}T09:00:00Z,1.00")
        assert {status for _, status in shop.run()} == {"SUCCEEDED"}
    before = rows(shop)
    [folder] = shop.lake.glob("*staging*/shop_dev_staging/orders/data")
    old, young = folder / "old.parquet", folder / "young.parquet"
    for path in (old, young):
        path.write_bytes(b"left by a job that died")
    os.utime(old, times=(time.time() - _FIVE_DAYS,) * 2)
    execution, report = shop.cloud.maintain()
    done = {one["table"].split(".", 1)[0] + "." + one["table"].rsplit(".", 1)[1]: one for one in report}
    assert (execution.status, execution.output["names"]) == ("SUCCEEDED", "all")
    assert done["staging.orders"]["files_written"] == 1 and done["staging.orders"]["orphans_deleted"] == 1
    assert (old.exists(), young.exists()) == (False, True)
    assert "error" not in {name for one in report for name in one}
    assert rows(shop) == before
    shop.orders("2024-02-09", "200,2,2024-02-09T09:00:00Z,2.00")
    assert shop.run() == [("orders", "SUCCEEDED")]
    assert len(rows(shop)["mart.fct_orders"]) == len(before["mart.fct_orders"]) + 1
    young.unlink()


def test_a_wrong_name_is_refused_and_told(shop: Shop) -> None:
    execution, report = shop.cloud.maintain(["order"])
    assert (execution.status, execution.error, report) == ("FAILED", "InvalidRequestError", [])
    assert "[shop-dev] maintenance: failed: InvalidRequestError" in [one.subject for one in shop.cloud.notifications()]


def test_one_table_alone_is_maintained(shop: Shop) -> None:
    _, report = shop.cloud.maintain(["latest_customers"])
    assert [one["table"] for one in report] == ["mart.shop_dev_mart.latest_customers"]
