"""Open a batch: take the lease, put right what the dead left, choose landings, claim them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from contracts.model import Plan
from functions.open_batch.answers import answer
from functions.open_batch.claiming import Claims, claim_manifest, open_marts, resume
from functions.open_batch.rebuilding import rebuilt
from functions.open_batch.reconciling import reconcile
from functions.open_batch.recovery import recover_orphans
from functions.open_batch.reopening import check_batch, reopen
from functions.open_batch.request import Request
from functions.shared import actions
from functions.shared.choosing import Work, choose, held_words, is_held
from functions.shared.errors import ConditionFailedError, LedgerBusyError, StaleLeaseError, TableBusyError
from functions.shared.health import still_fails
from functions.shared.holding import still_held, to_mend
from functions.shared.landings import REBUILD, Landing, id_in
from functions.shared.lease import Caller, Held, Past, acquire, release
from functions.shared.ledger import Lease
from functions.shared.settling import changed, lost, refusals, settle
from functions.shared.wholes import incomplete, waiting_words
from functions.shared.world import World

_TRIES = 20
_UNMET = "no landing is meant by from, to, prefix and batch_id together"


def open_batch(world: World, request: Request, caller: Caller) -> dict[str, Any]:
    """Open the next batch of an execution and return what is to be done; repeated, it returns the same."""
    check_batch(world, request)
    if request.mode == "reconcile":
        reconcile(world, request.table)
        request = replace(request, mode="incremental")
    first = world.ledger.lease(request.table)
    if not first.holder and not first.orphans and not _is_due(world, request, first):
        return nothing(request.table, "nothing is pending")
    lease = acquire(world.ledger, world.executions, request.table, caller)
    if isinstance(lease, Held):
        return _busy(request, lease)
    if isinstance(lease, Past):
        past = world.ledger.batch(request.table, lease.batch_id)
        return answer(world, past, []) if past else nothing(request.table, "nothing is pending")
    if batch := world.ledger.batch(request.table, lease.batch_id):
        return answer(world, resume(world, lease, batch), [])
    if lease.orphans:
        recover_orphans(world, lease)
        lease = _refreshed(world, lease)
    failures: list[dict[str, Any]] = []
    if request.reopens:
        failures = refusals(request.table, reopen(world, request, lease))
        lease = _refreshed(world, lease)
    return _open(world, request, caller, lease, failures)


def nothing(
    table: str, reason: str, failures: Sequence[Mapping[str, Any]] = (), recovered: bool = False
) -> dict[str, Any]:
    """Return the answer that ends an execution without a batch."""
    return {
        "action": "nothing",
        "table": table,
        "reason": reason,
        "failures": list(failures),
        "recovered": recovered,
    }


def _is_due(world: World, request: Request, lease: Lease) -> bool:
    asked = request.mode != "incremental" or request.marts or request.allow
    return bool(asked or lease.due_marts or lease.new_marts(world.plan) or world.ledger.pending(request.table, 1))


def _busy(request: Request, held: Held) -> dict[str, Any]:
    reason = f"the execution {held.holder.rpartition(':')[2]} works on {request.table}"
    if not request.is_plain:
        raise TableBusyError(f"{reason}: start again when it has ended")
    return nothing(request.table, f"{reason} and takes what is pending")


def _open(
    world: World, request: Request, caller: Caller, lease: Lease, failures: list[dict[str, Any]]
) -> dict[str, Any]:
    """Open a batch of landings, else of marts, else give the lease back; `failures` are those so far."""
    settled: list[Landing] = []
    for _ in range(_TRIES):
        lease = _with_held(world, lease)
        work, claims = _choose(world, request, caller, lease)
        pairs = changed(work.settled, world.ledger.now())
        settle(world.ledger, lease, pairs)
        settled += [after for _, after in pairs]
        told = [*failures, *refusals(request.table, settled)]
        if work.claims:
            return answer(world, claim_manifest(world, lease, work, claims), told)
        if not work.settled:
            marts = marts_to_build(world.plan, request, lease) if caller.iteration == 0 else frozenset[str]()
            if marts:
                batch = open_marts(world, lease, Claims(caller.id, _marts_mode(request), marts))
                return answer(world, batch, told)
            errors = [*caller.errors, *(failure["error"] for failure in told)]
            failed = still_fails(lease, errors) if caller.iteration else None
            if release(world.ledger, lease, failed, unopened=True):
                why = _why_nothing(world, request, lease, bool(settled))
                return nothing(request.table, why, told, lease.failing and failed is False)
        lease = _refreshed(world, lease)
        if opened := world.ledger.batch(request.table, lease.batch_id):
            return answer(world, resume(world, lease, opened), told)
    raise LedgerBusyError(
        f"{request.table}: {len(settled):,} landings were settled without being staged, and more are pending: "
        "they arrive faster, or are more, than one call can choose; the next one goes on"
    )


def _with_held(world: World, lease: Lease) -> Lease:
    """Return the lease without held landings that nobody waits for any more, and write that down."""
    table = world.plan.tables[lease.table]
    held = still_held(table, lease.held, lambda object_id: world.ledger.versions(table.name, object_id))
    if held == lease.held:
        return lease
    try:
        world.ledger.transact([actions.keep(lease, held=held)])
    except ConditionFailedError as error:
        raise StaleLeaseError(lost(lease)) from error
    return replace(lease, held=held)


def _why_nothing(world: World, request: Request, lease: Lease, settled: bool) -> str:
    """Say why no batch was opened: nothing was meant, what is pending waits for something, or nothing is pending."""
    table = world.plan.tables[request.table]
    pending = world.ledger.pending(table.name)
    if request.mode == "replay" and not settled and not any(one.mode for one in pending):
        return _UNMET
    held = [one for one in pending if is_held(one, lease.held)]
    if held:
        failed = world.ledger.landings(table.name, [id_in(entry) for entry in lease.held])
        return held_words(len(held), to_mend(failed.values()))
    return waiting_words(incomplete(table, pending, datetime.now(UTC))) or "nothing is pending"


def _refreshed(world: World, lease: Lease) -> Lease:
    """Return the lease as it is now; StaleLeaseError where it is no longer this execution's."""
    now = world.ledger.lease(lease.table)
    if (now.token, now.holder) != (lease.token, lease.holder):
        raise StaleLeaseError(lost(lease))
    return now


