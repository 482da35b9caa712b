"""Runs of Glue jobs: moto keeps the jobs, the runs are real."""

from __future__ import annotations

import threading
import traceback
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

from moto.core.responses import ActionResult
from moto.glue import models
from moto.glue.exceptions import ConcurrentRunsExceededException
from moto.glue.responses import GlueResponse

from orchestration.embedded.interruptions import Interruption
from orchestration.embedded.logs import logging_to
from orchestration.embedded.network import acting

_ACTIVE = ("STARTING", "RUNNING", "STOPPING")
_MESSAGE_LENGTH = 4000
_REST_SECONDS = 1.0


class JobFailedError(Exception):
    """A job's script failed; the message is Glue's ErrorMessage."""


class JobStoppedError(Exception):
    """A run was stopped, or ran out of time."""


@dataclass
class JobRun:
    """One run of a job, as GetJobRun tells it."""

    job_name: str
    script: str
    given: Mapping[str, str]
    arguments: Mapping[str, str]
    timeout_minutes: int
    log_file: Path
    settings: Mapping[str, Any]
    job_run_id: str = field(default_factory=lambda: f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}")
    status: str = "STARTING"
    error_message: str = ""
    started_on: datetime = field(default_factory=lambda: datetime.now(UTC))
    completed_on: datetime | None = None
    pid: int | None = None
    stop_asked: threading.Event = field(default_factory=threading.Event)
    timed_out: bool = False
    interruption: Interruption | None = None

    def advance(self) -> None:
        """Do nothing where moto's runs would pretend to go on."""

    def as_dict(self) -> dict[str, Any]:
        """Return the run as the API words it."""
        ended = self.completed_on or datetime.now(UTC)
        told = {
            "Id": self.job_run_id,
            "Attempt": 0,
            "JobName": self.job_name,
            "JobRunState": self.status,
            "StartedOn": self.started_on,
            "LastModifiedOn": ended,
            "CompletedOn": self.completed_on,
            "Arguments": dict(self.given),
            "ErrorMessage": self.error_message or None,
            "ExecutionTime": int((ended - self.started_on).total_seconds()),
            "Timeout": self.timeout_minutes,
            "LogGroupName": str(self.log_file),
            "PredecessorRuns": [],
            **self.settings,
        }
        return {name: value for name, value in told.items() if value is not None}


class Runner(Protocol):
    """Runs a script to its end."""

    def run(self, run: JobRun) -> None:
        """Run it; JobFailedError when it fails, JobStoppedError when it was stopped."""

    def stop(self, run: JobRun) -> None:
        """Make a run end soon."""


Note = Callable[[JobRun], None]


