"""Open a batch: take the lease, put right what the dead left, choose landings, claim them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.model import Plan
from functions.open_batch.answers import answer
from functions.open_batch.recovery import recover_orphans
from functions.open_batch.request import Request
from functions.shared import actions
from functions.shared.attributes import Item
from functions.shared.batches import CLAIMING, OPEN
from functions.shared.choosing import Change, Work, choose
from functions.shared.errors import ConditionFailedError, LedgerBusyError, StaleLeaseError, TableBusyError
from functions.shared.landings import FAILED, Landing
from functions.shared.lease import Held, acquire, release
from functions.shared.ledger import MAX_ACTIONS, Action, Lease, batch_key
from functions.shared.settling import changed, lost, settle
from functions.shared.world import World

_CLAIMS_AT_ONCE = (MAX_ACTIONS - 2) // 2
_TRIES = 20


@dataclass(frozen=True)
class Caller:
    """The execution that opens a batch, and the number of its batches so far."""

    id: str
    name: str
    iteration: int

    @property
    def base(self) -> str:
        return f"{self.name}-{self.iteration}"


def open_batch(world: World, request: Request, caller: Caller) -> dict[str, Any]:
    """Open the next batch of an execution and return what is to be done; repeated, it returns the same."""
    first = world.ledger.lease(request.table)
    if not first.holder and not first.orphans and not _is_due(world, request, first):
        return nothing(request.table, "nothing is pending")
    lease = acquire(world.ledger, world.executions, request.table, caller.id, caller.base)
    if isinstance(lease, Held):
        return _busy(request, lease)
    if batch := world.ledger.batch(request.table, lease.batch_id):
        return _resume(world, lease, batch)
    if lease.orphans:
        recover_orphans(world, lease)
        lease = _refreshed(world, lease)
    return _open(world, request, caller, lease)


def nothing(table: str, reason: str, failures: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return the answer that ends an execution without a batch."""
    return {"action": "nothing", "table": table, "reason": reason, "failures": list(failures)}


def _is_due(world: World, request: Request, lease: Lease) -> bool:
    asked = request.mode != "incremental" or request.marts or request.allow
    return bool(asked or lease.due_marts or world.ledger.pending(request.table, 1))


def _busy(request: Request, held: Held) -> dict[str, Any]:
    reason = f"the execution {held.holder.rpartition(':')[2]} works on {request.table}"
    if not request.is_plain:
        raise TableBusyError(f"{reason}: start again when it has ended")
    return nothing(request.table, f"{reason} and takes what is pending")


def _open(world: World, request: Request, caller: Caller, lease: Lease) -> dict[str, Any]:
    """Open a batch of landings, else of marts, else give the lease back."""
    failures: list[dict[str, Any]] = []
    for _ in range(_TRIES):
        work = Work() if request.mode == "rebuild" else _choose(world, request, caller, lease)
        settle(world.ledger, lease, changed(work.settled, world.ledger.now()))
        failures += refusals(request.table, work.settled)
        if work.claims:
            return _stage(world, request, caller, lease, work, failures)
        if not work.settled and caller.iteration == 0 and (marts := marts_to_build(world.plan, request, lease)):
            batch = _batch(world, request, caller, lease, landings=0, marts=marts, state=OPEN)
            _put(world, lease, batch)
            return answer(world, batch, failures)
        if not work.settled and release(world.ledger, lease):
            return nothing(request.table, "nothing is pending", failures)
        lease = _refreshed(world, lease)
    raise LedgerBusyError(f"{request.table}: landings arrive faster than they can be chosen")


def _refreshed(world: World, lease: Lease) -> Lease:
    """Return the lease as it is now; StaleLeaseError where it is no longer this execution's."""
    now = world.ledger.lease(lease.table)
    if (now.token, now.holder) != (lease.token, lease.holder):
        raise StaleLeaseError(lost(lease))
    return now


def _choose(world: World, request: Request, caller: Caller, lease: Lease) -> Work:
    table, ledger = world.plan.tables[request.table], world.ledger
    pending = ledger.pending(table.name)
    return choose(
        table, pending, lambda object_id: ledger.versions(table.name, object_id), caller.id, world.limits, lease.held
    )


