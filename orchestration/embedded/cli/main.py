"""The command line `landfall`: one module for each command, imported with no library but click."""

from __future__ import annotations

from pathlib import Path

import click

from orchestration.embedded.cli import check, demo, extract, land, maintain, new_table, query, run, start, status
from orchestration.embedded.cli.options import DEFAULT_LAKE, DEFAULT_PIPELINE, GlobalOptionsGroup, Places


@click.group(cls=GlobalOptionsGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--pipeline",
    type=click.Path(path_type=Path),
    default=DEFAULT_PIPELINE,
    show_default=True,
    envvar="LANDFALL_PIPELINE",
    show_envvar=True,
    metavar="DIR",
    help="The folder of the pipeline's contracts.",
)
@click.option(
    "--lake",
    type=click.Path(path_type=Path),
    default=DEFAULT_LAKE,
    show_default=True,
    envvar="LANDFALL_LAKE",
    show_envvar=True,
    metavar="DIR",
    help="The folder that holds this pipeline's buckets, tables and state.",
)
@click.version_option(package_name="landfall", message="landfall %(version)s")
@click.pass_context
def cli(ctx: click.Context, pipeline: Path, lake: Path) -> None:
    """Land files, run the pipeline and query its tables, all on this machine.

    Exit codes: 0 all went well, 1 a batch, an execution or a check failed, 2 wrong usage.
    """
    ctx.obj = Places(pipeline, lake)


_COMMANDS = (
    check.check,
    new_table.new_table,
    land.land,
    extract.extract,
    run.run,
    start.start,
    maintain.maintain,
    query.query,
    status.status,
    demo.demo,
)
for command in _COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line."""
    cli(prog_name="landfall")
