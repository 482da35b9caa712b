"""A pipeline in miniature: staging tables written row by row, marts built as the job builds them."""

from __future__ import annotations

import dataclasses
import itertools
import json
from datetime import UTC, datetime

from contracts.model import Column, EffectiveAt, Mart, Plan, Source, Table
from spark_jobs.layers.marts.attempt import Run
from spark_jobs.layers.marts.build import build
from spark_jobs.layers.marts.events import log_columns
from spark_jobs.layers.shape import NAME, shape

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)


def columns(ddl):
    return tuple(Column(*part.strip().split(" ")) for part in ddl.split(","))


def table(name, ddl, load="snapshot", **more):
    more.setdefault("effective_at", EffectiveAt(event_time=True))
    return Table(name=name, load=load, source=Source(prefix=f"{name}/"), columns=columns(ddl), **more)


def plan(tables, marts):
    return Plan("t", {t.name: t for t in tables}, {m.name: m for m in marts})


def mart(name, kind, source, **more):
    return Mart(name=name, kind=kind, source=source, **{"reads": (source,), **more})


@dataclasses.dataclass
class Bench:
    """Writes change logs and builds marts in one lake."""

    lake: object
    plan: Plan
    batches: object = dataclasses.field(default_factory=itertools.count)

    def frame(self, name, rows):
        """Return change-log rows: business values, then _op and _effective_from; order by position."""
        types = log_columns(self.plan.tables[name])
        full = [(*row, f"{number:03}", number) for number, row in enumerate(rows)]
        ddl = ", ".join(f"{column} {kind}" for column, kind in types.items())
        return self.lake.spark.createDataFrame(full, ddl).coalesce(1)

    def log(self, name, add=(), remove=()):
        """Append rows to a change log and remove rows from it, in one publish."""
        target = self.lake.table("staging", name)
        frame = self.frame(name, add)
        self.lake.create(target, frame.schema)
        branch = self.lake.branch(target, "b_test")
        if remove:
            keys = self.plan.tables[name].key or self.plan.tables[name].column_names
            branch.remove(self.frame(name, remove).select(*keys, "_effective_from"))
        if add:
            branch.append(frame)
        branch.seal({"batch-id": "test", NAME: json.dumps(shape(self.plan.tables[name]))})
        return branch.publish()

    def build(self, name, rebuild=False, now=NOW):
        batch = f"batch-{next(self.batches)}"
        return build(Run(self.lake, self.plan, self.plan.marts[name], batch, now, rebuild))

    def rows(self, name, *columns):
        """Return a mart's rows without audit columns (or just `columns`), sorted."""
        found = self.lake.read(self.lake.table("mart", name))
        return ordered(found.select(*columns) if columns else found.drop("_batch_id", "_built_at"))

    def data_snapshots(self, name):
        return sum(s.changes_rows for s in self.lake.history(self.lake.table("mart", name)))


def ordered(frame):
    """Return the rows as tuples in an order that does not depend on Spark."""
    return sorted((tuple(row) for row in frame.collect()), key=repr)
