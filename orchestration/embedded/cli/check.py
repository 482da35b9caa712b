"""`landfall check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestration.embedded.cli.options import Places
from orchestration.embedded.cli.pipeline import located, require_folder
from orchestration.embedded.cli.words import counted

if TYPE_CHECKING:
    from contracts.compile import Compiled
    from contracts.documents import Mistake
    from contracts.model import Plan


@click.command(short_help="Print every mistake of the contracts.")
@click.option("--fast", is_flag=True, help="Do not ask Spark what the SQL means: it takes some seconds to start.")
@click.pass_obj
def check(places: Places, fast: bool) -> None:
    """Print every mistake of the pipeline's contracts, each with its file, line and field.

    SQL is given to Spark when nothing else is wrong: it knows all columns and types.
    """
    from contracts.compile import ContractError, compile_documents

    try:
        compiled = compile_documents(require_folder(places.pipeline))
        if not fast and _holds_sql(compiled.plan) and (mistakes := _analyzed(compiled)):
            raise ContractError(mistakes)
    except ContractError as error:
        click.echo(located(places.pipeline, error))
        click.echo(f"{counted(len(error.mistakes), 'mistake')} in {places.pipeline}", err=True)
        raise SystemExit(1) from error
    plan = compiled.plan
    tables, marts = counted(len(plan.tables), "table"), counted(len(plan.marts), "mart")
    click.echo(f"{plan.pipeline}: {tables} and {marts}, no mistakes")


def _holds_sql(plan: Plan) -> bool:
    tables = plan.tables.values()
    of_rows = (each.expr for table in tables for each in table.columns)
    conditions = (text for table in tables for text in (table.delete_when, table.truncate_when))
    rules = (check.rule for table in tables for check in table.checks)
    return any((*of_rows, *conditions, *rules, *(mart.sql for mart in plan.marts.values())))


def _analyzed(compiled: Compiled) -> list[Mistake]:
    from orchestration.embedded.analysis import mistakes
    from orchestration.embedded.cli.tables import console
    from orchestration.embedded.session import borrowed_session

    with console(stderr=True).status("Spark starts, and looks at the SQL"), borrowed_session() as spark:
        return mistakes(spark, compiled)
