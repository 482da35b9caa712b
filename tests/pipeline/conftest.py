"""A small shop in a lake of its own, which all tests of the pipeline share: deployed once, in one Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from orchestration.embedded.cloud import Cloud, open_cloud
from orchestration.embedded.report import Execution

SHOP = Path(__file__).parent / "contracts" / "shop"
ORDERS = "order_id,customer_id,ordered_at,amount"


class Shop:
    """The shop's lake, its cloud open whenever it is asked for; `reopen` is the next command."""

    is_open: ClassVar[Shop | None] = None

    def __init__(self, lake: Path) -> None:
        self.lake = lake
        self._opened: tuple[ExitStack, Cloud] | None = None

    @property
    def cloud(self) -> Cloud:
        if self._opened is None:
            stack = ExitStack()
            self._opened = stack, stack.enter_context(open_cloud(SHOP, self.lake))
            Shop.is_open = self
        return self._opened[1]

    def reopen(self) -> None:
        self.close()
        assert self.cloud

    def close(self) -> None:
        if self._opened is not None:
            self._opened[0].close()
            self._opened = Shop.is_open = None

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


@pytest.fixture
def alone() -> None:
    """Close the shop for a test with a lake of its own: a process has one cloud at a time."""
    if Shop.is_open is not None:
        Shop.is_open.close()


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
