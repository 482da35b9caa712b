"""`landfall extract`."""

from __future__ import annotations

import click

from orchestration.embedded.cli.options import Places


@click.command(short_help="Extract a table from its database.")
@click.argument("table")
@click.option("--full", is_flag=True, help="Read everything again, whatever the watermark says.")
@click.option("--watermark", metavar="VALUE", help="Go on after VALUE in place of the stored watermark.")
@click.pass_obj
def extract(places: Places, table: str, full: bool, watermark: str | None) -> None:
    """Extract TABLE from the database that its contract names, as its schedule would; `landfall run` stages it."""
    from orchestration.embedded.cli.access import opened
    from orchestration.embedded.cli.outcome import print_result
    from orchestration.embedded.cli.progress import following

    with following() as progress, opened(places, progress) as cloud:
        execution = cloud.extract(
            {
                "table": table,
                **({"mode": "full"} if full else {}),
                **({"watermark": watermark} if watermark is not None else {}),
            }
        )
        notifications = cloud.notifications()
    print_result(places, execution, notifications)
    if not execution.succeeded:
        raise SystemExit(1)
