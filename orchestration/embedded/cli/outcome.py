"""How executions ended, in words: what was read, what failed, why, and what to do next."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestration.embedded.cli.tables import console, result_table
from orchestration.embedded.cli.words import counted, duration

if TYPE_CHECKING:
    from orchestration.embedded.report import Execution

BOOKS = ("read", "inserted", "updated", "unchanged", "duplicate", "rejected", "deleting", "deleted")
_NEXT_STEPS = {
    "ContractViolationError": (
        "land a corrected file; or correct the contract, then landfall start "
        """'{{"table": "{table}", "mode": "replay"}}'"""
    ),
    "LimitExceededError": (
        "if the figures are right, let the batch through once: landfall start "
        """'{{"table": "{table}", "allow": ["{limit}"]}}'; if not, land a corrected file"""
    ),
    "InvalidRequestError": "correct the input and start again",
}
_DEFAULT_STEP = """remove the cause, then landfall start '{{"table": "{table}"}}'"""
_LIMITS = ("max_rejected", "max_deleted", "min_rows")


def next_step(execution: Execution) -> str:
    """Return what an operator does after this failure, with the exact command."""
    cause = execution.cause or ""
    limit = next((name for name in _LIMITS if name in cause), _LIMITS[0])
    return _NEXT_STEPS.get(execution.error or "", _DEFAULT_STEP).format(table=execution.table, limit=limit)


def batches(execution: Execution) -> list[Mapping[str, Any]]:
    """Return the summaries of the batches that an execution that succeeded reports."""
    output = execution.output
    return list(output.get("batches", ())) if isinstance(output, Mapping) else []


def print_run(executions: Sequence[Execution], unrouted: int = 0) -> None:
    """Print the books of every batch, then each failure with its reason and next step."""
    out = console()
    rows = list(book_rows(executions))
    if rows:
        out.print(result_table(("table", "landings", *BOOKS), rows, title="Batches"))
    failed = [one for one in executions if not one.succeeded]
    for one in failed:
        print_failure(one)
    if unrouted:
        out.print(f"{counted(unrouted, 'object')} unrouted: no contract's prefix claims the key.")
    if not executions:
        out.print("Nothing was pending.")
    else:
        good = counted(len(executions) - len(failed), "execution")
        out.print(f"{good} succeeded, {len(failed):,} failed.")


def book_rows(executions: Iterable[Execution]) -> Iterable[tuple[Any, ...]]:
    """Yield one row for each batch whose books are known."""
    for execution in executions:
        for batch in batches(execution):
            books = batch.get("books") or {}
            yield (execution.table, batch.get("landings"), *(books.get(name) for name in BOOKS))


def print_result(execution: Execution) -> None:
    """Print one execution's state, duration and output, or its error, reason and next step."""
    out = console()
    if not execution.succeeded:
        print_failure(execution)
        return
    out.print(f"{execution.status}  {execution.table}  {execution.name}  {duration(execution.duration)}")
    out.print(json.dumps(execution.output, indent=2, ensure_ascii=False, default=str), markup=False, soft_wrap=True)


def print_failure(execution: Execution) -> None:
    """Print one failed execution: table, reason, next step."""
    out = console()
    out.print(f"[bold red]{execution.status}[/]  {execution.table}  {execution.error or ''}")
    out.print(f"  why:   {execution.cause or 'no cause was given'}", markup=False, soft_wrap=True)
    out.print(f"  next:  {next_step(execution)}", markup=False, soft_wrap=True)
