"""A small shop in a lake of its own, which all tests of the pipeline share: deployed once, in one Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.embedded.cloud import Cloud, open_cloud
from orchestration.embedded.report import Execution

SHOP = Path(__file__).parent / "contracts" / "shop"
ORDERS = "order_id,customer_id,ordered_at,amount"


class Shop:
    """The shop's lake, its cloud open; `reopen` is the next command."""

    def __init__(self, lake: Path) -> None:
        self.lake = lake
        self._opened = ExitStack()
        self.cloud: Cloud = self._opened.enter_context(open_cloud(SHOP, lake))

    def reopen(self) -> None:
        self.close()
        self._opened = ExitStack()
        self.cloud = self._opened.enter_context(open_cloud(SHOP, self.lake))

    def close(self) -> None:
        self._opened.close()

    def customers(self, day: str, *rows: str) -> None:
        self._land(f"crm/customers/{day}/customers.csv", "customer_id,city", rows, day)

    def orders(self, day: str, *rows: str, header: str = ORDERS) -> str:
        key = f"shop/orders/{day}/orders.csv"
        self._land(key, header, rows, day)
        return key

    def run(self) -> list[tuple[str, str]]:
        """Run until nothing is pending; return the executions' tables and outcomes."""
        return sorted((one.table, one.status) for one in self.cloud.run())

    def ran(self, action: Callable[[], Any]) -> list[Execution]:
        action()
        return self.cloud.run()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.cloud.query(sql)[1]

    def job_runs(self, job: str) -> list[str]:
        return [run.status for run in self.cloud.live.jobs.all if run.job_name == job]

    def landings(self, table: str) -> dict[str, int]:
        [found] = [one for one in self.cloud.status().tables if one.table == table]
        return dict(found.landings)

    def _land(self, key: str, header: str, rows: tuple[str, ...], day: str) -> None:
        at = datetime.fromisoformat(day).replace(hour=6, tzinfo=UTC)
        self.cloud.land("\n".join((header, *rows, "")).encode(), key, at=at)


@pytest.fixture(scope="package")
def shop(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop after its first day: two customers, two orders, one of them of a customer whom nobody knows."""
    opened = Shop(tmp_path_factory.mktemp("shop") / "a lake")
    try:
        opened.customers("2024-01-01", "1,Bern", "2,Genf")
        opened.orders("2024-01-01", "10,1,2024-01-01T09:00:00Z,5.50", "11,3,2024-01-01T10:00:00Z,7.25")
        assert opened.run() == [("customers", "SUCCEEDED"), ("orders", "SUCCEEDED")]
        yield opened
    finally:
        opened.close()
