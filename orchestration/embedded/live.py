"""The running cloud: moto with the deployed stack, and everything that works in it."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
from moto import mock_aws
from moto.s3.models import s3_backends

from orchestration.embedded import (
    adopted,
    crawls,
    dynamodb,
    journal,
    policies,
    rules,
    secrets,
    serial,
    state,
    stepfunctions,
)
from orchestration.embedded.catalogs import options_of
from orchestration.embedded.deploy import ACCOUNT, REGION, deploy
from orchestration.embedded.deployment import Deployment
from orchestration.embedded.events import Events, deliver
from orchestration.embedded.executions import ABORTED, Executions, Hooks
from orchestration.embedded.job_runs import JobRun, JobRuns, Runner
from orchestration.embedded.lambdas import Lambdas
from orchestration.embedded.logs import moto_kept, routed
from orchestration.embedded.objects import Objects
from orchestration.embedded.poller import Poller, find_mappings
from orchestration.embedded.report import EXTRACTION, MAINTENANCE, Execution, Happened, Progress
from orchestration.embedded.settings import CloudSettings
from orchestration.embedded.synth import Assembly

_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "laptop",
    "AWS_SECRET_ACCESS_KEY": "laptop",
    "AWS_SESSION_TOKEN": "laptop",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_FOREIGN = ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
_MOTO: Any = {"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}
_SAVING_SHARE = 0.1
_CUT_OFF = (ABORTED, "TIMED_OUT")
STATE_FILE = "state.json"


class Live:
    """Everything of one lake that runs; `close` saves it and stops moto."""

    def __init__(
        self,
        assembly: Assembly,
        lake: Path,
        folder: Path,
        settings: CloudSettings,
        jobs: str,
        progress: Progress,
    ) -> None:
        self._folder = folder
        self._progress = progress
        self._stack = ExitStack()
        self._saved_at, self._saving_took = 0.0, 0.0
        self._is_open = False
        try:
            self._open(assembly, lake, settings, jobs)
        except BaseException:
            self._stack.close()
            raise

    def _open(self, assembly: Assembly, lake: Path, settings: CloudSettings, jobs: str) -> None:
        self._stack.callback(_environment())
        self._stack.enter_context(routed())
        self._stack.enter_context(moto_kept(lake / "logs" / "moto.log"))
        moto = mock_aws(config=_MOTO)
        moto.start()
        self._stack.callback(moto.stop)
        self.client: Callable[[str], Any] = _Clients()
        saved = state.read(self._folder / STATE_FILE)
        self.objects = Objects(lake, self._folder)
        self.events = Events(self._note_event, (saved or {}).get("sequencer", ""))
        self.executions = Executions(settings.executions, Hooks(self._began, self._entered, self._ended))
        for attached in (
            policies.attached(),
            serial.attached(),
            dynamodb.attached(),
            self.objects.attached(),
            adopted.attached(self.objects, lake),
            self.events.attached(),
            self.executions.attached(),
            crawls.attached(self.client),
        ):
            self._stack.enter_context(attached)
        self.stack = deploy(assembly, _lake_id(self._folder))
        self.buckets = frozenset(
            self.stack.resources[name] for name, one in assembly.resources.items() if one["Type"] == "AWS::S3::Bucket"
        )
        self.functions = Lambdas(self.client("lambda"), assembly, lake / "logs" / "functions")
        self.jobs = JobRuns(
            self._runner(assembly, lake, settings, jobs),
            lake / "logs" / "jobs",
            settings.process_slots if jobs == "process" else settings.job_slots,
            self._job_changed,
        )
        world = stepfunctions.World(
            invoke=self.functions.invoke,
            client=self.client,
            sleep=lambda seconds: self.jobs.wait(seconds, settings.longest_wait),
            rest=self.jobs.rest,
        )
        self._stack.enter_context(self.jobs.attached())
        self._stack.enter_context(stepfunctions.executing(world))
        self._names = self._state_names()
        self._write_deployment(assembly)
        self._restore(saved)
        sqs = self.client("sqs")
        self.poller = Poller(sqs, find_mappings(self.client("lambda"), sqs), self.functions.invoke)
        self._is_open = True

    @property
    def outputs(self) -> Mapping[str, str]:
        return self.stack.outputs

    def items(self) -> list[dict[str, Any]]:
        """Return the ledger's items, as DynamoDB writes them in JSON."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.outputs["LedgerTableName"])
        return [item for page in pages for item in page["Items"]]

    def messages(self) -> dict[str, list[dict[str, Any]]]:
        """Return the messages that wait in each queue."""
        return state.messages(self._names)

    def start(self, request: Mapping[str, Any], name: str = "", machine: str = "StateMachineArn") -> Execution:
        """Start an execution as an operator does; `machine` is the stack's output that names the state machine."""
        import json

        arn = self.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs[machine],
            name=name or str(uuid.uuid4()),
            input=json.dumps(dict(request)),
        )["executionArn"]
        return self.executions.get(arn)

    def redeliver(self) -> int:
        """Send every event of the lake's objects once more, as S3 may; return their number."""
        events = [line for line in self.objects.journal.lines() if line["op"] == "event"]
        for line in events:
            deliver(line["queue"], line["record"])
        return len(events)

    def save(self, always: bool = True) -> None:
        """Save the state; unless `always`, so seldom that saving takes a small share of the time."""
        if not always and time.monotonic() - self._saved_at < self._saving_took / _SAVING_SHARE:
            return
        began = time.monotonic()
        with serial.lock:
            dumped = {
                **state.dump(self._names, self.client("dynamodb")),
                "executions": self.executions.dump(),
                "secrets": secrets.dump(self.client("secretsmanager")),
                "sequencer": self.events.last_sequencer,
            }
            state.write(self._folder / STATE_FILE, dumped)
        self._saved_at = time.monotonic()
        self._saving_took = self._saved_at - began

    def close(self) -> None:
        """Save and stop."""
        try:
            if self._is_open:
                self._is_open = False
                self.save()
                events = [line for line in self.objects.journal.lines() if line["op"] == "event"]
                self.objects.compact(_buckets(), events)
        finally:
            self._stack.close()

    def _runner(self, assembly: Assembly, lake: Path, settings: CloudSettings, jobs: str) -> Runner:
        assets = {f"s3://{one.bucket}/{one.key}": one.path for one in assembly.assets(ACCOUNT, REGION)}
        if jobs == "warm":
            from orchestration.embedded.warm import WarmRunner, own_sessions

            self._stack.enter_context(own_sessions())
            return WarmRunner(lake, self.buckets, assets, settings.cores)
        from moto.server import ThreadedMotoServer

        from orchestration.embedded.processes import ProcessRunner

        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        self._stack.callback(server.stop)
        host, port = server.get_host_and_port()
        return ProcessRunner(lake, self._folder, self.buckets, assets, f"http://{host}:{port}", REGION, settings.cores)

    def _state_names(self) -> state.Names:
        queues = tuple(self.outputs[name].rsplit("/", 1)[-1] for name in ("LandingQueueUrl", "DeadLetterQueueUrl"))
        return state.Names(self.outputs["LedgerTableName"], queues, self.outputs["TopicArn"], ACCOUNT, REGION)

    def _write_deployment(self, assembly: Assembly) -> None:
        jobs = [one["Properties"]["Name"] for one in assembly.resources.values() if one["Type"] == "AWS::Glue::Job"]
        arguments = self.client("glue").get_job(JobName=jobs[0])["Job"]["DefaultArguments"]
        options = options_of(arguments["--conf"])
        buckets = tuple(sorted(self.buckets))
        Deployment(assembly.stack_name, buckets, arguments["--database_prefix"], options).write(self._folder)

    def _restore(self, saved: state.State | None) -> None:
        self.objects.keep(self.buckets)
        if saved is None:
            self.save()
            return
        self.objects.restore(_buckets())
        state.restore(self._names, self.client("dynamodb"), saved)
        secrets.restore(self.client("secretsmanager"), saved.get("secrets", {}))
        died = self.executions.restore(saved["executions"], ACCOUNT, REGION)
        for line in self.objects.journal.lines():  # what landed after the last save, in a command that was killed
            if line["op"] == "event" and line["record"]["s3"]["object"]["sequencer"] > saved["sequencer"]:
                deliver(line["queue"], line["record"])
        for execution in died:
            self._tell_rules(execution)

    def _note_event(self, event: journal.Line) -> None:
        self.objects.journal.append({"op": "event", **event})
        key = unquote(event["record"]["s3"]["object"]["key"].replace("+", " "))
        self._progress(Happened("landing", "", key, event["record"]["eventName"]))

    def _began(self, execution: Execution) -> None:
        self._progress(Happened("execution", execution.table, execution.name, execution.status))

    def _entered(self, execution: Execution, name: str) -> None:
        self._progress(Happened("state", execution.table, name, execution.name))

    def _ended(self, execution: Execution) -> None:
        self._tell_rules(execution)
        self.save(always=False)
        self._progress(Happened("execution", execution.table, execution.name, execution.status))

    def _tell_rules(self, execution: Execution) -> None:
        if execution.status in _CUT_OFF:
            machine = execution.arn.replace(":execution:", ":stateMachine:").rpartition(":")[0]
            rules.tell_rules(self.client("events"), execution, machine, self.functions.invoke)

    def _job_changed(self, run: JobRun) -> None:
        name = run.arguments.get("--mart") or run.arguments.get("--table") or run.job_name
        table = run.arguments.get("--result", "").rpartition("/batches/")[2].split("/")[0]
        if "--extraction_id" in run.arguments:
            table, name = name, EXTRACTION
        elif "--names" in run.arguments:
            table, name = MAINTENANCE, MAINTENANCE
        self._progress(Happened("job", table, name, run.status.lower()))


class _Clients:
    """Makes each boto3 client once."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = boto3.client(service, region_name=REGION)  # type: ignore[call-overload]
        return self._made[service]


def _environment() -> Callable[[], None]:
    """Hide the user's own credentials and profiles from this process; return what brings them back."""
    before = {name: os.environ.get(name) for name in (*_CREDENTIALS, *_FOREIGN)}
    for name in _FOREIGN:
        os.environ.pop(name, None)
    os.environ.update(_CREDENTIALS)

    def bring_back() -> None:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    return bring_back


def _lake_id(folder: Path) -> str:
    """Return the lake's id, made up when it is new."""
    path = folder / "id"
    if not path.exists():
        path.write_text(uuid.uuid4().hex, encoding="utf-8")
    return path.read_text(encoding="utf-8")


def _buckets() -> Mapping[str, Any]:
    buckets: Mapping[str, Any] = s3_backends[ACCOUNT]["aws"].buckets
    return buckets
