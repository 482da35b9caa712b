"""kill -9 of a job's process, with and without its Java: at each step that it names, while it writes, and at random."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.embedded.interruptions import Interruption
from tests.chaos.conftest import FULL, KILLS, MINUTES, minutes_left
from tests.chaos.lakes import DIM_CUSTOMERS, FCT_ORDERS, STAGE_CUSTOMERS, STAGE_ORDERS, Shop, Tally, opened, undisturbed

pytestmark = [pytest.mark.long, pytest.mark.timeout(7200)]
JOBS = (STAGE_ORDERS, STAGE_CUSTOMERS, DIM_CUSTOMERS, FCT_ORDERS)
MART_KILLS = 2  # the third run of a mart is left alone: after three failures the next batch builds it, or an operator
STAGE_KILLS = 5  # three, so that the batch fails, and two of the execution that comes after
ORDERS_ROUND = {STAGE_ORDERS: STAGE_KILLS, FCT_ORDERS: MART_KILLS}
CUSTOMERS_ROUND = {STAGE_CUSTOMERS: STAGE_KILLS, DIM_CUSTOMERS: MART_KILLS, FCT_ORDERS: MART_KILLS}
TRIES = 5  # so many rounds in which a job need not come to a step: not every file makes it do everything
RESERVED = 0.45  # of the time, for the kills at random
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


def disturb(shop: Shop, kills: dict[str, list[Interruption]]) -> list[tuple[str, Interruption]]:
    """Land a file, let the first runs of the jobs that it sets to work be killed, and return the kills that were."""
    runs = shop.cloud.live.jobs
    before = len(runs.all)
    for job, some in kills.items():
        runs.interrupt(job, *some)
    if STAGE_CUSTOMERS in kills:
        shop.customers()
    else:
        shop.orders()
    shop.cloud.run()
    runs.let_be()
    killed = [run for run in runs.all[before:] if run.error_message == KILLED]
    return [(run.job_name, run.interruption) for run in killed if run.interruption]


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
    missed = Counter[tuple[str, Interruption]]()
    while any(waiting.values()) and minutes_left() > MINUTES * RESERVED:
        jobs = CUSTOMERS_ROUND if waiting[STAGE_CUSTOMERS] or waiting[DIM_CUSTOMERS] else ORDERS_ROUND
        if len(waiting[STAGE_ORDERS]) > len(waiting[STAGE_CUSTOMERS]):
            jobs = ORDERS_ROUND
        kills = {job: waiting[job][:most] for job, most in jobs.items()}
        killed = disturb(shop, kills)
        for job, some in kills.items():
            missed.update((job, kill) for kill in some if (job, kill) not in killed)
            left = [kill for kill in some if (job, kill) not in killed and missed[job, kill] < TRIES]
            waiting[job] = left + waiting[job][len(some) :]  # first: what a run has done the next need not do
        shop.recover(len(killed))
        print(f"{len(killed)} killed at steps, {sum(map(len, waiting.values()))} steps to come", flush=True)
    for (job, kill), times in missed.items():
        if times >= TRIES:
            print(f"{job} never came to {' '.join(kill.words)} for the time number {kill.nth}", flush=True)


def test_kill_at_any_instant(shop: Shop, chance: random.Random) -> None:
    seconds = {job: duration(shop, job) for job in JOBS}
    left = KILLS
    while left > 0 and minutes_left() > 0:
        kills: dict[str, list[Interruption]] = {}
        for job, most in chance.choice((ORDERS_ROUND, CUSTOMERS_ROUND)).items():
            some = [
                Interruption(seconds=chance.uniform(0.01, seconds[job]), alone=chance.random() < 0.5)
                for _ in range(most)
            ]
            kills[job] = some[: left - sum(map(len, kills.values()))]
        killed = len(disturb(shop, kills))
        left -= killed
        shop.recover(killed)
        print(f"{killed} killed at random, {left} to come", flush=True)


def test_the_tables_are_those_of_an_undisturbed_lake(shop: Shop, tmp_path: Path) -> None:
    found = shop.rows()
    shop.cloud.close()
    shop.compare(found, undisturbed(tmp_path / "a lake", shop.landed))
