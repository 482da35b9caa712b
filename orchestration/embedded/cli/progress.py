"""What happens while executions run: a line for each job that ends, and on a terminal what runs now."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status as Spinner

from orchestration.embedded.cli.tables import console
from orchestration.embedded.report import EXTRACTION, MAINTENANCE, Happened, Progress

_UNDER_WAY = frozenset({"waiting", "starting", "running", "stopping"})
_QUIET_STATES = frozenset({"Read the request", "What is due?", "Did everything succeed?", "Report the batches"})


class Follower:
    """Writes to stderr, so that results alone are on stdout; called from the threads of executions."""

    def __init__(self, out: Console, spinner: Spinner | None, brief: bool = False) -> None:
        self._out = out
        self._spinner = spinner
        self._brief = brief
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str], float] = {}
        self._at: dict[str, str] = {}

    def __call__(self, event: Happened) -> None:
        with self._lock:
            self._note(event)
            if line := self._line(event):
                self._out.print(line, markup=False, soft_wrap=True)
            if self._spinner:
                self._spinner.update(self.now())

    def now(self) -> str:
        """Return what runs now, table by table."""
        jobs: dict[str, list[str]] = {}
        for table, name in self._running:
            jobs.setdefault(table, []).append(name)
        parts = [f"{table}: {', '.join(jobs.get(table, ())) or state}" for table, state in self._at.items()]
        return " · ".join(parts) or "waiting for events"

    def _note(self, event: Happened) -> None:
        if event.kind == "state" and event.name not in _QUIET_STATES:
            self._at[event.table] = event.name
        elif event.kind == "execution" and event.text != "RUNNING":
            self._at.pop(event.table, None)

    def _line(self, event: Happened) -> str:
        if event.kind == "job":
            return self._job(event)
        if event.kind == "execution" and event.text not in ("RUNNING", "SUCCEEDED"):
            return f"{event.table}: execution {event.name} {event.text}"
        if event.kind == "notification":
            return f"notified: {event.text}"
        return ""

    def _job(self, event: Happened) -> str:
        job = (event.table, event.name)
        if event.text in _UNDER_WAY:
            self._running.setdefault(job, time.monotonic())
            return ""
        seconds = time.monotonic() - self._running.pop(job, time.monotonic())
        verbs = {event.table: "staged", EXTRACTION: "extracted", MAINTENANCE: "done"}
        verb = verbs.get(event.name, f"built {event.name}")
        if event.text != "succeeded":
            verb = f"{event.text}: {event.name}"
        elif self._brief:
            return ""
        return f"{event.table}: {verb} in {seconds:.1f} s"


@contextmanager
def following(brief: bool = False) -> Iterator[Progress]:
    """Yield a callable for open_cloud's progress; on a terminal a spinner says what runs now.

    `brief` leaves out the jobs that succeed.
    """
    out = console(stderr=True)
    if not out.is_terminal:
        yield Follower(out, None, brief)
        return
    with out.status("starting") as spinner:
        yield Follower(out, spinner, brief)
