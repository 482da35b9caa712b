"""Runs a job's script in this process; an exception is written to a file, in the words of Glue.

Usage: run_script.py ERROR_FILE SCRIPT [ARGUMENT…]. What LANDFALL_INTERRUPTION orders (see ../interruptions.py) is done
here, by the process to itself: at the very line of its log, and by a signal that nothing in it can catch.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import threading
from pathlib import Path
from typing import Any, TextIO


class _Watching:
    """Stands for standard error, and interrupts the process behind the line that is waited for."""

    def __init__(self, stream: TextIO, ordered: dict[str, Any]) -> None:
        self._stream = stream
        self._ordered = ordered
        self._left = int(ordered["nth"])

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        if all(word in text for word in self._ordered["words"]):
            self._left -= 1
            if self._left == 0:
                self._stream.flush()
                _interrupt_later(self._ordered)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _watch(ordered: dict[str, Any]) -> None:
    if ordered["words"]:
        sys.stderr = _Watching(sys.stderr, ordered)
    else:
        _interrupt_later(ordered)


def _interrupt_later(ordered: dict[str, Any]) -> None:
    if not ordered["seconds"]:
        _interrupt(ordered)
        return
    timer = threading.Timer(ordered["seconds"], _interrupt, [ordered])
    timer.daemon = True
    timer.start()


def _interrupt(ordered: dict[str, Any]) -> None:
    if ordered["alone"]:
        os.kill(os.getpid(), ordered["signal"])
    else:
        os.killpg(0, ordered["signal"])


def main() -> None:
    """Run the script as Glue does."""
    error_file, script, *arguments = sys.argv[1:]
    sys.argv = [script, *arguments]
    if ordered := os.environ.pop("LANDFALL_INTERRUPTION", ""):
        _watch(json.loads(ordered))
    try:
        runpy.run_path(script, run_name="__main__")
    except Exception as error:
        Path(error_file).write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        raise


if __name__ == "__main__":
    main()