def marts_to_build(plan: Plan, request: Request, lease: Lease) -> frozenset[str]:
    """Return the marts of a batch without landings: those asked for, else those due and what reads them."""
    all_marts = frozenset(mart for wave in plan.waves(request.table) for mart in wave)
    if request.mode == "rebuild":
        return request.marts or all_marts
    due = set(lease.due_marts & all_marts)
    for wave in plan.waves(request.table):
        due |= {mart for mart in wave if due.intersection(plan.marts[mart].reads)}
    return request.marts or frozenset(due)


def refusals(table: str, changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Return the failures to tell of landings that `on_overwrite: fail` refuses."""
    return [
        {
            "kind": "stage",
            "name": table,
            "error": "OverwriteRefusedError",
            "cause": f"file {one.landing.key}: {one.reason}",
            "skipped": [],
        }
        for one in changes
        if one.state == FAILED
    ]


def _stage(
    world: World, request: Request, caller: Caller, lease: Lease, work: Work, failures: list[dict[str, Any]]
) -> dict[str, Any]:
    """Write the manifest, announce the batch, claim what the manifest lists, open."""
    marts = request.marts or frozenset(mart for wave in world.plan.waves(request.table) for mart in wave)
    manifest = world.files.write_once(lease.table, lease.batch_id, "manifest", _manifest(request, lease, work))
    batch = _batch(world, request, caller, lease, landings=len(manifest["landings"]), marts=marts, state=CLAIMING)
    _put(world, lease, batch)
    return _claim(world, lease, batch, manifest, failures)


def _resume(world: World, lease: Lease, batch: Item) -> dict[str, Any]:
    """Go on where an earlier call for the same batch ended."""
    if batch["state"] != CLAIMING:
        return answer(world, batch, [])
    manifest = world.files.read(lease.table, lease.batch_id, "manifest")
    return _claim(world, lease, batch, manifest, [])


def _claim(
    world: World, lease: Lease, batch: Item, manifest: Mapping[str, Any], failures: list[dict[str, Any]]
) -> dict[str, Any]:
    landings = [Landing.from_plain(one) for one in manifest["landings"]]
    guards = [actions.holds(lease), actions.is_claiming(lease.table, lease.batch_id)]
    for start in range(0, len(landings), _CLAIMS_AT_ONCE):
        some = landings[start : start + _CLAIMS_AT_ONCE]
        now = world.ledger.now()
        claims = [action for one in some for action in actions.claim(lease.table, one, lease.batch_id, now)]
        try:
            world.ledger.transact([*guards, *claims])
        except ConditionFailedError as error:
            raise StaleLeaseError(lost(lease)) from error
    world.ledger.write(
        Action(
            "Update",
            batch_key(lease.table, lease.batch_id),
            update="SET #state = :open",
            condition="#state = :claiming OR #state = :open",
            names={"#state": "state"},
            values={":open": OPEN, ":claiming": CLAIMING},
        )
    )
    return answer(world, {**batch, "state": OPEN}, failures)


def _manifest(request: Request, lease: Lease, work: Work) -> dict[str, Any]:
    mode = work.claims[0].mode or "incremental"
    return {
        "table": request.table,
        "batch_id": lease.batch_id,
        "token": lease.token,
        "mode": mode,
        "allow": sorted(request.allow),
        "landings": [one.to_plain() for one in work.claims],
        "retired": [
            {"id": one.landing.id, "key": one.landing.key, "sequencer": one.landing.sequencer}
            | {"state": one.state, "reason": one.reason}
            for one in work.retired
        ],
    }


def _batch(
    world: World, request: Request, caller: Caller, lease: Lease, *, landings: int, marts: frozenset[str], state: str
) -> Item:
    """Return the batch's item; it tells all that the answer needs."""
    item: Item = {
        **batch_key(lease.table, lease.batch_id),
        "table": lease.table,
        "batch_id": lease.batch_id,
        "state": state,
        "token": lease.token,
        "mode": request.mode,
        "execution": caller.id,
        "opened_at": world.ledger.now(),
        "landings": landings,
        "mart_errors": {},
    }
    if landings:
        item["manifest"] = world.files.uri(lease.table, lease.batch_id, "manifest")
    return item | ({"marts": marts} if marts else {})


def _put(world: World, lease: Lease, batch: Item) -> None:
    """Announce a batch, once, under the lease."""
    put = Action("Put", batch_key(lease.table, lease.batch_id), batch, condition="attribute_not_exists(pk)")
    try:
        world.ledger.transact([actions.holds(lease), put])
    except ConditionFailedError as error:
        if 0 in error.failed:
            raise StaleLeaseError(lost(lease)) from error
