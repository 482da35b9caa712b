"""The ledger's protocol, proved by exhaustion: the Lambdas' real code in every order of single AWS calls.

Failures that may strike anything at any step: an execution is aborted while its call goes on (`abort`), a Lambda or
a job dies and is begun again (`kill`), it is begun again while the first goes on (`again`), an answer is lost and
the client repeats the call (`twice`), the staging job fails (`job`). A killed receive_files is a redelivery.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from functions.close_batch import closing
from functions.shared.ledger import Lease, Ledger
from tests.unit.functions.protocol import laws
from tests.unit.functions.protocol.cloud import Cloud
from tests.unit.functions.protocol.explorer import Explorer, Places
from tests.unit.functions.protocol.programs import Programs, execution, landing

ALL = frozenset({"abort", "kill", "again", "twice", "job"})
NO_DOUBLES = ALL - {"again"}


@pytest.fixture(autouse=True)
def figures(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Show what a test printed: how many states it visited."""
    yield
    with capsys.disabled():
        print(capsys.readouterr().out, end="")


def explore(arrivals: str, failures: int, kinds: frozenset[str], max_landings: int = 10) -> Explorer:
    """Visit every state of some arrivals, each letter a message; assert the laws in each."""
    eventual = laws.EventualLaws(frozenset(landing(name).id for name in arrivals), failures)
    explorer = Explorer(Places(Programs(max_landings).all()), execution, laws.check_step, eventual.check, kinds)
    eventual.explorer = explorer
    explorer.explore(Cloud(), [("receive", name) for name in arrivals], failures)
    assert eventual.ends
    print(
        f"\n{len(set(arrivals))} arrivals, {len(arrivals)} messages, up to {most_executions(explorer)} executions, "
        f"{failures} failures: {explorer.visited:,} states, {explorer.transitions:,} steps, "
        f"{len(eventual.ends):,} different ends"
    )
    return explorer


def most_executions(explorer: Explorer) -> int:
    return max(len(cloud.executions) for cloud in explorer.clouds)


@pytest.mark.parametrize("max_landings", [1, 10])
@pytest.mark.parametrize("arrivals", ["ab", "aab"])
def test_undisturbed_every_arrival_is_staged_once_without_a_sweep(arrivals: str, max_landings: int) -> None:
    assert most_executions(explore(arrivals, 0, frozenset(), max_landings)) >= 2


def test_two_failures_of_any_kind_lose_and_double_nothing_of_one_arrival() -> None:
    explore("a", 2, ALL)


def test_a_failure_at_any_step_loses_and_doubles_nothing_of_two_arrivals() -> None:
    assert most_executions(explore("ab", 1, NO_DOUBLES)) >= 3


@pytest.mark.long
def test_a_hand_over_after_every_batch_forgets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "_MOST_EVENTS", 0)
    explore("ab", 1, NO_DOUBLES, max_landings=1)


@pytest.mark.long
@pytest.mark.parametrize(
    ("arrivals", "failures", "kinds", "max_landings"),
    [
        pytest.param("aab", 1, NO_DOUBLES, 10, id="redelivery and a crash"),
        pytest.param("ab", 1, ALL, 10, id="a Lambda that runs twice at once"),
        pytest.param("ab", 1, NO_DOUBLES, 1, id="a batch for each landing"),
        pytest.param("ab", 2, NO_DOUBLES, 10, id="two failures"),
    ],
)
def test_arrivals_redelivery_and_failures_in_every_order(
    arrivals: str, failures: int, kinds: frozenset[str], max_landings: int
) -> None:
    assert most_executions(explore(arrivals, failures, kinds, max_landings)) >= 3


def test_a_protocol_that_forgot_its_token_would_be_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof can fail: a release that does not look at the arrivals loses one."""

    honest = closing.release

    def careless(ledger: Ledger, lease: Lease, failed: bool | None = None, **_: bool) -> bool:
        return honest(ledger, lease, failed, unseen=True)

    monkeypatch.setattr(closing, "release", careless)
    with pytest.raises(AssertionError, match="every landing is staged in the end"):
        explore("ab", 0, frozenset())
