"""`landfall status`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from orchestration.embedded.cli.options import Places

if TYPE_CHECKING:
    from orchestration.embedded.report import Batch, Execution, Status, TableStatus

_EXECUTIONS_SHOWN = 20
_FAILED_SHOWN = 5
_COLUMNS = ("table", "pending", "claimed", "staged", "failed", "quarantined", "duplicate", "superseded")


@click.command(short_help="Show landings, batches and executions.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
@click.pass_obj
def status(places: Places, as_json: bool) -> None:
    """Show each table's landings by state, its last batch and lag, and the executions with their durations.

    Lag is the time since a landing that no batch has settled yet arrived or was last tried, the longest of them.
    """
    from orchestration.embedded.cli.access import opened

    with opened(places) as cloud:
        seen = cloud.status()
    if as_json:
        click.echo(json.dumps(as_object(places, seen), indent=2, ensure_ascii=False))
    else:
        print_status(seen)


def as_object(places: Places, seen: Status) -> dict[str, Any]:
    """Return the status as plain JSON values: ISO 8601 times, durations and lags in seconds."""
    return {
        "pipeline": str(places.pipeline),
        "lake": str(places.lake),
        "tables": [_plain(asdict(table)) for table in seen.tables],
        "executions": [
            {**_plain(asdict(one)), "seconds": one.duration.total_seconds() if one.duration else None}
            for one in seen.executions
        ],
        "unrouted": seen.unrouted,
        "queued": seen.queued,
        "dead_letters": seen.dead,
    }


def _plain(value: Any) -> Any:
    from orchestration.embedded.cli.values import timestamp

    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return timestamp(value)
    return value.total_seconds() if isinstance(value, timedelta) else value


def print_status(seen: Status) -> None:
    """Print the tables, then the newest executions, then what needs a hand."""
    from orchestration.embedded.cli.tables import console, result_table
    from orchestration.embedded.cli.words import in_one_line

    columns = (*_COLUMNS, "last batch", "lag")
    out = console()
    out.print(result_table(columns, [_table_row(table) for table in seen.tables], title="Landings"))
    if seen.executions:
        shown = seen.executions[:_EXECUTIONS_SHOWN]
        out.print(result_table(("table", "state", "started", "duration", "execution", "error"),
                               [_execution_row(one) for one in shown], title="Executions, newest first"))  # fmt: skip
        if hidden := len(seen.executions) - len(shown):
            out.print(f"and {hidden:,} earlier ones: landfall status --json shows them all")
    else:
        out.print(f"No execution has run in this lake{'' if seen.queued else ': land a file, then landfall run'}.")
    for line in advice(seen):
        out.print(in_one_line(line), markup=False, soft_wrap=True)


def _table_row(table: TableStatus) -> tuple[Any, ...]:
    from orchestration.embedded.cli.words import duration

    counts = tuple(table.landings.get(state, 0) for state in _COLUMNS[1:])
    return (table.table, *counts, _batch(table.last_batch), duration(table.lag) or "none")


def _batch(batch: Batch | None) -> str:
    from orchestration.embedded.cli.words import instant

    if batch is None:
        return "none"
    return f"{batch.state} {instant(batch.closed or batch.opened)}".strip()


def _execution_row(one: Execution) -> tuple[str, ...]:
    from orchestration.embedded.cli.words import duration, instant

    return (one.table, one.status, instant(one.started), duration(one.duration), one.name, one.error or "")


def advice(seen: Status) -> list[str]:
    """Return one sentence for each thing that waits for a human or for `landfall run`."""
    from functions.shared.choosing import held_words
    from orchestration.embedded.cli.outcome import file_remarks
    from orchestration.embedded.cli.words import counted, listed

    newest = {one.table: one for one in reversed(seen.executions) if one.batches}
    lines = [line for table in sorted(newest) for line in file_remarks(newest[table])]
    for table in seen.tables:
        lines += [f"{table.table}: {one.key} failed: {one.reason}" for one in table.failed[:_FAILED_SHOWN]]
        if hidden := len(table.failed[_FAILED_SHOWN:]):
            lines.append(f"{table.table}: {hidden:,} more failed: landfall status --json tells why")
        pending = table.landings.get("pending", 0)
        if table.gone and pending:
            waiting = counted(pending, "landing")
            lines.append(f"{table.table}: no contract names it any more; {waiting} pending until one does")
        elif table.held:
            lines.append(f"{table.table}: {held_words(table.held, table.held_by)}")
        if table.waits:
            lines.append(f"{table.table} {table.waits}")
        if table.due_marts:
            marts = listed(table.due_marts)
            lines.append(f"""{table.table}: {marts} not up to date; landfall start '{{"table": "{table.table}"}}'""")
    if seen.queued:
        lines.append(f"{counted(seen.queued, 'event')} in the queue: landfall run works on what has landed.")
    if waits := sum(one.landings.get("pending", 0) - one.held - one.incomplete for one in seen.tables if not one.gone):
        lines.append(f"{counted(waits, 'landing')} pending: landfall run works on them.")
    if seen.unrouted:
        lines.append(f"{counted(seen.unrouted, 'object')} unrouted: no contract's prefix claims the key.")
    if seen.dead:
        letters = counted(seen.dead, "message")
        lines.append(f"{letters} in the dead-letter queue: see the logs of receive_files in logs/functions.")
    return lines
