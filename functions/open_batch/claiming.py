"""Claim landings for a batch: the manifest, the batch's item, then the landings, so that any step can be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.shared import actions
from functions.shared.attributes import Item
from functions.shared.batches import CLAIMING, OPEN
from functions.shared.choosing import Work
from functions.shared.errors import ConditionFailedError, StaleLeaseError
from functions.shared.landings import Landing
from functions.shared.ledger import MAX_ACTIONS, Action, Lease, batch_key
from functions.shared.settling import lost
from functions.shared.world import World

_CLAIMS_AT_ONCE = (MAX_ACTIONS - 2) // 2
_STATE = {"#state": "state"}


@dataclass(frozen=True)
class Claims:
    """How a batch is announced: who opens it, in which mode, with which marts, through which limits."""

    execution: str
    mode: str
    marts: frozenset[str]
    allow: frozenset[str] = frozenset()


def claim_manifest(world: World, lease: Lease, work: Work, claims: Claims) -> Item:
    """Write the manifest, announce the batch, claim what the manifest lists; return the batch's item.

    The first manifest that is written under the batch's id counts, whoever wrote it.
    """
    manifest = world.files.write_once(lease.table, lease.batch_id, "manifest", _manifest(lease, work, claims))
    batch = _item(world, lease, claims, CLAIMING)
    batch |= {
        "landings": len(manifest["landings"]),
        "manifest": world.files.uri(lease.table, lease.batch_id, "manifest"),
    }
    _put(world, lease, batch)
    return _claim(world, lease, batch, manifest)


def open_marts(world: World, lease: Lease, claims: Claims) -> Item:
    """Open a batch that only builds marts; return its item."""
    batch = _item(world, lease, claims, OPEN)
    _put(world, lease, batch)
    return batch


def resume(world: World, lease: Lease, batch: Item) -> Item:
    """Go on where an earlier call for the same batch ended; return the batch's item."""
    if batch["state"] != CLAIMING:
        return batch
    return _claim(world, lease, batch, world.files.read(lease.table, lease.batch_id, "manifest"))


def _claim(world: World, lease: Lease, batch: Item, manifest: Mapping[str, Any]) -> Item:
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
            names=_STATE,
            values={":open": OPEN, ":claiming": CLAIMING},
        )
    )
    return {**batch, "state": OPEN}


def _manifest(lease: Lease, work: Work, claims: Claims) -> dict[str, Any]:
    return {
        "table": lease.table,
        "batch_id": lease.batch_id,
        "token": lease.token,
        "mode": claims.mode,
        "allow": sorted(claims.allow),
        "landings": [one.to_plain() for one in work.claims],
        "retired": [
            {
                "id": one.landing.id,
                "key": one.landing.key,
                "sequencer": one.landing.sequencer,
                "event_time": one.landing.event_time,
                "state": one.state,
                "reason": one.reason,
            }
            for one in work.retired
        ],
    }


def _item(world: World, lease: Lease, claims: Claims, state: str) -> Item:
    """Return the batch's item; it tells all that the answer needs."""
    item: Item = {
        **batch_key(lease.table, lease.batch_id),
        "table": lease.table,
        "batch_id": lease.batch_id,
        "state": state,
        "token": lease.token,
        "mode": claims.mode,
        "execution": claims.execution,
        "opened_at": world.ledger.now(),
        "landings": 0,
        "mart_errors": {},
    }
    return item | ({"marts": claims.marts} if claims.marts else {})


def _put(world: World, lease: Lease, batch: Item) -> None:
    """Announce a batch, once, under the lease."""
    put = Action("Put", batch_key(lease.table, lease.batch_id), batch, condition="attribute_not_exists(pk)")
    try:
        world.ledger.transact([actions.holds(lease), put])
    except ConditionFailedError as error:
        if 0 in error.failed:
            raise StaleLeaseError(lost(lease)) from error
