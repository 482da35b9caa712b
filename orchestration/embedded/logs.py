"""Logs of functions and jobs: what their threads print goes to files in the lake, not to the terminal."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

_threads = threading.local()


class _Routed:
    """Stands for a standard stream: each thread's text goes to its log, or else to the stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._target().write(text)

    def flush(self) -> None:
        self._target().flush()

    def _target(self) -> TextIO:
        log: TextIO | None = getattr(_threads, "log", None)
        return log if log is not None and not log.closed else self._stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def routed() -> Iterator[None]:
    """Let threads that have a log print to it."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Routed(sys.stdout), _Routed(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


@contextmanager
def moto_kept(path: Path) -> Iterator[None]:
    """Let moto, which prints whole state machines, write to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    logger = logging.getLogger("moto")
    before = logger.propagate
    handler = logging.FileHandler(path, delay=True)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = before
        logger.removeHandler(handler)
        handler.close()


@contextmanager
def logging_to(path: Path) -> Iterator[TextIO]:
    """Let this thread print to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    outer = getattr(_threads, "log", None)
    with path.open("a", encoding="utf-8") as log:
        _threads.log = log
        try:
            yield log
        finally:
            _threads.log = outer
