"""Dry runs: what a request would do, what it would cost, and nothing touched."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from contracts.model import Capacity
from functions.open_batch.opening import marts_to_build
from functions.open_batch.rebuilding import rebuilt
from functions.open_batch.reopening import Stopped, selected, stopped, taken_up
from functions.open_batch.request import Request
from functions.shared.batches import CLOSED
from functions.shared.choosing import ENDLESS, Limits, Work, choose
from functions.shared.holding import still_held
from functions.shared.landings import PENDING, STAGED, Landing
from functions.shared.ledger import Lease
from functions.shared.world import World

_SHOWN = 100
_BYTES_PER_DPU_MINUTE = 600_000_000
_START_MINUTES = 1
_HOW = (
    "one minute for a job to start and one for each 600 MB and DPU that it stages; at least two for each mart. "
    "What a mart really takes depends on how many keys change."
)


def plan(world: World, request: Request, execution: str) -> dict[str, Any]:
    """Return the plan of a dry run: landings, batches, marts, an estimate, and who works on the table."""
    lease = world.ledger.lease(request.table)
    request = replace(request, mode=_meant(request))
    stops = stopped(world, lease)
    batches, apart = _batches(world, request, lease, execution, stops)
    landings = [one for batch in batches for one in batch]
    marts = _marts(world, request, lease, bool(landings))
    held = bool(lease.holder) and world.executions.is_running(lease.holder)
    return {
        "table": request.table,
        "mode": request.mode,
        "nothing_was_touched": True,
        "landings": len(landings),
        "bytes": sum(one.size for one in landings),
        "batches": [len(batch) for batch in batches],
        "files": [_shown(one) for one in landings[:_SHOWN]],
        **apart,
        **_stopped(stops, request),
        **_left_behind(world, lease, held),
        "marts": marts,
        "estimate": _estimate(world, request.table, batches, marts),
        "worked_on_by": lease.holder if held else "",
    }


def _meant(request: Request) -> str:
    """Return the mode that the request's other words go with."""
    if request.since or request.until or request.prefix or request.batch_id:
        return "replay"
    return "rebuild" if request.layer else "incremental"


def _batches(
    world: World, request: Request, lease: Lease, execution: str, stops: Sequence[Stopped]
) -> tuple[list[Sequence[Landing]], dict[str, Any]]:
    """Return the landings that would be staged, batch by batch, and those that would be settled without or wait."""
    if request.rebuilds_marts:
        return [], {}
    table = world.plan.tables[request.table]
    pending = [one for one in world.ledger.pending(request.table) if not (request.rebuilds_staging and one.mode)]
    again = selected(world, request) if request.mode == "replay" else []
    works = _works(world, request, lease, execution, pending, again)
    known = {one.id: one for one in (*pending, *again)}
    staged = [[known.get(one.id, one) for one in work.claims] for work in works]
    claims = [one for batch in staged for one in batch]
    is_in_parts = bool(table.source.parts)
    if request.rebuilds_staging:
        anew = {one.id: one for one in selected(world, request)}
        anew |= {} if is_in_parts else {one.id: one for one in claims}  # parts go on waiting for one another
        now = world.ledger.now()
        counting = rebuilt(world, table, [taken_up(one, request, now) for one in anew.values()]).claims
        return [[anew[one.id] for one in counting]] if counting else [], {}
    settled = [change for work in works for change in work.settled if change.state != PENDING]
    ids = {one.id for one in claims} | {one.landing.id for one in settled}
    waiting = [_shown(one) for one in known.values() if one.id not in ids]
    told = [_shown(one.landing) | {"becomes": one.state, "because": one.reason} for one in settled]
    batches = [batch for claimed in staged for batch in _cut(claimed, ENDLESS if is_in_parts else world.limits)]
    let_through = [landing for one in stops if one.limit in request.allow for landing in one.landings]
    batches += _cut(let_through, world.limits)
    return batches, {"settled_without_staging": told[:_SHOWN], "waiting": waiting[:_SHOWN]}


