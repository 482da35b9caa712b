"""One command at a time works in a lake."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from orchestration.embedded.report import CloudError


@contextmanager
def locked(lake: Path, file: Path) -> Iterator[None]:
    """Hold a lake's lock; CloudError names the process that holds it. It goes with its holder, killed or not."""
    with _opened(lake, file) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            handle.seek(0)
            raise CloudError(
                f"The lake {lake} is in use by another command (process {handle.read().strip() or 'unknown'}): "
                "wait for it to end, or name another lake."
            ) from error
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        yield
        handle.truncate(0)


def _opened(lake: Path, file: Path) -> TextIO:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.open("a+", encoding="utf-8")
    except OSError as error:
        raise CloudError(f"The lake {lake} cannot be written: {error.strerror}. Name another with --lake.") from error
