"""Dry runs: what a request would do, what it would cost, and nothing touched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from contracts.model import Capacity
from functions.open_batch.opening import marts_to_build
from functions.open_batch.reopening import Stopped, selected, stopped
from functions.open_batch.request import Request
from functions.shared.choosing import ENDLESS, Limits, Work, choose
from functions.shared.holding import still_held
from functions.shared.landings import PENDING, Landing
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
    mode = _meant(request)
    stops = stopped(world, lease)
    landings, apart = _landings(world, replace(request, mode=mode), lease, execution)
    if mode == "incremental":
        landings += [landing for one in stops if one.limit in request.allow for landing in one.landings]
    batches = _batches(landings, world.limits) if mode != "rebuild" else [landings] if landings else []
    marts = _marts(world, replace(request, mode=mode), lease, bool(landings))
    held = bool(lease.holder) and world.executions.is_running(lease.holder)
    return {
        "table": request.table,
        "mode": mode,
        "nothing_was_touched": True,
        "landings": len(landings),
        "bytes": sum(one.size for one in landings),
        "batches": [len(batch) for batch in batches],
        "files": [_shown(one) for one in landings[:_SHOWN]],
        **apart,
        **_stopped(stops, request),
        "marts": marts,
        "estimate": _estimate(world, request.table, batches, marts),
        "worked_on_by": lease.holder if held else "",
    }


def _meant(request: Request) -> str:
    """Return the mode that the request's other words go with."""
    if request.since or request.until or request.prefix or request.batch_id:
        return "replay"
    return "rebuild" if request.layer else "incremental"


def _landings(world: World, request: Request, lease: Lease, execution: str) -> tuple[list[Landing], dict[str, Any]]:
    """Return the landings that would be staged, and those that would be settled without or would wait."""
    if request.rebuilds_marts:
        return [], {}
    if request.mode == "replay":
        return selected(world, request), {}
    pending = [one for one in world.ledger.pending(request.table) if not (request.rebuilds_staging and one.mode)]
    work = _work(world, request, lease, execution, pending)
    if request.rebuilds_staging:
        whole = not world.plan.tables[request.table].source.parts  # parts go on waiting for one another
        return [*selected(world, request), *(work.claims if whole else ())], {}
    settled = [_shown(one.landing) | {"becomes": one.state, "because": one.reason} for one in work.settled]
    ids = {one.id for one in work.claims} | {one.landing.id for one in work.settled}
    waiting = [_shown(one) for one in pending if one.id not in ids]
    return list(work.claims), {"settled_without_staging": settled[:_SHOWN], "waiting": waiting[:_SHOWN]}


def _work(world: World, request: Request, lease: Lease, execution: str, pending: Sequence[Landing]) -> Work:
    """Return what there is to do when nothing limits a batch; what would count again is taken as pending."""
    table = world.plan.tables[request.table]
    again: dict[str, Landing] = {}

    def versions(object_id: str) -> list[Landing]:
        return [again.get(one.id, one) for one in world.ledger.versions(table.name, object_id)]

    held = still_held(world.ledger, table, lease.held)
    while True:
        waiting = [replace(one, attempts=0, mode="", allow="") for one in (*pending, *again.values())]
        work = choose(table, waiting, versions, execution, ENDLESS, held)
        revived = [one.landing for one in work.settled if one.state == PENDING]
        if not revived:
            return work
        again |= {one.id: replace(one, state=PENDING) for one in revived}


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


def _batches(landings: Sequence[Landing], limits: Limits) -> list[list[Landing]]:
    """Cut landings into batches as open_batch would."""
    batches: list[list[Landing]] = []
    size = 0
    for one in landings:
        full = not batches or len(batches[-1]) >= limits.landings or size + one.size > limits.bytes
        if full:
            batches.append([])
            size = 0
        batches[-1].append(one)
        size += one.size
    return batches


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
