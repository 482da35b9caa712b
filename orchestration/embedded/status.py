"""The state of the pipeline, told from the ledger's items."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from contracts.model import Plan, Table
from functions.shared.attributes import from_item
from functions.shared.choosing import is_held, is_replaced
from functions.shared.holding import to_mend
from functions.shared.landings import CLAIMED, PENDING, Landing
from functions.shared.ledger import Lease
from functions.shared.wholes import incomplete, waiting_words
from orchestration.embedded.report import Batch, Execution, FailedFile, Status, TableStatus

_UNSETTLED = frozenset({PENDING, CLAIMED})
_TABLE, _UNROUTED = "TABLE#", "UNROUTED"
Item = Mapping[str, Any]


def tell(
    plan: Plan,
    items: Iterable[Mapping[str, Any]],
    executions: Sequence[Execution],
    messages: Mapping[str, Sequence[Item]],
) -> Status:
    """Return the status from the ledger's items, as DynamoDB writes them in JSON, and the messages of the queues.

    The first queue is that of the landings, the other one holds its dead letters.
    """
    by_table: dict[str, list[Item]] = defaultdict(list)
    read = _read(items)
    for item in read:
        if item["pk"].startswith(_TABLE):
            by_table[item["pk"].removeprefix(_TABLE)].append(item)
    claimed = {item["sk"] for of_table in by_table.values() for item in of_table}  # by a contract that came later
    unrouted = sum(item["pk"] == _UNROUTED and item["sk"] not in claimed for item in read)
    names = [*plan.tables, *sorted(set(by_table) - set(plan.tables))]
    now = datetime.now(UTC)
    newest_first = sorted(_with_batches(executions, read), key=lambda one: one.started or now, reverse=True)
    tables = tuple(_table(name, by_table[name], now, plan) for name in names)
    queued, dead = [*messages.values()] or ((), ())
    return Status(tables, tuple(newest_first), unrouted, sum(map(_events, queued)), len(dead))


def with_batches(executions: Iterable[Execution], items: Iterable[Mapping[str, Any]]) -> list[Execution]:
    """Return the executions with what their batches came to."""
    return _with_batches(executions, _read(items))


def _with_batches(executions: Iterable[Execution], items: Iterable[Item]) -> list[Execution]:
    closed: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item["sk"].startswith("BATCH#") and "outcome" in item:
            closed[item["execution"]].append(item)
    return [
        replace(
            one,
            batches=tuple(
                json.loads(item["outcome"])["summary"]
                for item in sorted(closed[one.arn], key=lambda item: str(item["opened_at"]))
            ),
        )
        for one in executions
    ]


def unsettled(plan: Plan, items: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the tables that have pending landings, new marts or a lease, with the ARN that holds it or nothing.

    What waits for a table that no contract names any more waits on.
    """
    found: dict[str, str] = {}
    for item in _read(items):
        table = item["pk"].removeprefix(_TABLE)
        if not item["pk"].startswith(_TABLE) or table not in plan.tables:
            continue
        if item["sk"].startswith("PENDING#"):
            found.setdefault(table, "")
        elif item["sk"] == "LEASE" and item.get("holder"):
            found[table] = item["holder"]
        elif item["sk"] == "LEASE" and Lease.from_plain(table, item).new_marts(plan):
            found.setdefault(table, "")
    return found


def _events(message: Item) -> int:
    """Return how many objects a message of S3 tells of; S3's test event tells of none."""
    return len(json.loads(message["body"]).get("Records", ()))


def _table(name: str, items: Sequence[Item], now: datetime, plan: Plan) -> TableStatus:
    landings = [Landing.from_plain(item) for item in items if item["sk"].startswith("LANDING#")]
    batches = [_batch(item) for item in items if item["sk"].startswith("BATCH#")]
    lease = Lease.from_plain(name, next((item for item in items if item["sk"] == "LEASE"), {}))
    waiting = [_time(one.updated_at) for one in landings if one.state in _UNSETTLED]
    failed = [one for one in landings if one.has_failed and not _is_replaced(plan.tables.get(name), one, landings)]
    since = min((time for time in waiting if time), default=None)
    pending = [one for one in landings if one.state == PENDING]
    free = [one for one in pending if not is_held(one, lease.held)]
    lacking = incomplete(plan.tables[name], free, now) if name in plan.tables else []
    return TableStatus(
        table=name,
        gone=name not in plan.tables,
        landings=dict(Counter(one.state for one in landings)),
        last_batch=max(batches, key=lambda batch: batch.opened or now, default=None),
        lag=now - since if since else None,
        failing=lease.failing,
        due_marts=tuple(sorted(lease.new_marts(plan) | lease.due_marts & plan.marts.keys())),
        failed=tuple(FailedFile(one.key, one.reason) for one in sorted(failed, key=lambda one: (one.key, one.order))),
        held=len(pending) - len(free),
        held_by=to_mend(one for one in landings if one.entry in lease.held),
        incomplete=sum(len(whole.landings) for whole in lacking),
        waits=waiting_words(lacking),
    )


def _is_replaced(table: Table | None, failed: Landing, landings: Sequence[Landing]) -> bool:
    return table is not None and is_replaced(table, failed, landings)


def _batch(item: Item) -> Batch:
    books = item.get("books")
    return Batch(
        id=item["sk"].removeprefix("BATCH#"),
        state=item["state"],
        opened=_time(item.get("opened_at")),
        closed=_time(item.get("closed_at")),
        landings=int(item.get("landings") or 0),
        books={name: int(count) for name, count in books.items()} if books else None,
        failed_marts=tuple(sorted(item.get("failed_marts", ()))),
        skipped_marts=tuple(sorted(item.get("skipped_marts", ()))),
        error=_words(item.get("error")),
    )


def _words(error: Any) -> str | None:
    if isinstance(error, Mapping):
        return ": ".join(str(error[name]) for name in ("type", "error", "message", "cause") if error.get(name))
    return str(error) if error else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _read(items: Iterable[Mapping[str, Any]]) -> list[Item]:
    return [from_item(raw) for raw in items]
