"""Functions killed between any two of their calls to AWS; calls that are refused, time out, lose their answer or come
twice, those of functions, of jobs and of the state machine; messages that come again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from orchestration.embedded.network import Fault, Network
from tests.chaos.conftest import FULL, sampled
from tests.chaos.lakes import BROKEN, FCT_ORDERS, STAGE_ORDERS, Shop, Tally, opened, undisturbed

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]
FUNCTIONS = ("receive_files", "open_batch", "close_batch")
KILLS = (Fault.KILLED, Fault.KILLED_AFTER)
DELAYS = (Fault.THROTTLED, Fault.UNSENT, Fault.UNANSWERED, Fault.TWICE)
SAMPLE = 2
ALWAYS = 10  # more often than boto3 tries
CALLS_OF_THE_TELLER = 4


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """The network of this module's cloud; boto3 waits no longer than it must."""
    network = Network()
    with network.attached(), mock.patch("botocore.endpoint.time", mock.Mock(sleep=lambda _seconds: None)):
        yield network


@pytest.fixture(scope="module")
def shop(spark: object, network: Network, tally: Tally, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with opened(tmp_path_factory.mktemp("faulty") / "a lake", tally, "warm") as shop:
        yield shop


def disturb(shop: Shop, network: Network, orders: dict[str, tuple[Fault, int]]) -> None:
    """Land orders, let one call of each actor go wrong, and let the pipeline recover."""
    before = len(network.happened)
    for actor, (fault, nth) in orders.items():
        network.order(actor, fault, nth)
    shop.orders()
    shop.cloud.run()
    network.forget()
    shop.recover(len(network.happened) - before)


def calls_of_one_round(shop: Shop, network: Network) -> Counter[str]:
    """Return how many calls each actor makes to bring one file to the marts."""
    before = len(network.calls)
    disturb(shop, network, {})
    return Counter(actor for actor, _ in network.calls[before:])


def rounds(
    chance: random.Random, calls: Counter[str], actors: tuple[str, ...], faults: tuple[Fault, ...]
) -> list[dict[str, tuple[Fault, int]]]:
    """Return every fault at every call, one of each actor at a time; some by chance, unless all are asked for."""
    most = max(calls[actor] for actor in actors)
    every = [
        {actor: (fault, nth) for actor in actors if nth <= calls[actor]}
        for fault in faults
        for nth in range(1, most + 1)
    ]
    return every if FULL else chance.sample(every, SAMPLE)


def test_a_function_is_killed_between_any_two_calls(shop: Shop, network: Network, chance: random.Random) -> None:
    calls = calls_of_one_round(shop, network)
    for orders in rounds(chance, calls, FUNCTIONS, KILLS):
        disturb(shop, network, orders)


def test_any_call_of_a_function_goes_wrong_once(shop: Shop, network: Network, chance: random.Random) -> None:
    calls = calls_of_one_round(shop, network)
    for orders in rounds(chance, calls, FUNCTIONS, DELAYS):
        disturb(shop, network, orders)


def test_any_call_of_a_job_goes_wrong_once(shop: Shop, network: Network, chance: random.Random) -> None:
    calls = calls_of_one_round(shop, network)
    for orders in rounds(chance, calls, (STAGE_ORDERS, FCT_ORDERS), DELAYS):
        disturb(shop, network, orders)


@pytest.mark.parametrize("actor", sampled(FUNCTIONS))
@pytest.mark.parametrize("fault", sampled([Fault.THROTTLED, Fault.UNSENT, Fault.UNANSWERED]))
def test_a_call_of_a_function_goes_wrong_until_boto3_gives_up(
    shop: Shop, network: Network, chance: random.Random, actor: str, fault: Fault
) -> None:
    calls = calls_of_one_round(shop, network)
    before = len(network.happened)
    for nth in range(chance.randint(1, calls[actor]), 0, -1):  # not every round makes as many calls
        network.order(actor, fault, nth, times=ALWAYS)
        shop.orders()
        shop.cloud.run()
        network.forget()
        if len(network.happened) > before:
            break
    assert len(network.happened) - before >= 3
    shop.recover(1)


@pytest.mark.parametrize(
    ("operation", "fault"),
    sampled([(name, fault) for name in ("GetItem", "GetJobRun", "StartJobRun") for fault in DELAYS], 2),
)
def test_a_call_of_the_state_machine_goes_wrong_once(
    shop: Shop, network: Network, operation: str, fault: Fault
) -> None:
    before = len(network.happened)
    network.order("", fault, operation=operation)
    shop.orders()
    shop.cloud.run()
    assert len(network.happened) == before + 1
    shop.recover(1)


def test_a_failure_is_told_whatever_call_its_teller_dies_at(
    shop: Shop, network: Network, chance: random.Random
) -> None:
    every = [(fault, nth) for fault in KILLS for nth in range(1, CALLS_OF_THE_TELLER + 1)]
    for n, (fault, nth) in enumerate(every if FULL else chance.sample(every, 2)):
        told, happened = len(shop.cloud.notifications()), len(network.happened)
        network.order("notify_failure", fault, nth)
        shop.cloud.land(b"order_id,customer_id,ordered_at\n", f"shop/orders/2023-01-{n + 1:02}/{BROKEN}.csv")
        shop.cloud.run()
        messages = shop.cloud.notifications()[told:]
        assert messages and all("ContractViolationError" in one.message for one in messages)
        assert len(network.happened) == happened + 1
        shop.recover(1)


def test_messages_come_again_while_their_files_are_staged_and_long_after(shop: Shop) -> None:
    shop.orders()
    again = shop.cloud.live.redeliver()
    shop.cloud.live.poller.poll()
    again += shop.cloud.live.redeliver()
    shop.recover(again)
    again = shop.cloud.live.redeliver()
    shop.recover(again)


def test_the_tables_are_those_of_an_undisturbed_lake(shop: Shop, tmp_path: Path) -> None:
    found = shop.rows()
    shop.cloud.close()
    shop.compare(found, undisturbed(tmp_path / "a lake", shop.landed))
