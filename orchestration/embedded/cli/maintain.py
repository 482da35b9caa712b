"""`landfall maintain`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from orchestration.embedded.cli.options import Places

_COLUMNS = {
    "files merged": "files_rewritten",
    "into": "files_written",
    "snapshots expired": "snapshots_expired",
    "their files": "files_deleted",
    "files of nobody": "orphans_deleted",
    "dead branches": "branches_dropped",
    "rows forgotten": "rows_forgotten",
}


@click.command(short_help="Compact tables, expire old snapshots.")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.pass_obj
def maintain(places: Places, names: tuple[str, ...]) -> None:
    """Maintain all tables, or those of the tables and marts called NAME, as the schedule does in production."""
    from orchestration.embedded.cli.access import opened
    from orchestration.embedded.cli.outcome import print_failure
    from orchestration.embedded.cli.progress import following
    from orchestration.embedded.cli.tables import console, result_table
    from orchestration.embedded.cli.words import counted

    with following() as progress, opened(places, progress) as cloud:
        execution, report = cloud.maintain(names)
        notifications = cloud.notifications()
    out = console()
    if found := list(rows(report)):
        out.print(result_table(("table", *_COLUMNS), found, title="Maintenance"))
    for line in remarks(report):
        out.print(line, markup=False, soft_wrap=True)
    if not execution.succeeded:
        print_failure(places, execution, notifications)
        raise SystemExit(1)
    done = f"of which {len(found)} had something to be done" if found else "none had anything to be done"
    out.print(f"{counted(len(report), 'table')}, {done}.")


def rows(report: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """Yield a row of counts for each table to which something was done."""
    for one in report:
        counts = [one.get(name, 0) for name in _COLUMNS.values()]
        if any(counts):
            yield (_short(one["table"]), *counts)


def remarks(report: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is to be said of a table in words."""
    for one in report:
        if one.get("held_by"):
            yield f"{_short(one['table'])}: old snapshots stay because the mart {one['held_by']} has not read them yet"
        for name in ("note", "error"):
            if one.get(name):
                yield f"{_short(one['table'])}: {one[name]}"


def _short(table: str) -> str:
    """Return the name that queries use, e.g. `staging.planes`."""
    layer, _, name = table.split(".", 2)
    return f"{layer}.{name}"
