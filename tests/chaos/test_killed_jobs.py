"""kill -9 of a job's process, with and without its Java: at each step that it names, while it writes, and at random."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.embedded.interruptions import Interruption
from tests.chaos.conftest import FULL, KILLS
from tests.chaos.lakes import DIM_CUSTOMERS, FCT_ORDERS, STAGE_CUSTOMERS, STAGE_ORDERS, Shop, Tally, opened, undisturbed

pytestmark = [pytest.mark.long, pytest.mark.timeout(5400)]
JOBS = (STAGE_ORDERS, STAGE_CUSTOMERS, DIM_CUSTOMERS, FCT_ORDERS)
TRIES = 2  # the third run of a job is left alone: after three failures an operator must start the mart again
KILLED = "The process ended with code -9"


@pytest.fixture(scope="module")
def shop(spark: object, tally: Tally, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("killed")
    with opened(folder / "a lake", tally, "process") as shop:
        yield shop


def steps_of(shop: Shop, job: str) -> list[Interruption]:
    """Return one kill for each step that the job's last run has named, and one more in the middle of each write."""
    lines = (shop.cloud.lake / "logs" / "jobs" / f"{job}.log").read_text(encoding="utf-8").splitlines()
    steps = [line for line in lines if line.startswith('{"step"')]
    last = max(n for n, line in enumerate(steps) if json.loads(line)["step"] == "start")
    kills, seen = [], Counter[tuple[str, ...]]()
    for line in steps[last:]:
        told = json.loads(line)
        words = tuple(f'"{told[name]}"' for name in ("step", "table") if name in told)
        seen[words] += 1
        kills.append(Interruption(words, seen[words]))
        if told["step"] in ("append", "overwrite", "remove"):
            kills.append(Interruption(words, seen[words], seconds=0.3))
    return kills


def disturb(shop: Shop, kills: dict[str, list[Interruption]]) -> int:
    """Land one file of each table, let the first runs of the jobs be killed, and return how many were."""
    runs = shop.cloud.live.jobs
    before = len(runs.all)
    for job, some in kills.items():
        runs.interrupt(job, *some)
    shop.customers()
    shop.orders()
    shop.cloud.run()
    runs.let_be()
    return sum(run.error_message == KILLED for run in runs.all[before:])


def duration(shop: Shop, job: str) -> float:
    """Return how long the last run of a job took that nobody disturbed, in seconds."""
    [*_, last] = [run for run in shop.cloud.live.jobs.all if run.job_name == job and run.status == "SUCCEEDED"]
    assert last.completed_on is not None
    return (last.completed_on - last.started_on).total_seconds()


def test_kill_at_every_step(shop: Shop, chance: random.Random) -> None:
    waiting = {job: steps_of(shop, job) for job in JOBS}
    for kills in waiting.values():
        chance.shuffle(kills)
        if not FULL:
            del kills[2:]
    planned = sum(len(kills) for kills in waiting.values())
    done = 0
    while any(waiting.values()):
        kills = {job: some[:TRIES] for job, some in waiting.items()}
        done += (killed := disturb(shop, kills))
        for job in JOBS:
            del waiting[job][:TRIES]
        shop.recover(killed)
    print(f"{done} of {planned} steps were reached and were the last")


def test_kill_at_any_instant(shop: Shop, chance: random.Random) -> None:
    seconds = {job: duration(shop, job) for job in JOBS}
    left = KILLS
    while left > 0:
        kills = {
            job: [
                Interruption(seconds=chance.uniform(0.01, seconds[job]), alone=chance.random() < 0.5)
                for _ in range(TRIES)
            ]
            for job in chance.sample(JOBS, len(JOBS))[: max(1, left // TRIES)]
        }
        killed = disturb(shop, kills)
        shop.recover(killed)
        left -= killed


def test_the_tables_are_those_of_an_undisturbed_lake(shop: Shop, tmp_path: Path) -> None:
    found = shop.rows()
    shop.cloud.close()
    shop.compare(found, undisturbed(tmp_path / "a lake", shop.landed))
