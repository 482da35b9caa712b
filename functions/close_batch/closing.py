"""Close a batch: settle its landings, keep its books, remember what is due, give the lease back or go on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any

from contracts.file_times import parse_time
from functions.close_batch.report import MartOutcome, dpu_seconds, failures, mart_outcome, summary
from functions.shared import actions
from functions.shared.attributes import Item
from functions.shared.batches import BATCH_FAILED, CLOSED, PUBLISHED
from functions.shared.causes import limit_in
from functions.shared.choosing import choose
from functions.shared.errors import ConditionFailedError, LedgerBusyError, StaleLeaseError
from functions.shared.health import still_fails
from functions.shared.holding import failed_entries, still_held
from functions.shared.landings import Landing
from functions.shared.lease import release
from functions.shared.ledger import Action, Lease, batch_key
from functions.shared.settling import (
    LIMIT_ERROR,
    StageOutcome,
    lost,
    read_outcome,
    refusals,
    retired,
    settle,
    settle_neighbours,
    verdicts,
)
from functions.shared.world import World

_TRIES = 20
_MOST_EVENTS = 20_000  # Step Functions ends an execution after 25,000 events
_EVENTS_PER_BATCH = 120
_EVENTS_PER_MART = 50  # built at the third try
_LONGEST = timedelta(hours=20)  # the state machine gives an execution 48, a job may take 24
_MOST_BYTES = 200_000  # what an execution tells of its batches passes from state to state, which 256 KiB limit


@dataclass(frozen=True)
class Closing:
    """What the state machine says of the batch to close; the errors are what it caught, or None.

    `runs` are those of the table's job, failed ones too, and of each mart's job by mart.
    """

    table: str
    batch_id: str
    token: int
    execution: str
    stage_error: Mapping[str, str] | None = None
    marts_error: Mapping[str, str] | None = None
    errors_before: tuple[str, ...] = ()
    iteration: int = 0
    request: Mapping[str, Any] = field(default_factory=dict)
    runs: Mapping[str, Any] = field(default_factory=dict)
    started: str = ""


@dataclass(frozen=True)
class GoesOn:
    """Whether this execution has more to do, or whom it sends instead; whether the table has recovered."""

    more: bool = False
    hand_over: Mapping[str, Any] | None = None
    recovered: bool = False


@dataclass(frozen=True)
class Closed:
    """The answer to the state machine, and whether this call was the one that closed the batch."""

    answer: dict[str, Any]
    item: Item
    first: bool


def close_batch(world: World, closing: Closing) -> Closed:
    """Close a batch; repeated, it returns the same and changes nothing.

    StaleLeaseError where another execution has taken the table over before the batch was closed, TableRemovedError
    where a deployment has removed it.
    """
    world.check_table(closing.table)
    lease = world.ledger.lease(closing.table)
    batch = world.ledger.batch(closing.table, closing.batch_id)
    if batch is None:
        raise StaleLeaseError(f"{closing.table}: there is no batch {closing.batch_id}")
    first = batch["state"] not in CLOSED
    if first:
        if (lease.token, lease.holder) != (closing.token, closing.execution):
            raise StaleLeaseError(lost(replace(lease, token=closing.token)))
        batch = _settle(world, closing, lease, batch)
    elif "outcome" not in batch:
        raise StaleLeaseError(f"{closing.table}: the batch {closing.batch_id} was abandoned by whoever came after")
    told = json.loads(batch["outcome"])
    errors = [*closing.errors_before, *(failure["error"] for failure in told["failures"])]
    goes_on = _go_on(world, closing, errors, len(batch["outcome"]))
    return Closed({**told, **asdict(goes_on)}, batch, first)


def _settle(world: World, closing: Closing, lease: Lease, batch: Item) -> Item:
    """Settle the landings, then close the item and keep what is due in one transaction."""
    outcome = StageOutcome(published=True)
    found: dict[str, Landing] = {}
    refused: list[Landing] = []
    if batch["landings"]:
        outcome = read_outcome(world.files.read(closing.table, closing.batch_id, "stage"), closing.stage_error)
        manifest = world.files.read(closing.table, closing.batch_id, "manifest")
        found = _settle_landings(world, closing, lease, outcome, manifest)
        refused = [found[one["id"]] for one in manifest["retired"] if one["id"] in found]
    marts = mart_outcome(world, batch, outcome.published, closing.marts_error)
    told = {
        "failures": [*failures(world, batch, outcome, marts, found), *refusals(closing.table, refused)],
        "summary": summary(world.plan, batch, outcome, marts, found) | dpu_seconds(world.plan, batch, closing.runs),
    }
    closed = _closed_item(batch, outcome, marts, told, world.ledger.now())
    due = _due(world, lease, batch, outcome, marts)
    _close_item(world, lease, closed, due, _known(world, lease, batch, outcome, marts), found)
    return closed


def _settle_landings(
    world: World, closing: Closing, lease: Lease, outcome: StageOutcome, manifest: Mapping[str, Any]
) -> dict[str, Landing]:
    """Bring the batch's landings to their states; return them as they are afterwards."""
    ids = [one["id"] for one in (*manifest["landings"], *manifest["retired"])]
    found = world.ledger.landings(closing.table, ids)
    now = world.ledger.now()
    pairs = verdicts(
        found.values(),
        outcome,
        batch_id=closing.batch_id,
        execution=closing.execution,
        max_attempts=world.environment.max_attempts,
        now=now,
    )
    if outcome.published:
        pairs += retired(manifest, found, now)
    settle(world.ledger, lease, pairs)
    settled = found | {after.id: after for _, after in pairs}
    settle_neighbours(world.ledger, lease, world.plan.tables[closing.table], settled.values())
    return settled


