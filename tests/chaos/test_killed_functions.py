"""Every fault at every call of every function: their real code on moto, the jobs' results written for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest

from functions.close_batch import handler as close_batch
from functions.open_batch import handler as open_batch
from functions.receive_files.handler import receive
from functions.shared.batches import BatchFiles
from functions.shared.executions import Executions
from functions.shared.ledger import Ledger
from functions.shared.world import _PATIENT, World
from orchestration.embedded.network import Fault, KilledError, Network, acting
from tests.chaos.lakes import Tally, ledger_complaints
from tests.unit.functions.conftest import ARTIFACTS, Pipeline, pipeline, recorded, s3_event

__all__ = ["pipeline"]
pytestmark = pytest.mark.long
ASL = Path(__file__).parents[2] / "state_machines" / "table_pipeline.asl.json"
ACTORS = ("receive_files", "open_batch", "close_batch")
TRIES = 7
ALWAYS = 10  # more often than boto3 tries


@dataclass
class Factory:
    """The functions of a pipeline, called as the queue and the state machine call them."""

    pipeline: Pipeline
    world: World
    network: Network
    retried: frozenset[str]
    landed: int = 0

    def bring(self) -> None:
        """Land a file, see it through, and let the next sweep look for what was left."""
        self.landed += 1
        self.world = patient(self.pipeline)
        self.deliver(s3_event(f"crm/planes/{self.landed:03}.csv"))
        self.work()
        self.deliver({"landfall": "sweep"})
        self.work()

    def deliver(self, body: dict[str, Any]) -> None:
        """Hand a message to receive_files until it is handled."""
        record = recorded("sqs_record") | {"body": json.dumps(body)}

        def handled() -> bool:
            answer, _ = receive([record], self.world)
            return not answer["batchItemFailures"]

        for _ in range(TRIES):
            if self.tried("receive_files", handled):
                return
        raise AssertionError("the message ends in the dead letter queue")

    def work(self) -> None:
        """Run all executions to their end."""
        for name in self.pipeline.executions():
            self.execute(name)
            self.pipeline.stop(name)

    def execute(self, name: str) -> None:
        """Open and close batches as the state machine does."""
        execution = {"id": self.world.executions.arn(name), "name": name}
        asked: dict[str, Any] = {"execution": execution, "input": {"table": "planes"}, "iteration": 0}
        while (batch := self.called("open_batch", lambda: open_batch.handle(asked, self.world)))["action"] != "nothing":
            self.pipeline.stage(batch)
            closing = asked | {word: batch[word] for word in ("table", "batch_id", "token")}
            closed = self.called("close_batch", partial(close_batch.handle, closing, self.world))
            if not closed.answer["more"]:
                return
            asked["iteration"] += 1

    def called(self, actor: str, call: Callable[[], Any]) -> Any:
        for _ in range(TRIES):
            if answer := self.tried(actor, call):
                return answer
        raise AssertionError(f"{actor} has failed {TRIES} times")

    def tried(self, actor: str, call: Callable[[], Any]) -> Any:
        """Call a function once; None where it was killed, or failed by an error that the state machine tries again."""
        try:
            with acting(actor):
                return call()
        except KilledError:
            assert "Runtime.ExitError" in self.retried
        except Exception as error:
            if actor != "receive_files" and type(error).__name__ not in self.retried:
                raise
        return None

    def complaints(self) -> list[str]:
        items = self.pipeline.items("")
        staged = [item for item in items if item["sk"].startswith("BATCH#") and item.get("landings")]
        found = list(ledger_complaints(items))
        names = [
            one["key"]
            for item in staged
            if item["state"] == "published"
            for one in self.pipeline.manifest(item)["landings"]
        ]
        expected = [f"crm/planes/{n:03}.csv" for n in range(1, self.landed + 1)]
        return found if sorted(names) == expected else [*found, f"staged: {sorted(names)}"]


def patient(pipeline: Pipeline) -> World:
    """Return the pipeline's world with new clients, as patient as those of the functions."""
    dynamodb, s3, machine = (boto3.client(name, config=_PATIENT) for name in ("dynamodb", "s3", "stepfunctions"))
    return replace(
        pipeline.world,
        ledger=Ledger(dynamodb, "ledger", sleep=lambda _seconds: None),
        files=BatchFiles(s3, ARTIFACTS),
        executions=Executions(machine, pipeline.world.executions.state_machine_arn),
    )


@pytest.fixture
def factory(pipeline: Pipeline) -> Iterator[Factory]:
    """A pipeline whose calls may go wrong; boto3 waits no longer than it must."""
    states = json.loads(ASL.read_text(encoding="utf-8"))["States"]
    retried = frozenset(name for one in states["Open the batch"]["Retry"] for name in one["ErrorEquals"])
    network = Network()
    with network.attached(), mock.patch("botocore.endpoint.time", mock.Mock(sleep=lambda _seconds: None)):
        yield Factory(pipeline, pipeline.world, network, retried)


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize(
    ("fault", "times"),
    [*((fault, 1) for fault in Fault), (Fault.THROTTLED, ALWAYS), (Fault.UNSENT, ALWAYS), (Fault.UNANSWERED, ALWAYS)],
    ids=lambda value: value.name if isinstance(value, Fault) else f"{value}x",
)
def test_any_call_goes_wrong(factory: Factory, tally: Tally, actor: str, fault: Fault, times: int) -> None:
    factory.bring()
    before = len(factory.network.calls)
    factory.bring()
    calls = sum(name == actor for name, _ in factory.network.calls[before:])
    assert (calls > 3, factory.complaints()) == (True, [])
    for nth in range(1, calls + 1):
        happened = len(factory.network.happened)
        factory.network.order(actor, fault, nth, times=times)
        factory.bring()
        factory.network.forget()
        assert len(factory.network.happened) > happened
        tally.injected += 1
        assert factory.complaints() == [], (nth, factory.network.happened[happened:])
        tally.recovered += 1
