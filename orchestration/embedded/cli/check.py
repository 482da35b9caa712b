"""`landfall check`."""

from __future__ import annotations

import click

from orchestration.embedded.cli.options import Places
from orchestration.embedded.cli.pipeline import located, require_folder
from orchestration.embedded.cli.words import counted


@click.command(short_help="Print every mistake of the contracts.")
@click.pass_obj
def check(places: Places) -> None:
    """Print every mistake of the pipeline's contracts, each with its file, line and field."""
    from contracts.compile import ContractError, compile_plan

    try:
        plan = compile_plan(require_folder(places.pipeline))
    except ContractError as error:
        click.echo(located(places.pipeline, error))
        click.echo(f"{counted(len(error.mistakes), 'mistake')} in {places.pipeline}", err=True)
        raise SystemExit(1) from error
    tables, marts = counted(len(plan.tables), "table"), counted(len(plan.marts), "mart")
    click.echo(f"{plan.pipeline}: {tables} and {marts}, no mistakes")
