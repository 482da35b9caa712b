"""What a rebuild of staging stages beside what is staged already: all that waits, by the rules of any other batch."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.model import Table
from functions.shared.choosing import ENDLESS, Work, choose, retired_by
from functions.shared.landings import PENDING, REBUILD, Landing
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
    """Return what a rebuild of staging stages; of what it stages for the first time, copies and the like leave."""
    claims = [one for one in pending if one.mode == REBUILD]
    new = [one for one in claims if one.was == PENDING]
    versions = world.ledger.all_versions(table.name) if new else {}
    retired = tuple(change for one in new for change in retired_by(table, one, versions[one.object_id]))
    gone = {change.landing.id for change in retired}
    return Work(tuple(one for one in claims if one.id not in gone), retired=retired)
