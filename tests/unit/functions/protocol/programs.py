"""What runs in the protocol's proof: the Lambdas' real code, the state machine's order, and a job in two steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contracts.model import Column, Plan, Source, Table
from functions.close_batch.closing import Closing, close_batch
from functions.open_batch.opening import open_batch
from functions.open_batch.request import Request
from functions.receive_files.arrivals import Message
from functions.receive_files.receiving import ensure_running, write_all_down
from functions.shared.batches import BatchFiles
from functions.shared.environment import Environment
from functions.shared.errors import LandfallFunctionError
from functions.shared.executions import Executions
from functions.shared.landings import Landing, landing_id
from functions.shared.lease import Caller
from functions.shared.ledger import Ledger
from functions.shared.objects import RawFiles
from functions.shared.world import World
from tests.unit.functions.conftest import published, task_failed
from tests.unit.functions.protocol.explorer import Client, Driver, Program

TABLE = "planes"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:machine"
PLAN = Plan(
    "proof",
    {TABLE: Table(TABLE, "snapshot", Source(prefix="planes/"), (Column("tailnum", "string"),), key=("tailnum",))},
    {},
)


def world(driver: Driver, max_landings: int) -> World:
    """Return the Lambdas' world with clients that ask the driver, and a clock that stands still."""
    told = Environment(
        "ledger", "artifacts", MACHINE, "plan.json", "proof", "dev", "stage-", "mart-", max_landings, 10**9, 3
    )
    return World(
        told,
        PLAN,
        Ledger(Client(driver, "dynamodb"), "ledger", sleep=lambda _: None, now=lambda: "1970-01-01T00:00:00Z"),
        BatchFiles(Client(driver, "s3"), "artifacts"),
        Executions(Client(driver, "stepfunctions"), MACHINE),
        RawFiles(Client(driver, "s3"), "raw"),
    )


def landing(name: str) -> Landing:
    """Return the landing of one of the objects a, b, …, which arrive in that order."""
    key = f"planes/{name}"
    time = f"2013-01-0{ord(name) - ord('a') + 1}T00:00:00.000000Z"
    return Landing(landing_id(key, "v1"), "raw", key, "v1", "01", time, f"etag-{name}", 1)


def execution(name: str) -> Program:
    """Return the first program of an execution."""
    return ("open", name, 0, False)


def arn(name: str) -> str:
    return f"{MACHINE.replace('stateMachine', 'execution')}:{name}"


def _errors(failed: bool) -> tuple[str, ...]:
    return ("OutOfMemoryError",) if failed else ()


@dataclass(frozen=True)
class Programs:
    """The programs by name; a batch claims at most `max_landings`."""

    max_landings: int = 10

    def all(self) -> dict[str, Callable[..., Program | None]]:
        names = ("receive", "sweep", "open", "stage", "close", "hand_over", "end")
        return {name: getattr(self, name) for name in names}

    def receive(self, driver: Driver, name: str) -> Program | None:
        """A message arrives: what receive_files does."""
        here = world(driver, self.max_landings)
        _, tables = write_all_down(here, Message((landing(name),)))
        for table in sorted(tables):
            ensure_running(here, table)
        return None

    def sweep(self, driver: Driver) -> Program | None:
        here = world(driver, self.max_landings)
        ensure_running(here, TABLE)
        return None

    def open(self, driver: Driver, name: str, iteration: int, failed: bool) -> Program | None:
        caller = Caller(arn(name), name, iteration, _errors(failed))
        try:
            batch = open_batch(world(driver, self.max_landings), Request(TABLE), caller)
        except LandfallFunctionError:
            return ("end", name, "FAILED")
        if batch["action"] == "stage":
            return ("stage", name, iteration, failed, json.dumps(batch, sort_keys=True))
        return ("end", name, "FAILED" if failed else "SUCCEEDED")

    def stage(self, driver: Driver, name: str, iteration: int, failed: bool, told: str) -> Program | None:
        """The staging job publishes, then writes its result; between the two it may be cut off."""
        batch = json.loads(told)
        files = BatchFiles(Client(driver, "s3"), "artifacts")
        ids = [one["id"] for one in files.read(TABLE, batch["batch_id"], "manifest")["landings"]]
        request = {"batch_id": batch["batch_id"], "token": batch["token"], "landings": ids}
        answer = driver.call("job", "publish", request)
        if answer == "published":
            body = json.dumps(published(batch["batch_id"])).encode()
            key = f"batches/{TABLE}/{batch['batch_id']}/stage.json"
            driver.call("s3", "put_object", {"Bucket": "artifacts", "Key": key, "Body": body})
        return ("close", name, iteration, failed, told, answer)

    def close(self, driver: Driver, name: str, iteration: int, failed: bool, told: str, answer: str) -> Program | None:
        batch = json.loads(told)
        error: Any = None if answer == "published" else task_failed(f"{answer}: of the job")
        closing = Closing(TABLE, batch["batch_id"], batch["token"], arn(name), error, None, _errors(failed), iteration)
        try:
            closed = close_batch(world(driver, self.max_landings), closing).answer
        except LandfallFunctionError:
            return ("end", name, "FAILED")
        failed = failed or bool(closed["failures"])
        if closed["more"]:
            return ("open", name, iteration + 1, failed)
        status = "FAILED" if failed else "SUCCEEDED"
        return (
            ("hand_over", name, closed["hand_over"]["name"], status) if closed["hand_over"] else ("end", name, status)
        )

    def hand_over(self, driver: Driver, name: str, successor: str, status: str) -> Program | None:
        Executions(Client(driver, "stepfunctions"), MACHINE).start(successor, {"table": TABLE})
        return ("end", name, status)

    def end(self, driver: Driver, name: str, status: str) -> Program | None:
        driver.call("stepfunctions", "end_execution", {"name": name, "status": status})
        return None
