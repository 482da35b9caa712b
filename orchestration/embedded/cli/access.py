"""The laptop cloud as commands use it: its mistakes become one sentence and an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from orchestration.embedded.cli.options import Places
from orchestration.embedded.cli.pipeline import load_plan, require_folder

if TYPE_CHECKING:
    from orchestration.embedded.cloud import Cloud
    from orchestration.embedded.report import Progress


class WrongUsage(click.ClickException):
    """Wrong usage that the command's synopsis does not explain."""

    exit_code = 2


@contextmanager
def opened(places: Places, progress: Progress | None = None) -> Iterator[Cloud]:
    """Yield the cloud of the pipeline and lake; UsageError and ClickException say what keeps it from working."""
    from orchestration.embedded.report import CloudError, QueryError

    require_folder(places.pipeline)
    try:
        from orchestration.embedded.cloud import open_cloud

        with open_cloud(places.pipeline, places.lake, progress=progress) as cloud:
            yield cloud
    except CloudError as error:
        load_plan(places.pipeline)  # where contracts hold mistakes, they are the reason, and are told with their lines
        refusal = WrongUsage if isinstance(error, QueryError) else click.ClickException
        raise refusal(str(error)) from error
