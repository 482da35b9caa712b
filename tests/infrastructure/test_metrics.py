"""Alarms and dashboard watch what the Lambdas write, name by name."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from pathlib import Path
from unittest import mock

import pytest

from functions.close_batch.closing import Closed
from functions.close_batch.counts import counts
from functions.receive_files import handler as receive_files
from orchestration.metrics import BOOKS, CLOSE_METRICS, OPEN_METRICS, RECEIVE_METRICS
from spark_jobs.layers.staging.books import Books

FUNCTIONS = Path(__file__).parents[2] / "functions"


def written(name: str) -> str:
    files = [*(FUNCTIONS / name).rglob("*.py"), *(FUNCTIONS / "shared").rglob("*.py")]
    return "\n".join(path.read_text() for path in files)


def test_receive_files_writes_what_is_watched_and_nothing_else() -> None:
    with mock.patch.object(receive_files, "Metrics") as metrics:
        receive_files._count(Counter(), mock.Mock())
    assert [call.args[0] for call in metrics.return_value.add_metric.call_args_list] == [*RECEIVE_METRICS]


@pytest.mark.parametrize("metric", OPEN_METRICS)
def test_open_batch_writes_what_is_watched(metric: str) -> None:
    assert f'"{metric}"' in written("open_batch")


def test_close_batch_writes_what_is_watched_and_the_dashboard_shows_all_that_staging_books() -> None:
    """A record with a warning is a good one, which is counted as such already."""
    books = {one.name: number for number, one in enumerate(fields(Books), start=1)}
    closed = Closed({"summary": {"states": {}}}, {"state": "published", "books": books}, first=True)
    counted = counts(closed)
    assert sorted(counted) == sorted(CLOSE_METRICS)
    assert [counted[name] for name in BOOKS] == [number for name, number in books.items() if name != "warned"]
