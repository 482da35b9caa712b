"""Executions of the state machine: how many run at once, what they do, and how they ended."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.backend import execution as moto_execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from orchestration.embedded.report import Execution, table_of

_log = logging.getLogger(__name__)
_plain_start: Any = moto_execution.Execution.start
_plain_logic: Any = ExecutionWorker._execution_logic
_plain_add_event: Any = EventManager.add_event
RUNNING = "RUNNING"
ABORTED = "ABORTED"
_DIED = "The command that ran it was stopped."


@dataclass(frozen=True)
class Past:
    """An execution of an earlier command, as moto's DescribeExecution reads it."""

    execution_arn: str
    name: str
    state_machine_arn: str
    execution_input: str
    status: str
    output: str | None
    error: str | None
    cause: str | None
    start_date: datetime | None
    stop_date: datetime | None
    output_details: None = None


@dataclass(frozen=True)
class Hooks:
    """Who is told what executions do; called from their threads."""

    began: Callable[[Execution], None]
    entered: Callable[[Execution, str], None]
    ended: Callable[[Execution], None]


class Executions:
    """All executions of a lake, those of earlier commands first."""

    def __init__(self, at_once: int, hooks: Hooks) -> None:
        self._hooks = hooks
        self._slots = threading.Semaphore(at_once)
        self._known: dict[str, Any] = {}
        self._running: set[str] = set()
        self._changed = threading.Condition()

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Let moto's executions be counted here."""

        def start(execution: Any) -> None:
            self._begin(execution)
            _plain_start(execution)

        def logic(worker: Any) -> None:
            self._work(worker)

        def add_event(manager: Any, *args: Any, **event: Any) -> Any:
            self._note(manager, event)
            return _plain_add_event(manager, *args, **event)

        with (
            mock.patch.object(moto_execution.Execution, "start", start),
            mock.patch.object(ExecutionWorker, "_execution_logic", logic),
            mock.patch.object(EventManager, "add_event", add_event),
        ):
            yield

    def all(self) -> list[Execution]:
        """Return every execution, oldest first."""
        return [told(one) for one in list(self._known.values())]

    def get(self, arn: str) -> Execution:
        return told(self._known[arn])

    def is_any_running(self) -> bool:
        return bool(self._running)

    def is_running(self, arn: str) -> bool:
        return arn in self._running

    def wait(self, arn: str | None = None, seconds: float | None = None) -> None:
        """Wait until one execution (or some execution) has ended, at most for so long."""
        with self._changed:
            before = set(self._running)
            self._changed.wait_for(
                lambda: arn not in self._running if arn else self._running != before or not before, seconds
            )

    def restore(self, saved: list[Mapping[str, Any]], account: str, region: str) -> list[Execution]:
        """Bring back the executions of earlier commands; return those that ran when their command was stopped."""
        machines: dict[str, Any] = {
            one.arn: one for one in stepfunctions_parser_backends[account][region].state_machines
        }
        died = []
        for values in saved:
            past = _past(values)
            if machine := machines.get(past.state_machine_arn):  # it goes when no contract extracts a table any more
                machine.executions.append(past)
            self._known[past.execution_arn] = past
            if values["status"] == RUNNING:
                died.append(told(past))
        return died

    def dump(self) -> list[dict[str, Any]]:
        """Return all executions as JSON values."""
        return [_dumped(one) for one in list(self._known.values())]

    def _begin(self, execution: Any) -> None:
        with self._changed:
            self._known[execution.exec_arn] = execution
            self._running.add(execution.exec_arn)
        execution.exec_status = ExecutionStatus.RUNNING
        self._hooks.began(told(execution))

    def _work(self, worker: Any) -> None:
        execution = worker._execution_communication.execution
        try:
            with self._slots:
                _plain_logic(worker)
        except Exception as error:
            _log.exception("execution %s broke off", execution.name)
            execution.exec_status = ExecutionStatus.FAILED
            execution.error, execution.cause = "States.Runtime", f"{type(error).__name__}: {error}"
            execution.stop_date = datetime.now(UTC)
        finally:
            try:
                self._hooks.ended(told(execution))
            finally:
                with self._changed:
                    self._running.discard(execution.exec_arn)
                    self._changed.notify_all()

    def _note(self, manager: Any, event: Mapping[str, Any]) -> None:
        details = event.get("event_details") or {}
        entered = details.get("stateEnteredEventDetails")
        if entered is None:
            return
        for arn in list(self._running):
            execution = self._known[arn]
            env = execution.exec_worker.env if execution.exec_worker else None
            if env is not None and env.event_manager is manager:
                self._hooks.entered(told(execution), entered["name"])


def told(execution: Any) -> Execution:
    """Return a moto execution, or a past one, in the words of the report."""
    request = json.loads(execution.execution_input)
    output = execution.output
    return Execution(
        name=execution.name,
        arn=execution.execution_arn,
        table=table_of(request, str(execution.state_machine_arn)),
        input=request,
        status=str(execution.status),
        output=json.loads(output) if isinstance(output, str) else output,
        error=execution.error,
        cause=execution.cause,
        started=execution.start_date,
        stopped=execution.stop_date,
    )


def _dumped(execution: Any) -> dict[str, Any]:
    output = execution.output
    return {
        "arn": execution.execution_arn,
        "name": execution.name,
        "machine": execution.state_machine_arn,
        "input": execution.execution_input,
        "status": str(execution.status),
        "output": json.dumps(output) if output is not None and not isinstance(output, str) else output,
        "error": execution.error,
        "cause": execution.cause,
        "started": execution.start_date.isoformat(),
        "stopped": execution.stop_date.isoformat() if execution.stop_date else None,
    }


def _past(values: Mapping[str, Any]) -> Past:
    """Return a saved execution; one that ran died with its command."""
    died = values["status"] == RUNNING
    started = datetime.fromisoformat(values["started"])
    stopped = datetime.fromisoformat(values["stopped"]) if values["stopped"] else None
    return Past(
        execution_arn=values["arn"],
        name=values["name"],
        state_machine_arn=values["machine"],
        execution_input=values["input"],
        status=ABORTED if died else values["status"],
        output=values["output"],
        error=values["error"],
        cause=_DIED if died else values["cause"],
        start_date=started,
        stop_date=datetime.now(UTC) if died else stopped,
    )
