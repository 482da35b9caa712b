"""Fixtures of the mart tests."""

from __future__ import annotations

import pytest

from tests.unit.spark_jobs.marts.bench import Bench, plan


@pytest.fixture
def bench(lake):
    """Return a maker of benches: tables and marts in a lake of the test's own."""

    def make(tables, marts):
        return Bench(lake, plan(tables, marts))

    return make