def _works(
    world: World,
    request: Request,
    lease: Lease,
    execution: str,
    pending: Sequence[Landing],
    again: Sequence[Landing],
) -> list[Work]:
    """Return what there is to do one after the other, as if the size of a batch had no limit and nothing failed.

    Landings that are taken up `again` are among it.
    """
    table, limits = world.plan.tables[request.table], replace(ENDLESS, attempts=world.limits.attempts)
    then = {one.id: taken_up(one, request, world.ledger.now()) for one in again}

    def versions(object_id: str) -> list[Landing]:
        return [then.get(one.id, one) for one in world.ledger.versions(table.name, object_id)]

    waiting = {one.id: one for one in pending} | then
    works, held = [], still_held(table, lease.held, versions)
    while work := choose(table, [*waiting.values()], versions, execution, limits, held):
        works.append(work)
        done = [(one, STAGED) for one in work.claims] + [(one.landing, one.state) for one in work.settled]
        for one, state in done:
            waiting.pop(one.id, None)
            then[one.id] = one.settled(state, one.updated_at)
            if state == PENDING:  # its content counts again
                waiting[one.id] = then[one.id]
        held = still_held(table, held, versions)
    return works


def _left_behind(world: World, lease: Lease, is_worked_on: bool) -> dict[str, Any]:
    """Return the batches of executions that died: whoever comes next puts them right, before all that is planned."""
    died = {lease.batch_id} if lease.holder and not is_worked_on else set[str]()
    batches = [world.ledger.batch(lease.table, batch_id) for batch_id in sorted(lease.orphans | died)]
    left = [one["batch_id"] for one in batches if one and one["state"] not in CLOSED]
    return {"left_behind": left} if left else {}


def _stopped(stops: Sequence[Stopped], request: Request) -> dict[str, Any]:
    """Return the batches that limits have stopped, and whether this request would let them through."""
    told = [
        {
            "batch_id": one.batch_id,
            "limit": one.limit,
            "let_through": one.limit in request.allow,
            "files": [landing.key for landing in one.landings[:_SHOWN]],
        }
        for one in stops
    ]
    return {"stopped_by_limits": told} if told else {}


def _cut(landings: Iterable[Landing], limits: Limits) -> list[Sequence[Landing]]:
    """Cut landings into batches as open_batch would."""
    batches: list[list[Landing]] = []
    size = 0
    for one in landings:
        if not batches or len(batches[-1]) >= limits.landings or size + one.size > limits.bytes:
            batches.append([])
            size = 0
        batches[-1].append(one)
        size += one.size
    return [*batches]


def _marts(world: World, request: Request, lease: Lease, staged: bool) -> list[list[str]]:
    """Return the marts that would be built, wave by wave."""
    waves = world.plan.waves(request.table)
    chosen = marts_to_build(world.plan, request, lease)
    if staged:
        chosen = request.marts or world.plan.downstream(request.table)
    return [names for wave in waves if (names := [mart for mart in wave if mart in chosen])]


def _estimate(
    world: World, table: str, batches: Sequence[Sequence[Landing]], marts: Sequence[Sequence[str]]
) -> dict[str, Any]:
    stage = sum(_job(world.plan.tables[table].capacity, sum(one.size for one in batch)) for batch in batches)
    once = sum(world.plan.marts[mart].capacity.dpus * 2 for wave in marts for mart in wave)
    return {"dpu_minutes": math.ceil(stage + once * max(1, len(batches))), "how": _HOW}


def _job(capacity: Capacity, size: int) -> float:
    return capacity.dpus * (_START_MINUTES + size / (capacity.dpus * _BYTES_PER_DPU_MINUTE))


def _shown(one: Landing) -> dict[str, Any]:
    return {
        "key": one.key,
        "version_id": one.version_id,
        "event_time": one.event_time,
        "size": one.size,
        "state": one.state,
        "attempts": one.attempts,
    }