class JobRuns:
    """Starts the runs of all jobs, at most `at_once` of them working at the same time."""

    def __init__(self, runner: Runner, logs: Path, at_once: int, note: Note = lambda _run: None) -> None:
        self.all: list[JobRun] = []
        self._runner = runner
        self._logs = logs
        self._note = note
        self._slots = threading.Semaphore(at_once)
        self._ordered: dict[str, list[str | None]] = defaultdict(list)
        self._interruptions: dict[str, list[Interruption]] = defaultdict(list)
        self._lock = threading.Lock()
        self._changed = threading.Condition()

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Let moto's Glue start its job runs here."""

        def start(job: Any, **request: Any) -> str:
            return self._start(job, request)

        def stop(response: Any) -> ActionResult:
            return self._stop(response._get_param("JobName"), response._get_param("JobRunIds"))

        with (
            mock.patch.object(models.FakeJob, "start_job_run", start),
            mock.patch.object(GlueResponse, "batch_stop_job_run", stop, create=True),
        ):
            yield

    def rest(self) -> None:
        """Wait until a run ends, at most a second."""
        with self._changed:
            self._changed.wait(_REST_SECONDS)

    def wait(self, seconds: float, longest: float) -> None:
        """Wait as a state machine does, until a run ends at most; where none is at work, no longer than `longest`."""
        with self._changed:
            at_work = any(run.status in _ACTIVE for run in self.all)
            self._changed.wait(seconds if at_work else min(seconds, longest))

    def fail(self, job: str, message: str, times: int = 1) -> None:
        """Let the next runs of a job fail with this message, before the script does anything."""
        self._ordered[job] += [message] * times

    def mend(self, job: str) -> None:
        """Let the job's runs work again."""
        self._ordered.pop(job, None)

    def interrupt(self, job: str, *interruptions: Interruption) -> None:
        """Let the processes of a job's next runs be interrupted, one after the other."""
        self._interruptions[job] += interruptions

    def let_be(self) -> None:
        """Interrupt no further run."""
        self._interruptions.clear()

    def _start(self, job: Any, request: Mapping[str, Any]) -> str:
        given = request.get("arguments") or {}
        with self._lock:
            if sum(run.status in _ACTIVE for run in job.job_runs) >= job.execution_property.get("MaxConcurrentRuns", 1):
                raise ConcurrentRunsExceededException(f"Concurrent runs exceeded for {job.name}")
            run = JobRun(
                job_name=job.name,
                script=job.command["ScriptLocation"],
                given=given,
                arguments={**job.default_arguments, **given, "--JOB_NAME": job.name},
                timeout_minutes=request.get("timeout") or job.timeout,
                log_file=self._logs / f"{job.name}.log",
                settings={
                    "GlueVersion": job.glue_version,
                    "WorkerType": request.get("worker_type") or job.worker_type,
                    "NumberOfWorkers": request.get("number_of_workers") or job.number_of_workers,
                    "ExecutionClass": job.execution_class,
                },
            )
            if orders := self._interruptions.get(job.name):
                run.interruption = orders.pop(0)
            job.job_runs.append(run)
            self.all.append(run)
        threading.Thread(target=self._work, args=(run,), name=run.job_name, daemon=True).start()
        return run.job_run_id

    def _work(self, run: JobRun) -> None:
        with self._slots:
            if run.stop_asked.is_set():
                self._end(run, "STOPPED")
                return
            run.status = "RUNNING"
            self._note(run)
            alarm = threading.Timer(run.timeout_minutes * 60, self._time_out, [run])
            alarm.daemon = True
            alarm.start()
            try:
                self._fail_as_ordered(run.job_name)
                with acting(run.job_name):
                    self._runner.run(run)
            except JobStoppedError:
                self._end(run, "TIMEOUT" if run.timed_out else "STOPPED")
            except Exception as error:
                run.error_message = _words(error)
                with logging_to(run.log_file) as log:
                    traceback.print_exception(error, file=log)
                self._end(run, "FAILED")
            else:
                self._end(run, "SUCCEEDED")
            finally:
                alarm.cancel()

    def _fail_as_ordered(self, job: str) -> None:
        if orders := self._ordered.get(job):
            raise JobFailedError(orders.pop(0))

    def _end(self, run: JobRun, status: str) -> None:
        with self._changed:
            run.completed_on = datetime.now(UTC)
            run.status = status
            self._changed.notify_all()
        self._note(run)

    def _time_out(self, run: JobRun) -> None:
        run.timed_out = True
        run.error_message = f"Job run timed out after {run.timeout_minutes} minutes"
        run.stop_asked.set()
        self._runner.stop(run)

    def _stop(self, job: str, ids: list[str]) -> ActionResult:
        """Answer BatchStopJobRun."""
        stopped, errors = [], []
        known = {run.job_run_id: run for run in self.all if run.job_name == job}
        for id_ in ids:
            run = known.get(id_)
            if run is None or run.status not in _ACTIVE:
                detail = {"ErrorCode": "InvalidInputException", "ErrorMessage": "The run is not running"}
                errors.append({"JobName": job, "JobRunId": id_, "ErrorDetail": detail})
                continue
            if run.status == "RUNNING":
                run.status = "STOPPING"
            run.stop_asked.set()
            self._runner.stop(run)
            stopped.append({"JobName": job, "JobRunId": id_})
        return ActionResult({"SuccessfulSubmissions": stopped, "Errors": errors})


def _words(error: Exception) -> str:
    """Return the message as Glue words it: the error's class and text."""
    text = str(error) if isinstance(error, JobFailedError) else f"{type(error).__name__}: {error}"
    return text[:_MESSAGE_LENGTH]
