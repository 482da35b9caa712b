"""The ledger's real code on one table, driven step by step: versions of objects arrive, are staged, fail, are replayed.

The lake is a set: the landings whose rows the table holds. A batch that holds a broken file publishes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from contracts.model import Column, Plan, Source, Table
from functions.close_batch.closing import Closing, close_batch
from functions.open_batch.opening import open_batch
from functions.open_batch.request import read_request
from functions.receive_files.arrivals import Message
from functions.receive_files.receiving import write_all_down
from functions.shared.landings import Landing, landing_id
from functions.shared.lease import Caller
from functions.shared.objects import RawFiles
from functions.shared.world import World
from tests.unit.functions.conftest import failed, published, task_failed
from tests.unit.functions.protocol.cloud import Cloud, perform
from tests.unit.functions.protocol.explorer import Driver
from tests.unit.functions.protocol.programs import arn, world

NAME = "planes"


@dataclass
class Live(Driver):
    """Makes each call at once."""

    log: Any = ()
    cloud: Cloud = field(default_factory=Cloud)

    def call(self, service: str, method: str, request: Mapping[str, Any]) -> Any:
        self.cloud, answer = perform(self.cloud, (service, method, request))
        if isinstance(answer, ClientError):
            raise answer
        return answer


def table_of(load: str, on_overwrite: str = "replace") -> Table:
    """Return a table of a load; objects are dated by their events."""
    key = () if load == "append" else ("tailnum",)
    columns = (Column("tailnum", "string"),)
    return Table(NAME, load, Source(prefix="planes/"), columns, key=key, on_overwrite=on_overwrite)


def version(number: int, content: str, key: str = "a") -> Landing:
    """Return the version of an object that S3 wrote as its `number`th."""
    key = f"planes/{key}"
    time = datetime(2013, 1, 1, number).isoformat(timespec="microseconds") + "Z"
    return Landing(landing_id(key, f"v{number}"), "raw", key, f"v{number}", f"{number:02}", time, f"etag-{content}", 1)


@dataclass(frozen=True)
class Raw(RawFiles):
    """A raw bucket that tells of these versions as their events do."""

    lying: Sequence[Landing] = ()

    def versions(self, prefix: str) -> Iterator[Landing]:
        return (one for one in self.lying if one.key.startswith(prefix))


@dataclass
class Ledger:
    """The Lambdas on a ledger in memory, and the lake that they keep books of; `broken` are contents that fail.

    `lying` is what lies in the raw bucket.
    """

    table: Table
    max_landings: int = 10
    broken: set[str] = field(default_factory=set)
    lying: Sequence[Landing] = ()
    driver: Live = field(default_factory=Live)
    rows: set[str] = field(default_factory=set)
    runs: int = 0
    opened: tuple[Caller, Mapping[str, Any]] | None = None
    failures: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def world(self) -> World:
        plan = Plan("law", {NAME: self.table}, {})
        return replace(world(self.driver, self.max_landings), plan=plan, raw=Raw(None, "raw", self.lying))

    def arrive(self, landing: Landing) -> None:
        write_all_down(self.world, Message((landing,)))

    def open(self, **request: Any) -> bool:
        """Open a batch with a new execution and leave it so; tell whether there is one."""
        self.runs += 1
        name = f"run{self.runs}"
        self.driver.cloud = self.driver.cloud.ended(name, "RUNNING")
        return self._open(Caller(arn(name), name, 0), request)

    def finish(self) -> None:
        """Stage and close what is open, and what the execution goes on with."""
        while self.opened:
            caller, batch = self.opened
            error = self._stage(batch)
            closing = Closing(NAME, batch["batch_id"], batch["token"], caller.id, error, iteration=caller.iteration)
            answer = close_batch(self.world, closing).answer
            self.failures += answer["failures"]
            if not (answer["more"] and self._open(replace(caller, iteration=caller.iteration + 1), {})):
                self._end(caller)

    def die(self, *, staged: bool) -> None:
        """End the execution with its batch open, after the job or before."""
        if self.opened:
            caller, batch = self.opened
            if staged:
                self._stage(batch)
            self._end(caller)

    def drain(self, **request: Any) -> None:
        self.finish()
        self.open(**request)
        self.finish()

    def states(self) -> dict[str, str]:
        """Return `<key> <version>` -> state, in order."""
        found = sorted(self.world.ledger.all_landings(NAME), key=lambda one: (one.key, one.sequence))
        return {f"{one.key.removeprefix('planes/')} {one.version_id}": one.state for one in found}

    def _open(self, caller: Caller, request: Mapping[str, Any]) -> bool:
        batch = open_batch(self.world, read_request({"table": NAME, **request}, self.world.plan), caller)
        self.failures += batch["failures"]
        self.opened = (caller, batch) if batch["action"] == "stage" else None
        if self.opened is None:
            self._end(caller)
        return self.opened is not None

    def _end(self, caller: Caller) -> None:
        self.opened = None
        self.driver.cloud = self.driver.cloud.ended(caller.name, "SUCCEEDED")

    def _stage(self, batch: Mapping[str, Any]) -> Mapping[str, str] | None:
        """Publish as the staging job would, or blame what is broken."""
        manifest = self.world.files.read(NAME, batch["batch_id"], "manifest")
        blamed = {one["id"]: ("broken", None) for one in manifest["landings"] if one["etag"][5:] in self.broken}
        if blamed:
            self._write(batch, failed(batch["batch_id"], "ContractViolationError", "broken", **blamed))
            return task_failed("ContractViolationError: broken")
        if manifest["mode"] == "rebuild":
            self.rows.clear()
        for one in manifest["landings"]:
            if one["id"] in self.rows:
                assert (manifest["mode"], one["was"]) == ("replay", "staged"), (
                    "a replay takes back what it stages again"
                )
        self.rows -= {one["id"] for one in manifest["retired"]}
        self.rows |= {one["id"] for one in manifest["landings"]}
        self._write(batch, published(batch["batch_id"]))
        return None

    def _write(self, batch: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        key = f"batches/{NAME}/{batch['batch_id']}/stage.json"
        request = {"Bucket": "artifacts", "Key": key, "Body": json.dumps(result).encode()}
        self.driver.call("s3", "put_object", request)