def _choose(world: World, request: Request, caller: Caller, lease: Lease) -> tuple[Work, Claims]:
    """Return the next work, and how the batch that does it is to be announced."""
    table, ledger = world.plan.tables[request.table], world.ledger
    marts = request.marts or world.plan.downstream(table.name)
    if request.rebuilds_marts:
        return Work(), Claims(caller.id, REBUILD, marts)
    pending = ledger.pending(table.name)
    if request.rebuilds_staging:
        return rebuilt(world, table, pending), Claims(caller.id, REBUILD, marts, request.allow)
    work = choose(
        table,
        pending,
        lambda object_id: ledger.versions(table.name, object_id),
        caller.id,
        world.limits,
        lease.held,
    )
    mode = next((one.mode for one in work.claims if one.mode), "incremental")  # of a whole snapshot some may be new
    allow = request.allow
    if any(one.allow for one in pending):  # the landings that a limit stopped are let through, and no others
        allow = frozenset(limit for one in work.claims if one.allow for limit in one.allow.split(","))
    return work, Claims(caller.id, mode, marts, allow)


def _marts_mode(request: Request) -> str:
    return REBUILD if request.rebuilds_marts else "incremental"


def marts_to_build(plan: Plan, request: Request, lease: Lease) -> frozenset[str]:
    """Return the marts of a batch without landings: those asked for, else those due or new and what reads them."""
    all_marts = plan.downstream(request.table)
    if request.rebuilds_marts:
        return request.marts or all_marts
    due = set(lease.due_marts & all_marts) | lease.new_marts(plan)
    for wave in plan.waves(request.table):
        due |= {mart for mart in wave if due.intersection(plan.marts[mart].reads)}
    return request.marts or frozenset(due)
