"""How executions ended, in words: what was read, what failed, why, and what to do next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestration.embedded.cli.options import Places
from orchestration.embedded.cli.tables import console, result_table
from orchestration.embedded.cli.words import counted, duration, in_one_line

if TYPE_CHECKING:
    from orchestration.embedded.report import Execution, Notification

BOOKS = ("read", "inserted", "updated", "unchanged", "duplicate", "rejected", "deleting", "deleted")
_RERUN = "RERUN    "
_EXTRACTS = "-extract-source:"


def print_run(
    places: Places, executions: Sequence[Execution], notifications: Sequence[Notification], unrouted: int = 0
) -> None:
    """Print the books of every batch, then each failure as operators are told of it, then the sum."""
    out = console()
    rows = list(book_rows(executions))
    if rows:
        out.print(result_table(("table", "landings", *BOOKS, "marts built"), rows, title="Batches"))
    for execution in executions:
        for line in remarks(execution):
            out.print(in_one_line(line), markup=False, soft_wrap=True)
    failed = [one for one in executions if not one.succeeded]
    for one in failed:
        print_failure(places, one, notifications)
    if unrouted:
        out.print(f"{counted(unrouted, 'object')} unrouted: no contract's prefix claims the key.")
    if not executions:
        out.print("Nothing was pending.")
    else:
        good = counted(len(executions) - len(failed), "execution")
        out.print(f"{good} succeeded, {len(failed):,} failed.")


def remarks(execution: Execution) -> Iterator[str]:
    """Yield a line for each file in quarantine, refused records, checks that warn, and a snapshot that waits."""
    output = execution.output
    reason = output.get("ended_because", "") if isinstance(output, Mapping) else ""
    if reason.startswith("waits"):
        yield f"{execution.table} {reason}"
    yield from file_remarks(execution)


def file_remarks(execution: Execution) -> Iterator[str]:
    """Yield a line for each file in quarantine, refused records, and checks that warn."""
    for batch in execution.batches:
        rows = batch.get("rows", {})
        for file in batch.get("quarantined_files", ()):
            yield f"A file was not staged and is in quarantine: {file['reason']}"
        if rows and (refused := batch.get("refused_records")):
            shown = "; ".join(_refused(one) for one in refused)
            yield f"{execution.table}: {counted(rows['rejected'], 'record')} of {rows['read']:,} in quarantine: {shown}"
        for check, times in batch.get("warnings", {}).items():
            yield f"{execution.table}: the check {check} warns {counted(times, 'time')}"


def _refused(one: Mapping[str, Any]) -> str:
    column = f"column {one['column']} " if one["column"] else ""
    return f"{one['file']} record {one['row']}: {column}{one['reason']}"


def book_rows(executions: Iterable[Execution]) -> Iterator[tuple[Any, ...]]:
    """Yield one row for each batch that was published."""
    for execution in executions:
        for batch in execution.batches:
            if not (rows := batch.get("rows")):
                continue
            marts = ", ".join(sorted(batch.get("marts", ())))
            yield (execution.table, batch.get("landings"), *(rows.get(name) for name in BOOKS), marts)


def print_result(places: Places, execution: Execution, notifications: Sequence[Notification]) -> None:
    """Print one execution's state, duration and output, or how it failed."""
    if not execution.succeeded:
        print_failure(places, execution, notifications)
        return
    out = console()
    out.print(f"{execution.status}  {execution.table}  {execution.name}  {duration(execution.duration)}")
    out.print(json.dumps(execution.output, indent=2, ensure_ascii=False, default=str), markup=False, soft_wrap=True)


def print_failure(places: Places, execution: Execution, notifications: Sequence[Notification]) -> None:
    """Print one failed execution in the words of its notification."""
    out = console()
    out.print(f"[bold red]{execution.status}[/]  {execution.table}  {execution.error or ''}")
    for line in told(places, execution, notifications):
        out.print(f"  {line}", markup=False, soft_wrap=True)


def told(places: Places, execution: Execution, notifications: Sequence[Notification]) -> list[str]:
    """Return what the execution's notification says of each failure, its input to rerun as a command.

    An execution that nobody was told of speaks for itself.
    """
    for notification in reversed(notifications):
        if execution.arn in notification.message:
            paragraphs = notification.message.split("\n\n")
            failures = [paragraph for paragraph in paragraphs if paragraph.startswith("WHAT ")]
            lines = [line for failure in failures for line in failure.splitlines()]
            return [_as_command(places, execution, line) for line in lines]
    again = _as_command(places, execution, _RERUN + json.dumps(execution.input))
    return [f"WHY      {execution.cause or 'no cause was given'}", again]


def _as_command(places: Places, execution: Execution, line: str) -> str:
    """Return a line of a message, an input to rerun as the command that takes it."""
    if not line.startswith(_RERUN):
        return line
    request = line.removeprefix(_RERUN)
    command = f"start {shlex.quote(request)}"
    if _EXTRACTS in execution.arn:
        asked = json.loads(request)
        command = f"extract {shlex.quote(asked['table'])}" + (" --full" if asked.get("mode") == "full" else "")
        command += f" --watermark {shlex.quote(asked['watermark'])}" if "watermark" in asked else ""
    return f"{_RERUN}{landfall(places)} {command}"


def landfall(places: Places) -> str:
    """Return the command line's name with the options that this lake needs."""
    return " ".join([".venv/bin/landfall", *(shlex.quote(word) for word in places.options())])
