"""Write landings down, once, and see to it that somebody works on their tables."""

from __future__ import annotations

import hashlib
from collections import Counter

from functions.receive_files.arrivals import Message
from functions.shared.arriving import write_down
from functions.shared.errors import LedgerBusyError
from functions.shared.ledger import Lease
from functions.shared.world import World

_STARTS = 50
_LONGEST_STEM, _DIGITS = 50, 8
Counts = Counter[str]


def write_all_down(world: World, message: Message) -> tuple[Counts, set[str]]:
    """Write a message's landings to the ledger; return what was counted and the tables that have work."""
    counts: Counts = Counter({"IgnoredObjects": message.ignored})
    tables = set(world.plan.tables) if message.sweep else set()
    for landing in message.landings:
        table = world.plan.route(landing.key)
        new = write_down(world.ledger, table, landing)
        counts["DuplicateEvents" if not new else "Landings" if table else "UnroutedObjects"] += 1
        if table:
            tables.add(table.name)
    return +counts, tables


def ensure_running(world: World, table: str) -> str:
    """Start an execution for a table that has work and nobody who does it; return its name, or nothing.

    The holder of a lease sees what landed before it lets go. The name says which arrival and which token it
    was started for, so that a message that comes twice does not start two; where an execution of that name
    has ended and left the work undone, the next number is tried.
    """
    ledger, executions = world.ledger, world.executions
    for number in range(_STARTS):
        lease = ledger.lease(table)
        if lease.holder and executions.is_running(lease.holder):
            return ""
        if not lease.holder and not ledger.pending(table, 1) and not lease.new_marts(world.plan):
            return ""
        name = execution_name(lease, number)
        if executions.start(name, {"table": table}):
            return name
        if executions.is_running(executions.arn(name)):
            return ""
    raise LedgerBusyError(f"{table}: {_STARTS} executions for the same arrival have ended without doing its work")


def execution_name(lease: Lease, number: int) -> str:
    """Return the name of the execution for a state of the lease, e.g. `planes-12-1357344000`, later with `-1`."""
    again = f"-{number}" if number else ""
    return f"{_short(lease.table)}-{lease.arrivals}-{lease.token}{again}"


def _short(table: str) -> str:
    """Return a table's name, cut where Step Functions would take none so long, and no other table's all the same."""
    if len(table) <= _LONGEST_STEM:
        return table
    digest = hashlib.sha256(table.encode()).hexdigest()[:_DIGITS]
    return f"{table[: _LONGEST_STEM - _DIGITS - 1]}-{digest}"
