"""Alarms and dashboard watch what the Lambdas write, name by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.metrics import CLOSE_METRICS, OPEN_METRICS, RECEIVE_METRICS

FUNCTIONS = Path(__file__).parents[2] / "functions"


def written(name: str) -> str:
    files = [*(FUNCTIONS / name).rglob("*.py"), *(FUNCTIONS / "shared").rglob("*.py")]
    return "\n".join(path.read_text() for path in files)


@pytest.mark.parametrize("metric", RECEIVE_METRICS)
def test_receive_files_writes_what_is_watched(metric: str) -> None:
    assert f'"{metric}"' in written("receive_files")


@pytest.mark.parametrize("metric", OPEN_METRICS)
def test_open_batch_writes_what_is_watched(metric: str) -> None:
    assert f'"{metric}"' in written("open_batch")


@pytest.mark.parametrize("metric", CLOSE_METRICS)
def test_close_batch_writes_what_is_watched(metric: str) -> None:
    assert f'"{metric}"' in written("close_batch")
