"""Real job processes on a catalog that compares and swaps: one that is late cannot publish, two lose nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from moto.glue.models import glue_backends

from orchestration.embedded.deploy import ACCOUNT, REGION
from orchestration.embedded.interruptions import Interruption
from orchestration.embedded.job_runs import JobRun
from orchestration.embedded.settings import CloudSettings
from tests.chaos.conftest import sampled
from tests.chaos.lakes import FCT_ORDERS, STAGE_ORDERS, Shop, Tally, opened, undisturbed
from tests.chaos.lossy import LossyLink, lossy_link
from tests.unit.spark_jobs.extraction.servers import POSTGRES, needed, postgres_database, postgres_login

pytestmark = [pytest.mark.long, pytest.mark.databases, pytest.mark.timeout(1800)]
PATIENCE = 300
ORDERS, FACTS = "staging.shop_dev_staging.orders", "mart.shop_dev_mart.fct_orders"
NAMESPACES = ("staging", "mart", "quarantine", "audit", "state")


@pytest.fixture(scope="module")
def link(spark: Any) -> Iterator[LossyLink]:
    found = re.fullmatch(r"jdbc:postgresql://([^:/]+):(\d+)/\w+", needed(POSTGRES))
    assert found is not None
    with lossy_link(found[1], int(found[2])) as link:
        yield link


@pytest.fixture(scope="module")
def shop(spark: Any, link: LossyLink, tally: Tally, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A lake whose tables are in a PostgreSQL catalog, reached through the link; two job processes at a time."""
    login = postgres_login()
    with postgres_database(spark) as connection, pytest.MonkeyPatch.context() as patch:
        database = connection.url.rsplit("/", 1)[1]
        options = {
            "type": "jdbc",
            "uri": f"jdbc:postgresql://127.0.0.1:{link.port}/{database}?prepareThreshold=0",
            "jdbc.user": login.user,
            "jdbc.password": login.password,
            "jdbc.schema-version": "V1",
        }
        make_namespaces(spark, options, tmp_path_factory.mktemp("warehouse"))
        patch.setenv("LANDFALL_CATALOG", json.dumps(options))
        lake = tmp_path_factory.mktemp("fenced") / "a lake"
        with opened(lake, tally, "process", CloudSettings(process_slots=2), in_full=True) as shop:
            yield shop


def make_namespaces(spark: Any, options: dict[str, str], warehouse: Path) -> None:
    """Make the databases, as the stack does in Glue's catalog."""
    session = spark.newSession()
    for name in NAMESPACES:
        for word, value in (options | {"warehouse": warehouse.as_uri()}).items():
            session.conf.set(f"spark.sql.catalog.{name}.{word}", value)
        session.sql(f"CREATE NAMESPACE IF NOT EXISTS {name}.shop_dev_{name}")


def until(condition: Callable[[], Any]) -> Any:
    """Wait for what must come true, and return it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it has not come true")


def stopped_run(shop: Shop, job: str, other: JobRun | None = None) -> JobRun | None:
    """Return the run of a job whose process has stopped itself, not the `other` one."""
    for run in shop.cloud.live.jobs.all:
        if run.job_name == job and run is not other and run.pid is not None and state_of(run.pid) == "T":
            return run
    return None


def ended_run(shop: Shop, job: str, after: JobRun) -> JobRun | None:
    """Return a run of a job that was started after another and has ended."""
    runs = shop.cloud.live.jobs.all
    later = [run for run in runs[runs.index(after) + 1 :] if run.job_name == job and run.completed_on]
    return later[0] if later else None


def state_of(pid: int | None) -> str:
    """Return the state of a process as the kernel writes it; Z where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def stop_at(*words: str, outlives: bool = False) -> Interruption:
    return Interruption(tuple(f'"{word}"' for word in words), signal=signal.SIGSTOP, outlives=outlives)


def stopped_at(shop: Shop, job: str, *words: str, outlives: bool = False) -> JobRun:
    """Land orders and work until a job's process has stopped itself at a step."""
    shop.cloud.live.jobs.interrupt(job, stop_at(*words, outlives=outlives))
    shop.orders()
    work(shop)
    run: JobRun = until(lambda: stopped_run(shop, job))
    return run


def work(shop: Shop) -> None:
    """Handle the messages of the queue; what they start goes on by itself."""
    while shop.cloud.live.poller.poll():
        pass


@contextmanager
def continued(run: JobRun) -> Iterator[int]:
    """Let a stopped process go on in the end; where something fails meanwhile it is killed."""
    pid = run.pid
    assert pid is not None
    try:
        yield pid
    except BaseException:
        os.killpg(pid, signal.SIGKILL)
        raise
    os.killpg(pid, signal.SIGCONT)


def error_of(shop: Shop, run: JobRun) -> str:
    """Return the exception with which a run's process ended."""
    return (shop.cloud.lake / "cloud" / "runs" / run.job_run_id / "error.txt").read_text(encoding="utf-8")


