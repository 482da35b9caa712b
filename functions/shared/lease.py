"""The lease of a table: taken, taken over from the dead, and given back without forgetting an arrival."""

from __future__ import annotations

from dataclasses import dataclass, replace

from contracts.file_times import parse_time
from functions.shared.errors import ConditionFailedError, LedgerBusyError
from functions.shared.executions import Executions
from functions.shared.ledger import Action, Lease, Ledger, batch_key, lease_key

_TRIES = 10


@dataclass(frozen=True)
class Held:
    """Somebody else holds the lease and runs."""

    holder: str


@dataclass(frozen=True)
class Past:
    """The caller comes late: the batch that it asks for was opened before, or there was nothing to open."""

    batch_id: str


@dataclass(frozen=True)
class Caller:
    """The execution that opens a batch, the number of its batches so far, the errors that they met."""

    id: str
    name: str
    iteration: int
    errors: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        """Return what the batch's id begins with: a Glue job takes a value that begins with `-` for an option."""
        return f"{'_' if self.name.startswith('-') else ''}{self.name}-{self.iteration}"


def acquire(ledger: Ledger, executions: Executions, table: str, caller: Caller) -> Lease | Held | Past:
    """Take the lease for an execution's next batch; the token grows, but not when a call is repeated.

    The batch of a holder that no longer runs becomes an orphan of the lease: whoever holds it puts that right.
    A batch id that an earlier life of the execution has used is not used again: the token is added to it.
    """
    for _ in range(_TRIES):
        lease = ledger.lease(table)
        if lease.taken_by == caller.id and caller.iteration <= lease.iteration:
            if lease.holder == caller.id and caller.iteration == lease.iteration:
                return lease
            return Past(lease.batch_id if caller.iteration == lease.iteration else caller.base)
        if lease.holder not in ("", caller.id) and executions.is_running(lease.holder):
            return Held(lease.holder)
        taken = _next(ledger, lease, caller)
        try:
            ledger.write(_take(lease, taken))
        except ConditionFailedError:
            continue
        return taken
    raise LedgerBusyError(f"{table}: others take the lease at the same time; tried {_TRIES} times")


def _next(ledger: Ledger, lease: Lease, caller: Caller) -> Lease:
    """Return the lease as the caller would hold it.

    The token is the time in seconds where it can be, so that a ledger that is new, or restored from a backup, goes
    on behind all that were given out before.
    """
    token = max(lease.token + 1, int(parse_time(ledger.now()).timestamp()))
    died = {lease.batch_id} if lease.holder not in ("", caller.id) else set[str]()
    return replace(
        lease,
        token=token,
        holder=caller.id,
        taken_by=caller.id,
        iteration=caller.iteration,
        batch_id=f"{caller.base}-{token}" if ledger.batch(lease.table, caller.base) else caller.base,
        orphans=lease.orphans.union(died),
    )


def release(
    ledger: Ledger, lease: Lease, failed: bool | None = None, *, unseen: bool = False, unopened: bool = False
) -> bool:
    """Give the lease back unless something landed since `lease.arrivals` was read; tell whether it was.

    `failed` tells how the execution ended; None leaves what is known of the table's health. `unseen` gives it
    back whatever landed, for a holder that sends somebody else. `unopened` gives it back only where its batch
    does not exist: another call for the same batch may have opened it meanwhile.
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
    absent = Action("ConditionCheck", batch_key(lease.table, lease.batch_id), condition="attribute_not_exists(pk)")
    try:
        ledger.transact([action, absent] if unopened else [action])
    except ConditionFailedError:
        now = ledger.lease(lease.table)
        return now.holder != lease.holder or now.token != lease.token
    return True


def _take(before: Lease, after: Lease) -> Action:
    facts: dict[str, object] = {
        "#token": after.token,
        "holder": after.holder,
        "taken_by": after.taken_by,
        "iteration": after.iteration,
        "batch_id": after.batch_id,
    }
    if after.orphans:
        facts["orphans"] = after.orphans
    values = {f":{name.removeprefix('#')}": value for name, value in facts.items()}
    return Action(
        "Update",
        lease_key(before.table),
        update="SET " + ", ".join(f"{name} = :{name.removeprefix('#')}" for name in facts),
        condition="#token = :old" if before.token else "attribute_not_exists(#token)",
        names={"#token": "token"},
        values=values | ({":old": before.token} if before.token else {}),
    )
