"""`landfall run`."""

from __future__ import annotations

import click

from orchestration.embedded.cli.options import Places


@click.command(short_help="Work until nothing is pending.")
@click.pass_obj
def run(places: Places) -> None:
    """Work until nothing is pending: stage what has landed and build the marts that read it.

    Exit code 1 when a batch failed; its table, the reason and the next step are printed.
    """
    from orchestration.embedded.cli.access import opened
    from orchestration.embedded.cli.outcome import print_run
    from orchestration.embedded.cli.progress import following

    with following() as progress, opened(places, progress) as cloud:
        executions = cloud.run()
        notifications, unrouted = cloud.notifications(), cloud.status().unrouted
    print_run(places, executions, notifications, unrouted)
    if not all(execution.succeeded for execution in executions):
        raise SystemExit(1)