def cannot_publish(shop: Shop, late: JobRun) -> None:
    """Let the pipeline run without a process that is late, then the process: nothing changes, and it says why."""
    before = len(shop.cloud.live.jobs.all)
    with continued(late) as pid:
        shop.run()
        again = [run.status for run in shop.cloud.live.jobs.all[before:] if run.job_name == STAGE_ORDERS]
        assert (again, shop.complaints(), state_of(pid)) == (["SUCCEEDED"], [], "T")
        published = shop.rows()
    until(lambda: state_of(pid) == "Z")
    assert error_of(shop, late).startswith("StaleLeaseError: orders: run ")
    assert shop.rows() == published
    shop.recover(1)


@pytest.mark.parametrize(
    "words", sampled([("append", ORDERS), ("fence",), ("publish", ORDERS)]), ids=lambda words: words[0]
)
def test_a_staging_process_that_lost_its_lease_cannot_publish(shop: Shop, words: tuple[str, ...]) -> None:
    late = stopped_at(shop, STAGE_ORDERS, *words, outlives=True)
    [execution] = [one for one in shop.cloud.live.executions.all() if one.status == "RUNNING"]
    shop.cloud.client("stepfunctions").stop_execution(executionArn=execution.arn)
    until(lambda: late.status == "STOPPED")
    cannot_publish(shop, late)


def test_a_staging_process_that_hangs_until_its_state_times_out_is_stopped_and_cannot_publish(shop: Shop) -> None:
    machine, arn = shop.cloud.client("stepfunctions"), shop.cloud.live.outputs["StateMachineArn"]
    definition = json.loads(machine.describe_state_machine(stateMachineArn=arn)["definition"])
    hasty = json.loads(json.dumps(definition))
    hasty["States"]["Stage the table"]["TimeoutSeconds"] = 60
    machine.update_state_machine(stateMachineArn=arn, definition=json.dumps(hasty))
    try:
        late = stopped_at(shop, STAGE_ORDERS, "fence", outlives=True)
        until(lambda: late.status == "STOPPED")
    finally:
        machine.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))
    cannot_publish(shop, late)


@pytest.fixture
def two_runs(shop: Shop) -> Iterator[None]:
    """Let Glue start a second run of the mart while one works."""
    job = glue_backends[ACCOUNT][REGION].jobs[FCT_ORDERS]
    with mock.patch.dict(job.execution_property, MaxConcurrentRuns=2):
        yield


@pytest.mark.parametrize("step", sampled(["look", "compare", "write members", "seal", "publish"]))
def test_two_processes_of_a_mart_at_once_lose_no_update(shop: Shop, two_runs: None, step: str) -> None:
    first = stopped_at(shop, FCT_ORDERS, step, *([FACTS] if step in ("seal", "publish") else []))
    with continued(first):
        shop.customers()
        work(shop)
        second = until(lambda: ended_run(shop, FCT_ORDERS, after=first))
        assert (second.status, state_of(first.pid)) == ("SUCCEEDED", "T")
    shop.recover(1)
    assert first.status == "SUCCEEDED"


def test_two_processes_of_a_mart_that_publish_in_the_same_instant_lose_no_update(shop: Shop, two_runs: None) -> None:
    shop.cloud.live.jobs.interrupt(FCT_ORDERS, stop_at("publish", FACTS))
    first = stopped_at(shop, FCT_ORDERS, "publish", FACTS)
    shop.customers()
    work(shop)
    second: JobRun = until(lambda: stopped_run(shop, FCT_ORDERS, other=first))
    with continued(first), continued(second):
        pass
    shop.recover(1)
    assert (first.status, second.status) == ("SUCCEEDED", "SUCCEEDED")


@pytest.mark.parametrize("mode", sampled(["request", "answer"]))
@pytest.mark.parametrize(("job", "table"), sampled([(FCT_ORDERS, FACTS), (STAGE_ORDERS, ORDERS)]))
def test_a_publish_whose_outcome_is_unknown_is_looked_up(
    shop: Shop, link: LossyLink, mode: str, job: str, table: str
) -> None:
    before = link.lost
    run = stopped_at(shop, job, "publish", table)
    with continued(run):
        link.lose(mode)
    shop.recover(1)
    assert (link.lost, run.status) == (before + 1, "SUCCEEDED")


@pytest.mark.parametrize("mode", sampled(["request", "answer"]))
@pytest.mark.parametrize(
    ("step", "job", "table"), sampled([("append", STAGE_ORDERS, ORDERS), ("seal", FCT_ORDERS, FACTS)])
)
def test_a_write_whose_outcome_is_unknown_is_done_once(
    shop: Shop, link: LossyLink, mode: str, step: str, job: str, table: str
) -> None:
    before = link.lost
    run = stopped_at(shop, job, step, table)
    with continued(run):
        link.lose(mode)
    shop.recover(1)
    assert link.lost == before + 1


def test_the_tables_are_those_of_an_undisturbed_lake(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = shop.rows()
    shop.cloud.close()
    monkeypatch.delenv("LANDFALL_CATALOG")
    shop.compare(found, undisturbed(tmp_path / "a lake", shop.landed))
