"""What the laptop cloud tells: executions, the state of every table, notifications, and events while it works."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

MAINTENANCE = "maintenance"  # what stands in a table's place where all of them are maintained
EXTRACTION = "extraction"  # the name of a job that reads a database, beside its table
_MAINTENANCE_MACHINE = "-maintain-lake"


def table_of(request: Any, machine: str) -> str:
    """Return the table that an execution's input names, MAINTENANCE where its machine (an ARN) maintains all."""
    if machine.endswith(_MAINTENANCE_MACHINE):
        return MAINTENANCE
    return str(request.get("table", "")) if isinstance(request, Mapping) else ""


@dataclass(frozen=True)
class Execution:
    """One execution of the table pipeline, with the status words of Step Functions.

    `batches` are what its batches came to, as the ledger holds it, also where the execution failed.
    """

    name: str
    arn: str
    table: str
    input: Mapping[str, Any]
    status: str
    output: Any = None
    error: str | None = None
    cause: str | None = None
    started: datetime | None = None
    stopped: datetime | None = None
    batches: tuple[Mapping[str, Any], ...] = ()

    @property
    def succeeded(self) -> bool:
        return self.status == "SUCCEEDED"

    @property
    def duration(self) -> timedelta | None:
        """How long it ran; None while it runs."""
        return self.stopped - self.started if self.started and self.stopped else None


@dataclass(frozen=True)
class Batch:
    """A batch as the ledger holds it; `books` counts records, empty where nothing was published."""

    id: str
    state: str
    opened: datetime | None = None
    closed: datetime | None = None
    landings: int = 0
    books: Mapping[str, int] | None = None
    failed_marts: tuple[str, ...] = ()
    skipped_marts: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class FailedFile:
    """A landing that failed: the object's key, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class TableStatus:
    """The landings of one table by state, those that failed, its last batch, and what is still to be done.

    `lag` is the time since a landing that is pending or claimed arrived or was last tried, the longest of them. `held`
    are the pending ones that wait for the failed file `held_by`, `incomplete` others that are parts of snapshots that
    are not whole; `waits` says for what. Of a table that is `gone` no contract knows.
    """

    table: str
    landings: Mapping[str, int]
    last_batch: Batch | None = None
    lag: timedelta | None = None
    failing: bool = False
    due_marts: tuple[str, ...] = ()
    failed: tuple[FailedFile, ...] = ()
    held: int = 0
    held_by: str = ""
    incomplete: int = 0
    waits: str = ""
    gone: bool = False


@dataclass(frozen=True)
class Status:
    """The whole pipeline: every table of the plan in its order, executions newest first, unrouted objects.

    `queued` are events of objects that wait in the queue, `dead` messages in the dead-letter queue.
    """

    tables: tuple[TableStatus, ...]
    executions: tuple[Execution, ...] = ()
    unrouted: int = 0
    queued: int = 0
    dead: int = 0


@dataclass(frozen=True)
class Notification:
    """One message that was sent to the topic."""

    subject: str
    message: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Happened:
    """One event while executions run.

    `kind` is landing (name: the key), execution (name: its name, text: its status), state (name: the state entered),
    job (name: the table or mart, text: running, succeeded or failed) or notification (text: the subject).
    """

    kind: str
    table: str
    name: str
    text: str


Progress = Callable[[Happened], None]


class CloudError(Exception):
    """What was asked of the cloud cannot be done; the message is one sentence for the user."""


class QueryError(CloudError):
    """A query that cannot be answered as it is written."""
