"""A shop's lake that is disturbed, what must hold in it afterwards, and the undisturbed one to compare it with."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from functions.shared.attributes import from_item
from orchestration.embedded.cloud import Cloud, open_cloud
from orchestration.embedded.report import Execution
from orchestration.embedded.settings import CloudSettings

SHOP = Path(__file__).parent / "contracts" / "shop"
TABLES = (
    "staging.customers",
    "staging.orders",
    "quarantine.customers",
    "quarantine.orders",
    "mart.dim_customers",
    "mart.fct_orders",
)
STAGE_ORDERS, STAGE_CUSTOMERS = "shop-dev-stage-orders", "shop-dev-stage-customers"
DIM_CUSTOMERS, FCT_ORDERS = "shop-dev-mart-dim_customers", "shop-dev-mart-fct_orders"
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
_OF_THE_RUN = ("_batch_id", "_built_at", "_staged_at", "_landed_at", "_quarantined_at", "_source_file", "_order")
BROKEN = "broken"  # in the key of a file that must fail
PATIENCE = 300
_DONE = frozenset({"staged", "duplicate", "superseded"})
_CLOSED = frozenset({"published", "failed", "abandoned"})
_PARTS = ("inserted", "updated", "unchanged", "duplicate", "rejected", "deleting")

Landing = tuple[str, bytes, datetime]
Rows = dict[str, Counter[Any]]


@dataclass
class Tally:
    """What was broken and what came of it."""

    injected: int = 0
    recovered: int = 0
    lost: int = 0
    doubled: int = 0

    def __str__(self) -> str:
        return (
            f"chaos: {self.injected} faults injected, {self.recovered} recovered, "
            f"{self.lost} lost, {self.doubled} doubled"
        )


@dataclass
class Shop:
    """A shop whose files are made up by their number; `landed` is all that came, in order."""

    cloud: Cloud
    tally: Tally
    landed: list[Landing] = field(default_factory=list)
    in_full: bool = False

    def name(self, table: str) -> str:
        """Return a table's name in a query; where the catalog is no folder it has all three parts."""
        layer, _, name = table.partition(".")
        return f"{layer}.shop_dev_{layer}.{name}" if self.in_full else table

    def orders(self) -> None:
        """Land three orders: two of customers that may be known, one of somebody unknown, and a row that is bad."""
        n = len(self.landed)
        day = FIRST_DAY + timedelta(days=n)
        rows = [f"{n * 10 + i},{who},{day:%Y-%m-%d}T0{i}:30:00Z,{n}.{i}0" for i, who in enumerate((1, n % 5, 900 + n))]
        lines = ["order_id,customer_id,ordered_at,amount", *rows, f"{n * 10 + 9},1,{day:%Y-%m-%d},much"]
        self._land(f"shop/orders/{day:%Y-%m-%d}/orders.csv", lines, day)

    def customers(self) -> None:
        """Land a full copy: one city changes, one customer comes, one goes, one has no key."""
        n = len(self.landed)
        day = FIRST_DAY + timedelta(days=n)
        rows = [f"{i},{'Bern' if i != n % 4 else f'Genf {n}'}" for i in range(6) if i != n % 6]
        self._land(f"crm/customers/{day:%Y-%m-%d}/customers.csv", ["customer_id,city", *rows, ",nowhere"], day)

    def _land(self, key: str, lines: list[str], day: datetime) -> None:
        landing = (key, "\n".join((*lines, "")).encode(), day + timedelta(hours=6))
        self.landed.append(landing)
        self.cloud.land(landing[1], landing[0], at=landing[2])

    def run(self) -> list[Execution]:
        """Let the pipeline run: what is on the queue, what is pending, and what the next sweep finds."""
        ended = self.cloud.run()
        live = self.cloud.live
        live.client("sqs").send_message(
            QueueUrl=live.outputs["LandingQueueUrl"], MessageBody=json.dumps({"landfall": "sweep"})
        )
        ended += self.cloud.run()
        self._wait_for_runs()
        return ended

    def _wait_for_runs(self) -> None:
        """Wait for runs that no execution waits for, such as one whose start was never answered."""
        deadline = time.monotonic() + PATIENCE
        while any(run.completed_on is None for run in self.cloud.live.jobs.all) and time.monotonic() < deadline:
            self.cloud.live.jobs.rest()

    def recover(self, injected: int) -> None:
        """Let the pipeline run after so many faults; all that is promised must hold then."""
        self.tally.injected += injected
        self.run()
        complaints = self.complaints()
        assert not complaints, complaints
        self.tally.recovered += injected

    def complaints(self) -> list[str]:
        """Return what is not as it must be when a pipeline has nothing to do."""
        return [
            *ledger_complaints(self.items()),
            *(self._ref_complaints() if self.in_full else branch_complaints(self.cloud.lake)),
            *self._book_complaints(),
            *self._order_complaints(),
        ]

    def items(self) -> list[dict[str, Any]]:
        return [from_item(item) for item in self.cloud.live.items()]

    def _order_complaints(self) -> Iterator[str]:
        """Yield what is wrong with the number of orders, before and after the mart."""
        expected = 3 * sum("orders" in key for key, _, _ in self.landed)
        for table in ("staging.orders", "mart.fct_orders"):
            [found] = self.cloud.query(f"SELECT count(*), count(DISTINCT order_id) FROM {self.name(table)}")[1]
            if found != (expected, expected):
                yield f"{table} has {found[0]} rows of {found[1]} orders, not {expected}"

    def _book_complaints(self) -> Iterator[str]:
        """Yield batches whose books are missing, double or wrong in audit.batches."""
        found = self.cloud.query(f"SELECT batch_id, balanced FROM {self.name('audit.batches')}")[1]
        written = Counter(batch for batch, _ in found)
        published = {one["batch_id"] for one in self.items() if one.get("state") == "published" and one.get("landings")}
        yield from (f"books of {batch}: {n} times" for batch, n in written.items() if n > 1)
        yield from (f"books of {batch}: missing" for batch in published - set(written))
        yield from (f"books of {batch}: unbalanced" for batch, balanced in found if not balanced)

    def _ref_complaints(self) -> Iterator[str]:
        """Yield the branches other than main."""
        for table in (*TABLES, "state.customers", "audit.batches"):
            found = self.cloud.query(f"SELECT name FROM {self.name(table)}.refs")[1]
            yield from (f"{table} has the branch {name}" for (name,) in found if name != "main")

    def rows(self) -> Rows:
        """Return the rows of all tables, without the columns that tell of the run which wrote them."""
        found: Rows = {}
        for table in TABLES:
            names, values = self.cloud.query(f"SELECT * FROM {self.name(table)}")
            kept = [n for n, name in enumerate(names) if name not in _OF_THE_RUN]
            found[table] = Counter(tuple(str(row[n]) for n in kept) for row in values)
        return found

    def compare(self, found: Rows, expected: Rows) -> None:
        """Count what the tables lack and what they have too often; both must be nothing."""
        self.tally.lost += sum((expected[table] - found[table]).total() for table in TABLES)
        self.tally.doubled += sum((found[table] - expected[table]).total() for table in TABLES)
        assert found == expected


