"""Put right what executions that died have left: their claims go back, or are settled where the job had published."""

from __future__ import annotations

from functions.shared import actions
from functions.shared.batches import ABANDONED, CLOSED, PUBLISHED
from functions.shared.errors import ConditionFailedError, StaleLeaseError
from functions.shared.holding import failed_entries
from functions.shared.ledger import Action, Lease, batch_key, lease_key
from functions.shared.settling import (
    StageOutcome,
    lost,
    read_outcome,
    retired,
    settle,
    settle_neighbours,
    verdicts,
)
from functions.shared.world import World

_DIED = StageOutcome(
    published=False,
    cause="the execution that staged it ended without closing the batch",
)


def recover_orphans(world: World, lease: Lease) -> None:
    """Settle every orphan of the lease; each step is repeated harmlessly."""
    for batch_id in sorted(lease.orphans):
        _recover(world, lease, batch_id)


def _recover(world: World, lease: Lease, batch_id: str) -> None:
    batch = world.ledger.batch(lease.table, batch_id)
    if batch is None or batch["state"] in CLOSED:
        _forget(world, lease, batch_id)
        return
    published, held = False, frozenset[str]()
    if batch["landings"]:
        manifest = world.files.read(lease.table, batch_id, "manifest")
        outcome = read_outcome(world.files.read(lease.table, batch_id, "stage"), None)
        published = outcome.published
        ids = [one["id"] for one in (*manifest["landings"], *manifest["retired"])]
        found = world.ledger.landings(lease.table, ids)
        now = world.ledger.now()
        pairs = verdicts(
            found.values(),
            outcome if published else _DIED,  # whoever stages it next judges it anew
            batch_id=batch_id,
            execution="",
            max_attempts=world.environment.max_attempts,
            now=now,
        )
        settle(world.ledger, lease, [*pairs, *(retired(manifest, found, now) if published else [])])
        settled = found | {after.id: after for _, after in pairs}
        table = world.plan.tables[lease.table]
        settle_neighbours(world.ledger, lease, table, settled.values())
        held = failed_entries(table, settled.values(), batch_id)
    downstream = world.plan.downstream(lease.table)
    due = downstream if published else frozenset()
    if not batch["landings"]:
        due = downstream & batch["marts"]
    _forget(world, lease, batch_id, closed=PUBLISHED if published else ABANDONED, due=due, held=held)


def _forget(
    world: World,
    lease: Lease,
    batch_id: str,
    *,
    closed: str = "",
    due: frozenset[str] = frozenset(),
    held: frozenset[str] = frozenset(),
) -> None:
    """Take the orphan off the lease; its marts are due where it had published and nobody saw them built.

    Later landings wait for those of its landings that it is given up with (`held`).
    """
    mine = actions.holds(lease)
    more = {name: value for name, value in (("due_marts", due), ("held", held)) if value}
    adds = f"ADD {', '.join(f'{name} :{name}' for name in more)} " if more else ""
    values = {":orphan": {batch_id}, **{f":{name}": value for name, value in more.items()}}
    writes = [
        Action(
            "Update",
            lease_key(lease.table),
            update=f"{adds}DELETE orphans :orphan",
            condition=mine.condition,
            names=mine.names,
            values={**mine.values, **values},
        )
    ]
    if closed:
        writes.append(
            Action(
                "Update",
                batch_key(lease.table, batch_id),
                update="SET #state = :closed, closed_at = :now",
                names={"#state": "state"},
                values={":closed": closed, ":now": world.ledger.now()},
            )
        )
    try:
        world.ledger.transact(writes)
    except ConditionFailedError as error:
        raise StaleLeaseError(lost(lease)) from error