def _due(world: World, lease: Lease, batch: Item, outcome: StageOutcome, marts: MartOutcome) -> frozenset[str]:
    """Return the marts that the table owes: all that read what was published, but those that were built."""
    downstream = world.plan.downstream(batch["table"])
    owed = lease.due_marts & downstream
    if batch["landings"] and outcome.published:
        owed = downstream
    return frozenset((owed | marts.failed | marts.skipped | marts.unbuilt) - marts.built)


def _known(world: World, lease: Lease, batch: Item, outcome: StageOutcome, marts: MartOutcome) -> frozenset[str]:
    """Return the table, once something of it is published, and the revisions that are built or due since then.

    What reads a mart that was built by itself is as good as new: it has to follow, whether files land or not.
    """
    plan, table = world.plan, batch["table"]
    if batch["landings"]:
        known = lease.known | marts.revisions | {table} if outcome.published else lease.known
    else:
        follow = frozenset[str]().union(*map(plan.downstream, marts.built))
        known = lease.known - {plan.marts[mart].revision for mart in follow} | marts.revisions
    return known & {table, *(plan.marts[mart].revision for mart in plan.downstream(table))}


def _closed_item(batch: Item, outcome: StageOutcome, marts: MartOutcome, told: Mapping[str, Any], now: str) -> Item:
    item = {
        **batch,
        "state": PUBLISHED if outcome.published else BATCH_FAILED,
        "closed_at": now,
        "outcome": json.dumps(told, sort_keys=True),
    }
    facts = {
        "books": dict(outcome.books or {}),
        "failed_marts": marts.failed,
        "skipped_marts": marts.skipped,
        "error": f"{outcome.error}: {outcome.cause}" if outcome.error else "",
        "limit": _limit(outcome),
    }
    return item | {name: value for name, value in facts.items() if value}


def _limit(outcome: StageOutcome) -> str:
    """Return the limit that stopped the batch, by the first that the job's sentence names."""
    return limit_in(outcome.cause) if outcome.error == LIMIT_ERROR else ""


def _close_item(
    world: World, lease: Lease, item: Item, due: frozenset[str], known: frozenset[str], found: Mapping[str, Landing]
) -> None:
    keep = actions.keep(
        lease,
        due_marts=due,
        known=known,
        stopped=lease.stopped | ({item["batch_id"]} if item.get("limit") else frozenset()),
        held=_held(world, lease, found, item["batch_id"]),
    )
    put = Action(
        "Put",
        batch_key(lease.table, item["batch_id"]),
        item,
        condition="#state = :open",
        names={"#state": "state"},
        values={":open": "open"},
    )
    try:
        world.ledger.transact([keep, put])
    except ConditionFailedError as error:
        if 0 in error.failed:
            raise StaleLeaseError(lost(lease)) from error
        raise LedgerBusyError(f"{lease.table}: another call closes {item['batch_id']} at this moment") from error


def _held(world: World, lease: Lease, found: Mapping[str, Landing], batch_id: str) -> frozenset[str]:
    """Return what later files wait for: landings that failed now, and those that still hold them up."""
    table = world.plan.tables[lease.table]
    entries = lease.held | failed_entries(table, found.values(), batch_id)
    return still_held(table, entries, lambda object_id: world.ledger.versions(table.name, object_id))


def _go_on(world: World, closing: Closing, errors: Sequence[str], told: int) -> GoesOn:
    """Release the lease unless there is more to do for this execution; repeated, it decides the same."""
    successor = successor_of(world, closing, told)
    for _ in range(_TRIES):
        lease = world.ledger.lease(closing.table)
        if (lease.token, lease.holder) != (closing.token, closing.execution):
            return GoesOn(hand_over=successor)
        failed = still_fails(lease, errors)
        if not _has_more(world, closing, lease):
            if release(world.ledger, lease, failed):
                return GoesOn(recovered=lease.failing and failed is False)
        elif successor is None:
            return GoesOn(more=True)
        elif release(world.ledger, lease, failed or None, unseen=True):
            return GoesOn(hand_over=successor)
    return GoesOn(more=True)


def _has_more(world: World, closing: Closing, lease: Lease) -> bool:
    """Tell whether open_batch would find work for this execution; a consistent look, after the lease was read."""
    work = choose(
        world.plan.tables[closing.table],
        world.ledger.pending(closing.table),
        lambda object_id: world.ledger.versions(closing.table, object_id),
        closing.execution,
        replace(world.limits, landings=1),
        lease.held,
    )
    return bool(work)


def successor_of(world: World, closing: Closing, told: int = 0) -> dict[str, Any] | None:
    """Return the execution to start when one more batch, of which as much is `told`, might not fit into this one."""
    if not _runs_long(world, closing) and _fits(world, closing, told):
        return None
    name = closing.execution.rpartition(":")[2]
    stem, _, number = name.rpartition("-h")
    again = f"{stem}-h{int(number) + 1}" if stem and number.isdigit() else f"{name[:70]}-h1"
    marts = sorted(world.plan.downstream(closing.table).intersection(closing.request.get("marts", ())))
    return {"name": again, "input": {"table": closing.table} | ({"marts": marts} if marts else {})}


def _runs_long(world: World, closing: Closing) -> bool:
    """Tell whether another batch might be cut off by the time that the state machine gives an execution."""
    if not closing.started:
        return False
    return parse_time(world.ledger.now()) - parse_time(closing.started) > _LONGEST


def _fits(world: World, closing: Closing, told: int) -> bool:
    marts = len(world.plan.downstream(closing.table))
    events = _EVENTS_PER_BATCH + _EVENTS_PER_MART * marts
    batches = closing.iteration + 2
    return batches * events <= _MOST_EVENTS and batches * told <= _MOST_BYTES
