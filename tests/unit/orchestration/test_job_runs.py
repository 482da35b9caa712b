"""Runs of the laptop's jobs: who waits for one."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moto.glue.exceptions import ConcurrentRunsExceededException

from orchestration.embedded.job_runs import JobRun, JobRuns


class Until:
    """Runs a script until it may end."""

    def __init__(self) -> None:
        self.may_end = threading.Event()

    def run(self, run: JobRun) -> None:
        self.may_end.wait(60)

    def stop(self, run: JobRun) -> None:
        self.may_end.set()


def test_who_waits_for_a_job_that_is_at_work_waits_until_it_ends(tmp_path: Path) -> None:
    runner = Until()
    runs = JobRuns(runner, tmp_path, at_once=1)
    runs.wait(60, longest=0.01)  # nothing is at work: cut short
    job: Any = SimpleNamespace(
        name="mart", command={"ScriptLocation": "mart.py"}, default_arguments={}, execution_property={}, job_runs=[],
        timeout=1, glue_version="5.1", worker_type="G.1X", number_of_workers=2, execution_class="STANDARD",
    )  # fmt: skip
    runs._start(job, {})
    with pytest.raises(ConcurrentRunsExceededException):
        runs._start(job, {})
    threading.Timer(0.2, runner.may_end.set).start()
    runs.wait(60, longest=0.01)
    assert [run.status for run in runs.all] == ["SUCCEEDED"]
    runs._start(job, {})
