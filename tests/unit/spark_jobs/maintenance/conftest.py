"""A pipeline of one table with its marts, staged and built as the jobs do it, and maintained at any time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.model import Plan
from spark_jobs.layers.maintenance import rewriting
from spark_jobs.layers.maintenance.maintain import maintain
from spark_jobs.layers.maintenance.policy import Policy, Tended
from spark_jobs.layers.marts.attempt import Run
from spark_jobs.layers.marts.build import Result, build
from spark_jobs.layers.staging.session import configure
from tests.unit.spark_jobs.marts.bench import mart, ordered
from tests.unit.spark_jobs.staging.conftest import Bench, FolderS3, day, snapshot_table

PLANES = snapshot_table()
MARTS = (mart("latest_planes", "latest", "planes"), mart("dim_planes", "scd2", "planes", track=("v",)))


@dataclass
class Pipeline:
    """Stages snapshots of `planes`, builds marts, maintains; `later` days lie between now and the maintenance."""

    bench: Bench
    plan: Plan
    runs: Any = field(default_factory=itertools.count)

    @property
    def lake(self) -> Any:
        return self.bench.lake

    def table(self, layer: str, name: str = "planes") -> str:
        return str(self.lake.table(layer, name))

    def snapshot(self, number: int, **rows: str) -> Any:
        """Stage the snapshot of a day: k1="a" is the row (1, a)."""
        lines = "".join(f"{name[1:]},{value}\n" for name, value in rows.items())
        landing = self.bench.land(f"k,v\n{lines}", f"planes/{day(number)}.csv")
        return self.bench.stage(self.plan.tables["planes"], landing)

    def build(self, name: str, rebuild: bool = False, now: datetime | None = None) -> Result:
        batch, found = f"run-{next(self.runs)}", self.plan.marts[name]
        return build(Run(self.lake, self.plan, found, batch, now or datetime.now(UTC), rebuild))

    def maintain(self, later: int = 0, *names: str, **policy: Any) -> dict[str, Tended]:
        """Maintain as of so many days from now; return what was done by `<layer>.<table>`."""
        now = datetime.now(UTC) + timedelta(days=later)
        done = maintain(self.lake, self.plan, Policy(now, **policy), names)
        return {f"{one.table.split('.')[0]}.{one.table.rsplit('.')[-1]}": one for one in done}

    def rows(self, layer: str, name: str = "planes") -> list[tuple[Any, ...]]:
        rows = self.lake.read(self.table(layer, name))
        return ordered(rows.drop(*(c for c in rows.columns if c in ("_batch_id", "_built_at", "_staged_at"))))

    def log(self) -> list[tuple[Any, ...]]:
        return self.bench.log(self.plan.tables["planes"])

    def files(self, layer: str, name: str = "planes") -> int:
        return int(self.lake.head(self.table(layer, name)).summary["total-data-files"])

    def snapshots(self, layer: str, name: str = "planes") -> list[int]:
        return [one.id for one in self.lake.history(self.table(layer, name))]


@pytest.fixture
def pipeline(lake: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a maker of pipelines; files of nobody are left alone, as Iceberg looks for them by the real clock."""
    configure(lake.spark)
    monkeypatch.setattr(rewriting, "remove_orphans", lambda *_: 0)
    bench = Bench(lake, FolderS3(Path(lake.spark.conf.get("landfall.test.root"))))

    def make(*marts: Any, table: Any = PLANES) -> Pipeline:
        return Pipeline(bench, Plan("t", {"planes": table}, {one.name: one for one in marts}))

    return make
