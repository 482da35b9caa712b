"""The lease of a table: taken, taken over from the dead, and given back without forgetting an arrival."""

from __future__ import annotations

from dataclasses import dataclass, replace

from functions.shared.errors import ConditionFailedError, LedgerBusyError
from functions.shared.executions import Executions
from functions.shared.ledger import Action, Lease, Ledger, lease_key

_TRIES = 10


@dataclass(frozen=True)
class Held:
    """Somebody else holds the lease and runs."""

    holder: str


def acquire(ledger: Ledger, executions: Executions, table: str, execution: str, base: str) -> Lease | Held:
    """Take the lease for the batch `base` of an execution; the token grows by one, but not when a call is repeated.

    The batch of a holder that no longer runs becomes an orphan of the lease: whoever holds it puts that right.
    A batch id that an earlier life of the execution has used is not used again: the token is added to it.
    """
    for _ in range(_TRIES):
        lease = ledger.lease(table)
        if lease.holder == execution and lease.batch_id in (base, f"{base}-{lease.token}"):
            return lease
        if lease.holder not in ("", execution) and executions.is_running(lease.holder):
            return Held(lease.holder)
        token = lease.token + 1
        batch_id = f"{base}-{token}" if ledger.batch(table, base) else base
        died = {lease.batch_id} if lease.holder not in ("", execution) and lease.batch_id else set()
        taken = replace(lease, token=token, holder=execution, batch_id=batch_id, orphans=lease.orphans.union(died))
        try:
            ledger.write(_take(lease, taken))
        except ConditionFailedError:
            continue
        return taken
    raise LedgerBusyError(f"{table}: others take the lease at the same time; tried {_TRIES} times")


def release(ledger: Ledger, lease: Lease, failed: bool | None = None, *, unseen: bool = False) -> bool:
    """Give the lease back unless something landed since `lease.arrivals` was read; tell whether it was.

    `failed` tells how the execution ended; None leaves what is known of the table's health. `unseen` gives it
    back whatever landed, for a holder that sends somebody else.
    """
    seen = "" if unseen else "arrivals = :arrivals" if lease.arrivals else "attribute_not_exists(arrivals)"
    healthy = ", failing" if failed is False else ""
    action = Action(
        "Update",
        lease_key(lease.table),
        update=f"REMOVE holder{healthy}" + (" SET failing = :failing" if failed else ""),
        condition=" AND ".join(filter(None, ["#token = :token", "holder = :holder", seen])),
        names={"#token": "token"},
        values={":token": lease.token, ":holder": lease.holder}
        | ({":arrivals": lease.arrivals} if ":arrivals" in seen else {})
        | ({":failing": True} if failed else {}),
    )
    try:
        ledger.write(action)
    except ConditionFailedError:
        now = ledger.lease(lease.table)
        return now.holder != lease.holder or now.token != lease.token
    return True


def _take(before: Lease, after: Lease) -> Action:
    sets = ["#token = :new", "holder = :holder", "batch_id = :batch"]
    values = {":new": after.token, ":holder": after.holder, ":batch": after.batch_id}
    if after.orphans:
        sets.append("orphans = :orphans")
        values[":orphans"] = after.orphans
    return Action(
        "Update",
        lease_key(before.table),
        update="SET " + ", ".join(sets),
        condition="#token = :old" if before.token else "attribute_not_exists(#token)",
        names={"#token": "token"},
        values=values | ({":old": before.token} if before.token else {}),
    )
