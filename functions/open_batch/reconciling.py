"""Take up what lies in the raw bucket and the ledger does not know of.

Its event was lost, or came when no contract claimed it, or the ledger was restored from a backup that is older.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace

from contracts.model import Plan, Table
from functions.shared import actions
from functions.shared.arriving import is_noise
from functions.shared.errors import ConditionFailedError
from functions.shared.landings import PENDING, Landing
from functions.shared.ledger import MAX_ACTIONS, Action, Ledger, unrouted_key
from functions.shared.world import World

_AT_ONCE = (MAX_ACTIONS - 1) // 3
_MOST_LOOKED_AT = 1_000  # the newest: each takes a call to S3, and the function has minutes


def reconcile(world: World, name: str) -> int:
    """Write down what the ledger lacks of a table's files, pending; return how many that are.

    Where the event of one came, and no table claimed it, it is as that told of it. What is noted of such objects goes
    where they were moved or deleted since. Cut off and repeated, it goes on where it ended.
    """
    table, now = world.plan.tables[name], world.ledger.now()
    known = {one.id for one in world.ledger.all_landings(name)}
    told = {one.id: replace(one, state=PENDING) for one in world.ledger.unrouted()}
    _forget(world.ledger, sorted(known.intersection(told)))
    lacking = [
        replace(told.get(one.id, one), updated_at=now)
        for one in world.raw.versions(table.source.prefix)
        if one.id not in known and _is_of(world.plan, table, one.key)
    ]
    for start in range(0, len(lacking), _AT_ONCE):
        _write(world.ledger, name, lacking[start : start + _AT_ONCE], told)
    left = sorted(told.keys() - known - {one.id for one in lacking}, key=lambda id_: told[id_].order, reverse=True)
    _forget(world.ledger, [id_ for id_ in left[:_MOST_LOOKED_AT] if not world.raw.is_there(told[id_].key)])
    return len(lacking)


def _forget(ledger: Ledger, ids: Sequence[str]) -> None:
    """Take away what is noted of objects that no table claimed: one did as their event came again, or they are gone."""
    for start in range(0, len(ids), MAX_ACTIONS):
        ledger.transact([Action("Delete", unrouted_key(id_)) for id_ in ids[start : start + MAX_ACTIONS]])


def _is_of(plan: Plan, table: Table, key: str) -> bool:
    return plan.route(key) is table and (plan.expects(key) or not is_noise(key))


def _write(ledger: Ledger, table: str, landings: Sequence[Landing], told: Container[str]) -> None:
    """Write landings down that are not there yet; what nobody claimed (`told`) is claimed with its landing."""
    claimed = [Action("Delete", unrouted_key(one.id)) for one in landings if one.id in told]
    try:
        ledger.transact([*actions.arrivals(table, *landings), *claimed])
    except ConditionFailedError:  # the event of one has come meanwhile
        for one in landings if len(landings) > 1 else ():
            _write(ledger, table, [one], told)
