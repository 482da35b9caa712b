"""Each job in a process of its own: the shipped script and library, AWS over the network, and one that is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.embedded.cloud import Cloud, open_cloud
from tests.pipeline.conftest import ORDERS, SHOP

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("alone")]
STAGE = "shop-dev-stage-orders"


def _kill_the_first(cloud: Cloud) -> None:
    """Kill the first job's process as soon as it runs."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for run in cloud.live.jobs.all:
            if run.pid is not None:
                os.kill(run.pid, signal.SIGKILL)
                return
        time.sleep(0.05)


def test_a_job_whose_process_is_killed_is_run_again_and_loses_nothing(tmp_path: Path) -> None:
    with open_cloud(SHOP, tmp_path / "a lake", jobs="process") as cloud:
        cloud.land(f"{ORDERS}\n1,1,2024-01-01T09:00:00Z,5.50\n".encode(), "shop/orders/2024-01-01/orders.csv")
        killer = threading.Thread(target=_kill_the_first, args=(cloud,))
        killer.start()
        ended = [(one.table, one.status, one.cause) for one in cloud.run()]
        killer.join()
        runs = [(run.status, run.error_message) for run in cloud.live.jobs.all if run.job_name == STAGE]
        assert runs == [("FAILED", "The process ended with code -9"), ("SUCCEEDED", "")]
        assert ended == [("orders", "SUCCEEDED", None)]
        assert cloud.query("SELECT order_id, amount FROM mart.fct_orders")[1] == [(1, Decimal("5.50"))]
