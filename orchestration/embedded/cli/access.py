"""The laptop cloud as commands use it: its mistakes become one sentence and an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from orchestration.embedded.cli.options import Places
from orchestration.embedded.cli.pipeline import mistaken, require_folder

if TYPE_CHECKING:
    from orchestration.embedded.cloud import Cloud
    from orchestration.embedded.report import Progress


@contextmanager
def opened(places: Places, progress: Progress | None = None) -> Iterator[Cloud]:
    """Yield the cloud of the pipeline and lake; UsageError and ClickException say what keeps it from working."""
    from contracts.compile import ContractError
    from orchestration.embedded.report import CloudError, QueryError

    require_folder(places.pipeline)
    try:
        from orchestration.embedded.cloud import open_cloud

        with open_cloud(places.pipeline, places.lake, progress=progress) as cloud:
            yield cloud
    except ContractError as error:
        raise mistaken(places.pipeline, error) from error
    except QueryError as error:
        raise click.UsageError(str(error)) from error
    except CloudError as error:
        raise click.ClickException(str(error)) from error
