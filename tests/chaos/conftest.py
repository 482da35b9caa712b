"""One tally for all that is broken on purpose; its line is printed at the end."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.chaos.lakes import Tally

_TALLY = pytest.StashKey[Tally]()
FULL = os.environ.get("LANDFALL_CHAOS") == "full"
KILLS = int(os.environ.get("LANDFALL_CHAOS_KILLS", "60" if FULL else "6"))
MINUTES = int(os.environ.get("LANDFALL_CHAOS_MINUTES", "90"))  # after which no other process is killed
_BEGAN = time.monotonic()
SEED = int(os.environ.get("LANDFALL_CHAOS_SEED", "20240101"))


def sampled(every: Sequence[Any], most: int = 1) -> list[Any]:
    """Return all of them in a full run, else the last ones."""
    return list(every if FULL else every[-most:])


def minutes_left() -> float:
    """Return how many minutes are left for killing processes."""
    return MINUTES - (time.monotonic() - _BEGAN) / 60


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TALLY] = Tally()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.write_line(f"{config.stash[_TALLY]} (seed {SEED})")


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Tally:
    return request.config.stash[_TALLY]


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """What falls out by chance in one test, the same with each seed."""
    return random.Random(f"{SEED} {request.node.name}")
