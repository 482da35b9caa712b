"""`landfall query`."""

from __future__ import annotations

import click

from orchestration.embedded.cli.options import Places


@click.command(short_help="Answer a SELECT as table, CSV or JSON.")
@click.argument("sql")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@click.pass_obj
def query(places: Places, sql: str, form: str) -> None:
    """Answer a SELECT; tables are called staging.NAME, mart.NAME, quarantine.NAME and audit.NAME.

    SHOW TABLES, also IN one of these, says which there are, and DESCRIBE a table's columns.

    CSV writes NULL as an empty field and '' as two quotes; timestamps are ISO 8601 in UTC.
    """
    from orchestration.embedded.cli import values
    from orchestration.embedded.cli.access import WrongUsage, opened
    from orchestration.embedded.cli.tables import print_result

    with opened(places) as cloud:
        columns, rows = cloud.query(sql)
    if form == "table":
        print_result(columns, rows)
        return
    if form == "json" and (twice := [name for name in columns if columns.count(name) > 1]):
        raise WrongUsage(f"two columns are called {twice[0]}, and JSON holds one: name them apart with AS.")
    lines = values.csv_lines if form == "csv" else values.json_lines
    for line in lines(columns, rows):
        click.echo(line)
