"""`landfall start`."""

from __future__ import annotations

import json
from typing import Any

import click

from orchestration.embedded.cli.options import Places


@click.command(short_help="Start one execution, as in the console.")
@click.argument("request_text", metavar="JSON")
@click.pass_obj
def start(places: Places, request_text: str) -> None:
    """Start one execution as an operator does in the Step Functions console, and print its result.

    \b
    The input names a table and, where wanted, more:
      {"table": "planes"}                      stage what is pending, build marts that are due
      {"table": "planes", "mode": "rebuild"}   build the table's marts anew from the change log
      {"table": "planes", "mode": "replay", "from": "2013-01-04"}
                                               stage landings of a time, a prefix or a batch again
      {"table": "planes", "mode": "dry_run"}   say what would be done, and do nothing
      {"table": "planes", "marts": ["dim_planes"]}       build only these marts
      {"table": "planes", "allow": ["max_deleted"]}      let one batch through a limit
    """
    from orchestration.embedded.cli.access import opened
    from orchestration.embedded.cli.outcome import print_result
    from orchestration.embedded.cli.progress import following

    request = parse(request_text)
    with following() as progress, opened(places, progress) as cloud:
        execution = cloud.start(request)
        notifications = cloud.notifications()
    print_result(places, execution, notifications)
    if not execution.succeeded:
        raise SystemExit(1)


def parse(text: str) -> dict[str, Any]:
    """Return the request's JSON object; UsageError says where it is none."""
    try:
        request = json.loads(text)
    except json.JSONDecodeError as error:
        raise click.UsageError(
            f"the input is no JSON: {error.msg} at character {error.pos + 1}; "
            """write it between single quotes, such as '{"table": "planes"}'."""
        ) from error
    if not isinstance(request, dict):
        raise click.UsageError("""the input must be a JSON object such as '{"table": "planes"}'.""")
    return request
