"""Take landings up again: for a replay, for a rebuild of staging, or through a limit that stopped them."""

from __future__ import annotations

from dataclasses import dataclass

from functions.open_batch.rebuilding import pending_that_count
from functions.open_batch.reconciling import reconcile
from functions.open_batch.request import Request
from functions.shared import actions
from functions.shared.errors import ConditionFailedError, InvalidRequestError, StaleLeaseError
from functions.shared.landings import FAILED, PENDING, QUARANTINED, REBUILD, REPLAY, STAGED, SUPERSEDED, Landing
from functions.shared.ledger import Lease
from functions.shared.settling import again, lost, settle
from functions.shared.wholes import time_of
from functions.shared.world import World


@dataclass(frozen=True)
class Stopped:
    """A batch that a limit of the contract stopped, and the landings that it was stopped for."""

    batch_id: str
    limit: str
    landings: tuple[Landing, ...]


def reopen(world: World, request: Request, lease: Lease) -> list[Landing]:
    """Make the landings that a request means pending again; return those that were settled instead.

    Done twice it is the same.
    """
    stays, settled = lease.stopped, list[Landing]()
    if request.mode == "incremental":
        waiting = stopped(world, lease)
        chosen = [landing for one in waiting if one.limit in request.allow for landing in one.landings]
        stays = frozenset(one.batch_id for one in waiting if one.limit not in request.allow)
    else:
        waiting_too = list[Landing]()
        if request.rebuilds_staging:
            reconcile(world, request.table)
            waiting_too, settled = pending_that_count(world, lease)
        chosen = selected(world, request) + waiting_too
    now = world.ledger.now()
    settle(world.ledger, lease, [(one, taken_up(one, request, now)) for one in chosen])
    _keep(world, lease, stays)
    return settled


def taken_up(one: Landing, request: Request, now: str) -> Landing:
    """Return a landing as it waits for what a request asks of it."""
    allow = ",".join(sorted(request.allow))
    if request.mode == "incremental" and one.state == FAILED:
        return again(one, now, allow=allow)
    return again(one, now, mode=REBUILD if request.rebuilds_staging else REPLAY, was=one.was or one.state, allow=allow)


def selected(world: World, request: Request) -> list[Landing]:
    """Return the landings that a replay or a rebuild of staging takes up again, oldest first.

    A landing that failed is as if it had not come: only a replay, which names it, takes it up. What is superseded
    may count again, as a snapshot should the one leave that covers it, or under another contract; but not where the
    last version counts. Of a snapshot in parts all are meant where one is; and those whose replay still waits are
    rebuilt with the others.
    """
    table = world.plan.tables[request.table]
    replaces = table.load == "append" and table.on_overwrite == "replace"
    states = {
        STAGED,
        QUARANTINED,
        *(() if replaces else (SUPERSEDED,)),
        *(() if request.rebuilds_staging else (FAILED,)),
    }
    ids = _of_batch(world, request)
    known = [one for one in world.ledger.all_landings(request.table) if _state(one, request) in states]
    meant = [one for one in known if _is_meant(one, request) and (ids is None or one.id in ids)]
    if table.source.parts:
        times = {time_of(table, one) for one in meant}
        meant = [one for one in known if time_of(table, one) in times]
    return sorted(meant, key=lambda one: one.order)


def _state(one: Landing, request: Request) -> str:
    """Return the state that counts: of a landing whose replay waits, for a rebuild, that before it."""
    return one.was if request.rebuilds_staging and one.state == PENDING else one.state


def _is_meant(one: Landing, request: Request) -> bool:
    return (
        (not request.since or request.since <= one.event_time)
        and (not request.until or one.event_time <= request.until)
        and one.key.startswith(request.prefix)
    )


def check_batch(world: World, request: Request) -> None:
    """Refuse a batch id that no batch has, before anything is touched."""
    if request.batch_id:
        _of_batch(world, request)


def _of_batch(world: World, request: Request) -> set[str] | None:
    if not request.batch_id:
        return None
    manifest = world.files.read(request.table, request.batch_id, "manifest")
    if manifest is None:
        raise InvalidRequestError(f"batch_id {request.batch_id!r}: {request.table} has no batch of landings of this id")
    return {one["id"] for one in manifest["landings"]}


def stopped(world: World, lease: Lease) -> list[Stopped]:
    """Return the batches that limits have stopped, with what failed of them and nobody has taken up since."""
    found = []
    for batch_id in sorted(lease.stopped):
        batch = world.ledger.batch(lease.table, batch_id) or {}
        manifest = world.files.read(lease.table, batch_id, "manifest") or {"landings": ()}  # kept for 400 days
        landings = world.ledger.landings(lease.table, [one["id"] for one in manifest["landings"]])
        waiting = [one for one in landings.values() if one.has_failed and one.batch_id == batch_id]
        if waiting:
            in_order = tuple(sorted(waiting, key=lambda one: one.order))
            found.append(Stopped(batch_id, str(batch.get("limit", "")), in_order))
    return found


def _keep(world: World, lease: Lease, stopped: frozenset[str]) -> None:
    """Forget of all batches but these that a limit stopped them."""
    if stopped == lease.stopped:
        return
    try:
        world.ledger.transact([actions.keep(lease, stopped=stopped)])
    except ConditionFailedError as error:
        raise StaleLeaseError(lost(lease)) from error
