"""The cloud on a laptop: the synthesized template in moto, real functions, real state machine, real Spark."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from contracts.model import Plan
from orchestration.embedded.lock import locked
from orchestration.embedded.report import CloudError, Execution, Notification, Progress, Status
from orchestration.embedded.settings import CloudSettings
from orchestration.embedded.synth import ENVIRONMENT, Assembly, compiled, synthesize

if TYPE_CHECKING:
    from orchestration.embedded.live import Live

EXTRACT_MACHINE = "ExtractMachineArn"
MAINTAIN_MACHINE = "MaintainMachineArn"
_FOLDER = "cloud"
_POLL_SECONDS = 0.5
_JOBS = ("warm", "process")


class Cloud:
    """One pipeline in one lake. It is deployed when something needs it: queries and the status need not."""

    def __init__(self, pipeline: Path, lake: Path, settings: CloudSettings, jobs: str, progress: Progress) -> None:
        if jobs not in _JOBS:
            raise ValueError(f"jobs is {jobs!r}: it must be one of {', '.join(_JOBS)}")
        self.lake = lake.resolve()
        self.settings = settings
        self._pipeline = pipeline
        self._jobs = jobs
        self._progress = progress
        self._state = self.lake / _FOLDER
        self._opened = ExitStack()
        self._live: Live | None = None

    @property
    def plan(self) -> Plan:
        """The compiled contracts, as the deployed functions and jobs read them."""
        return self._assembly.plan

    def land(self, file: Path | bytes, key: str, at: datetime | None = None) -> None:
        """Put an object into the raw bucket; its event bears the time `at`, or now."""
        live = self.live
        with live.events.happening_at(at, key), BytesIO(file) if isinstance(file, bytes) else file.open("rb") as body:
            live.client("s3").upload_fileobj(body, live.outputs["RawBucketName"], key)

    def run(self) -> list[Execution]:
        """Work as the queue's event source mapping does until nothing is pending; return the executions that ended.

        A table whose execution died with an earlier command is started again, once.
        """
        from orchestration.embedded.status import with_batches

        live = self.live
        before = {one.arn for one in live.executions.all() if not live.executions.is_running(one.arn)}
        restarted: set[str] = set()
        while True:
            handled = live.poller.poll()
            if handled:
                live.save(always=False)
            if live.executions.is_any_running():
                live.executions.wait(seconds=_POLL_SECONDS)
            elif not handled:
                abandoned = self._abandoned() - restarted
                if not abandoned:
                    break
                for table in sorted(abandoned):
                    live.start({"table": table})
                restarted |= abandoned
        live.save()
        return with_batches([one for one in live.executions.all() if one.arn not in before], live.items())

    def start(self, request: Mapping[str, Any]) -> Execution:
        """Start one execution as an operator does and wait for its end."""
        return self._started(request)

    def extract(self, request: Mapping[str, Any]) -> Execution:
        """Start one extraction, such as {"table": "planes"}, and wait for its end; what landed waits for `run`."""
        if EXTRACT_MACHINE not in self.live.outputs:
            raise CloudError("No table of the pipeline comes from a database: no contract names a connection.")
        return self._started(request, EXTRACT_MACHINE)

    def maintain(self, names: Sequence[str] = ()) -> tuple[Execution, list[Mapping[str, Any]]]:
        """Maintain the tables, or those of the named tables and marts; return the execution and its report."""
        execution = self._started({"names": list(names)} if names else {}, MAINTAIN_MACHINE)
        bucket, key = self.live.outputs["ArtifactsBucketName"], f"maintenance/{execution.name}.json"
        try:
            body = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError:  # the request was refused, or the job did not come so far
            return execution, []
        return execution, list(json.loads(body)["tables"])

    def query(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Answer a SELECT; databases are called staging, mart, quarantine, audit and state."""
        from orchestration.embedded.deployment import Deployment
        from orchestration.embedded.query import answer

        deployment = Deployment.read(self._state)
        if deployment is None:
            raise CloudError(f"The lake {self.lake} is empty: land a file and run the pipeline first.")
        return answer(sql, self.lake, deployment, self.settings.cores)

    def status(self) -> Status:
        """Tell how the pipeline stands."""
        from orchestration.embedded.status import tell

        if self._live:
            return tell(self.plan, self._live.items(), self._live.executions.all(), self._live.messages())
        from orchestration.embedded.saved import saved

        plan = compiled(self._pipeline)
        self._refuse_another(plan.pipeline)
        return tell(plan, *saved(self._state))

    def notifications(self) -> list[Notification]:
        """Return what the topic was sent, oldest first."""
        from moto.sns.models import sns_backends

        from orchestration.embedded.deploy import ACCOUNT, REGION

        arn = self.live.outputs["TopicArn"]
        topic = sns_backends[ACCOUNT][REGION].topics[arn]
        return [
            Notification(subject or "", message, {name: one["Value"] for name, one in (attributes or {}).items()})
            for _, message, subject, attributes, _ in topic.sent_notifications
        ]

    def client(self, service: str) -> Any:
        """Return a boto3 client on this cloud."""
        return self.live.client(service)

    @property
    def live(self) -> Live:
        """The deployed cloud; it is deployed now where it was not."""
        if self._live is None:
            self._opened.enter_context(locked(self.lake, self._state / "lock"))
            assembly = self._assembly  # what was synthesized before is dropped, and nobody works with it
            self._refuse_another(assembly.plan.pipeline)
            from orchestration.embedded.live import Live

            self._live = Live(assembly, self.lake, self._state, self.settings, self._jobs, self._progress)
            self._opened.callback(self._live.close)
        return self._live

    def _started(self, request: Mapping[str, Any], machine: str = "StateMachineArn") -> Execution:
        live = self.live
        arn = live.start(request, machine=machine).arn
        live.executions.wait(arn)
        live.save()
        return live.executions.get(arn)

    def close(self) -> None:
        """Save the lake's state and let it go."""
        self._opened.close()
        self._live = None

    @cached_property
    def _assembly(self) -> Assembly:
        return synthesize(self._pipeline, self._state / "synth")

    def _refuse_another(self, pipeline: str) -> None:
        from orchestration.embedded.deployment import Deployment

        deployed = Deployment.read(self._state)
        if deployed is not None and deployed.database_prefix != f"{pipeline}_{ENVIRONMENT}":
            raise CloudError(f"The lake {self.lake} belongs to {deployed.stack_name}, not to the pipeline {pipeline}.")

    def _abandoned(self) -> set[str]:
        """Return the tables that have work and nobody who does it."""
        from orchestration.embedded.status import unsettled

        live = self.live
        return {
            table
            for table, holder in unsettled(self.plan, live.items()).items()
            if not live.executions.is_running(holder)
        }


@contextmanager
def open_cloud(
    pipeline: Path,
    lake: Path,
    *,
    jobs: str = "warm",
    progress: Progress | None = None,
    settings: CloudSettings | None = None,
) -> Iterator[Cloud]:
    """Yield the cloud of a pipeline's folder and a lake's folder; its state is saved in the end.

    `jobs` is `warm` (all in this process's Spark) or `process` (each in one of its own).
    """
    cloud = Cloud(pipeline, lake, settings or CloudSettings(), jobs, progress or (lambda _happened: None))
    try:
        yield cloud
    finally:
        cloud.close()
