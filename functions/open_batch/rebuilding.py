"""What a rebuild of staging stages beside what is staged already: all that waits, by the rules of any other batch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from contracts.model import Table
from functions.shared.choosing import ENDLESS, Change, Work, choose, present_in, retired_by
from functions.shared.landings import REBUILD, Landing
from functions.shared.ledger import Lease
from functions.shared.settling import changed, settle
from functions.shared.world import World


def pending_that_count(world: World, lease: Lease) -> tuple[list[Landing], list[Landing]]:
    """Return which of the pending landings are to be staged, however many, and those that were settled without.

    Parts of a snapshot go on waiting for one another.
    """
    table, settled = world.plan.tables[lease.table], list[Landing]()
    while not table.source.parts:
        pending = [one for one in world.ledger.pending(table.name) if not one.mode]
        versions = world.ledger.all_versions(table.name) if pending else {}
        work = choose(table, pending, versions.__getitem__, lease.holder, ENDLESS, lease.held)
        if not work.settled:
            return list(work.claims), settled
        pairs = changed(work.settled, world.ledger.now())
        settle(world.ledger, lease, pairs)
        settled += [after for _, after in pairs]
    return [], []


def rebuilt(world: World, table: Table, pending: Sequence[Landing]) -> Work:
    """Return what a rebuild of staging stages of `pending` landings: those that count by the contract as it is now."""
    claims = {one.id: one for one in pending if one.mode == REBUILD}
    retired: dict[str, Change] = {}
    if not table.source.parts:
        for chain in world.ledger.all_versions(table.name).values():
            versions = [claims.get(one.id, one) for one in chain]
            changes = (change for one in _telling(table, versions) for change in retired_by(table, one, versions))
            retired |= {change.landing.id: change for change in changes}
    return Work(tuple(one for one in claims.values() if one.id not in retired), retired=tuple(retired.values()))


def _telling(table: Table, versions: Sequence[Landing]) -> list[Landing]:
    """Return the versions of an object by which others may leave: to ask each takes long where there are thousands."""
    anew = [one for one in versions if one.mode == REBUILD]
    if table.load == "append" and table.on_overwrite == "fail":
        return anew[:1]
    present = present_in(versions)
    firsts = present[:1] + [one for before, one in pairwise(present) if before.etag != one.etag]
    if table.load == "append" and table.on_overwrite == "replace":
        return firsts[-1:]
    return firsts