def ledger_complaints(items: list[dict[str, Any]]) -> Iterator[str]:
    """Yield landings that are not done, leases that somebody holds, batches that are open or do not balance."""
    for item in items:
        kind, name = item["sk"].partition("#")[0], f"{item['pk']} {item['sk']}"
        if kind == "PENDING":
            yield f"{name} is pending"
        if kind == "LANDING" and item["state"] not in _DONE and BROKEN not in item["key"]:
            yield f"{name} is {item['state']}: {item.get('reason')}"
        if kind == "LEASE":
            yield from (f"{name}: {word} {item[word]}" for word in ("holder", "orphans", "due_marts") if item.get(word))
        if kind == "BATCH" and item["state"] not in _CLOSED:
            yield f"{name} is {item['state']}"
        if kind == "BATCH" and (books := item.get("books")) and books["read"] != sum(books[part] for part in _PARTS):
            yield f"{name} does not balance: {books}"


def branch_complaints(lake: Path) -> Iterator[str]:
    """Yield the branches other than main, read from the tables' own metadata."""
    for hint in lake.rglob("metadata/version-hint.text"):
        newest = max(hint.parent.glob("v*.metadata.json"), key=lambda path: int(path.name[1:].split(".")[0]))
        refs = json.loads(newest.read_text(encoding="utf-8")).get("refs", {})
        yield from (f"{hint.parent.parent.name} has the branch {name}" for name in refs if name != "main")


@contextmanager
def opened(
    lake: Path, tally: Tally, jobs: str, settings: CloudSettings | None = None, in_full: bool = False
) -> Iterator[Shop]:
    """Open a lake in which one day's files have been staged."""
    with open_cloud(SHOP, lake, jobs=jobs, settings=settings) as cloud:
        shop = Shop(cloud, tally, in_full=in_full)
        for land in (shop.customers, shop.orders):
            land()
            shop.run()
        assert shop.complaints() == []
        yield shop


def undisturbed(lake: Path, landed: list[Landing]) -> Rows:
    """Return the rows that the same files give in a lake where nothing goes wrong."""
    with open_cloud(SHOP, lake) as cloud:
        for key, body, at in landed:
            cloud.land(body, key, at=at)
        assert {one.status for one in cloud.run()} == {"SUCCEEDED"}
        return Shop(cloud, Tally()).rows()
