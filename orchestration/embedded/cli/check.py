"""`landfall check`."""

from __future__ import annotations

import click

from orchestration.embedded.cli.options import Places
from orchestration.embedded.cli.pipeline import require_folder


@click.command(short_help="Print every mistake of the contracts.")
@click.pass_obj
def check(places: Places) -> None:
    """Print every mistake of the pipeline's contracts, each with its file, line and field."""
    from contracts.compile import ContractError, compile_plan

    try:
        plan = compile_plan(require_folder(places.pipeline))
    except ContractError as error:
        click.echo(str(error))
        count = "1 mistake" if len(error.mistakes) == 1 else f"{len(error.mistakes)} mistakes"
        click.echo(f"{count} in {places.pipeline}", err=True)
        raise SystemExit(1) from error
    click.echo(f"{plan.pipeline}: {len(plan.tables)} tables and {len(plan.marts)} marts, no mistakes")
