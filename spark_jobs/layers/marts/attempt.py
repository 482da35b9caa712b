"""One attempt at bringing a mart up to date: what it reads is pinned at the snapshots of its start."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.model import MEMBERED, Mart, Plan
from spark_jobs.layers import evolution, renewal, shape
from spark_jobs.layers.errors import DataError
from spark_jobs.layers.lake import PROPERTY, Lake, Snapshot
from spark_jobs.layers.marts import latest
from spark_jobs.layers.marts.diff import AUDIT
from spark_jobs.layers.marts.events import log_schema
from spark_jobs.layers.marts.names import empty, without_rows
from spark_jobs.layers.marts.tables import ensure
from spark_jobs.layers.shaping import conformed


class SourceMissingError(DataError):
    """A table that the mart has read before is gone from the catalog."""


@dataclass(frozen=True)
class Run:
    """What a mart job was asked to do; `now` is the time of the run."""

    lake: Lake
    plan: Plan
    mart: Mart
    batch_id: str
    now: datetime
    rebuild: bool = False


@dataclass(frozen=True)
class Attempt:
    """The pinned snapshots: of the mart (`base`), of what it reads (`heads`), of what it has read (`seen`).

    `seen` is empty when all has to be computed afresh: on a rebuild, the first run, a changed contract.
    `due` are the dimensions whose inferred members an earlier run could not sweep.
    """

    run: Run
    table: str
    base: Snapshot | None
    heads: dict[str, int]
    seen: dict[str, int]
    due: frozenset[str]
    contract: str
    cached: list[DataFrame] = field(default_factory=list)
    answers: dict[tuple[str, ...], DataFrame | None] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        return not self.seen

    @property
    def nothing_new(self) -> bool:
        """Tell whether every source is as the mart has seen it and time alone changes nothing."""
        return not self.whole and self.seen == self.heads and not self.due and self.run.mart.keep_for is None

    def changed(self, name: str, columns: Sequence[str]) -> DataFrame | None:
        """Return the distinct `columns` of a source's rows that came or went since it was seen; None: all."""
        if self.whole or name not in self.seen:
            return None
        question = (name, *columns)
        if question not in self.answers:
            keys = self.run.lake.changed_keys(self.identifier(name), columns, self.seen[name])
            self.answers[question] = None if keys is None else self.cache(keys)
        return self.answers[question]

    def is_changed(self, name: str) -> bool:
        """Tell from metadata whether a source's rows may have changed since it was seen."""
        if self.whole:
            return True
        if self.seen.get(name) == self.heads.get(name):
            return False
        return name not in self.seen or self.run.lake.changed_since(self.identifier(name), self.seen[name])

    def current(self) -> DataFrame | None:
        """Return the mart's own rows without audit columns, no inferred members; None before the first run."""
        if self.base is None:
            return None
        return _real(self.run.lake.read(self.table, self.base.id), self.run.mart)

    def log(self, name: str) -> DataFrame:
        """Return a table's change log in the contract's columns."""
        schema = log_schema(self.run.plan.tables[name])
        if name not in self.heads:
            return empty(self.run.lake.spark, schema)
        return conformed(self.run.lake.read(self.identifier(name), self.heads[name]), schema)

    def rows(self, name: str) -> DataFrame:
        """Return what a name stands for: a table's current rows, a mart's rows without audit columns.

        Inferred members are not among them: whether they are there yet is a matter of when their facts were built.
        """
        if name in self.run.plan.tables:
            return latest.current_rows(self.log(name), self.run.plan.tables[name])
        if name not in self.heads:
            return without_rows(self.run.lake.spark, self.run.plan, name)
        return _real(self.run.lake.read(self.identifier(name), self.heads[name]), self.run.plan.marts[name])

    def identifier(self, name: str) -> str:
        return self.run.lake.table("staging" if name in self.run.plan.tables else "mart", name)

    def cache(self, rows: DataFrame) -> DataFrame:
        """Keep rows for the rest of the attempt: they are computed once."""
        self.cached.append(rows.persist())
        return rows


def _real(rows: DataFrame, mart: Mart) -> DataFrame:
    """Return a mart's rows without audit columns and inferred members; rows of another kind's time are none.

    Nor are the columns that another build begins anew meanwhile.
    """
    rows = rows.drop(*AUDIT, *(name for name in rows.columns if name.startswith(renewal.PREFIX)))
    if mart.kind not in MEMBERED or "is_inferred" not in rows.columns:
        return rows
    return rows.where(F.coalesce(~F.col("is_inferred"), F.lit(True)))


@contextmanager
def start(run: Run) -> Iterator[Attempt]:
    """Pin the snapshots; free what the attempt cached when it is over."""
    attempt = _pin(run)
    try:
        yield attempt
    finally:
        for rows in attempt.cached:
            rows.unpersist()


def _pin(run: Run) -> Attempt:
    table = run.lake.table("mart", run.mart.name)
    base, summary = _sealed(run.lake, table)
    contract = fingerprint(run.plan, run.mart)
    known: dict[str, int] = json.loads(summary.get(PROPERTY + "seen", "{}"))
    heads = {}
    for name in run.mart.reads:
        _check_staged(run, name)
        head = _head(run, name, name in known)
        if head is not None:
            heads[name] = head
        elif name in known:
            raise SourceMissingError(f"{run.mart.name}: {name} was read before and is gone from the catalog")
    afresh = run.rebuild or summary.get(PROPERTY + "contract") != contract
    due = frozenset(filter(None, summary.get(PROPERTY + "sweep", "").split(",")))
    return Attempt(run, table, base, heads, {} if afresh else known, due, contract)


def _check_staged(run: Run, name: str) -> None:
    """Raise SchemaChangeError where rows of a table were staged that its contract does not describe any more.

    No batch can bring them along, as it brings what a contract has more: the mart keeps its last good state.
    """
    staged = run.lake.table("staging", name)
    last = run.lake.sealed(staged) if name in run.plan.tables else None
    if last is not None:
        table = run.plan.tables[name]
        shape.check_shape(last, table)
        evolution.check(staged, run.lake.read(staged).schema, log_schema(table), shape.way_out_of_types(table))


def _head(run: Run, name: str, was_there: bool) -> int | None:
    """Return the head of a source; a dimension to look up is made where it has never been there."""
    table = run.lake.table("staging" if name in run.plan.tables else "mart", name)
    head = run.lake.head(table)
    if head is None and not was_there and any(lookup.dimension == name for lookup in run.mart.dimensions):
        schema = without_rows(run.lake.spark, run.plan, name).schema
        return ensure(run.lake, run.plan, table, schema, run.plan.marts[name].partition_by)
    return head.id if head else None


def _sealed(lake: Lake, table: str) -> tuple[Snapshot | None, dict[str, str]]:
    """Return a mart's head and the summary of the last run that sealed it."""
    if not lake.exists(table):
        return None, {}
    base: Snapshot | None = None
    for snapshot in lake.history(table):
        base = base or snapshot
        if PROPERTY + "seen" in snapshot.summary:
            return base, dict(snapshot.summary)
    return base, {}


def fingerprint(plan: Plan, mart: Mart) -> str:
    """Return a hash of all that decides a mart's rows: its contract and those of what it reads."""
    tables = ("name", "load", "key", "columns", "effective_at", "tie_break")
    facts: list[Any] = [mart.decisive]
    for name in sorted(mart.reads):
        if name in plan.tables:
            facts.append({key: value for key, value in dataclasses.asdict(plan.tables[name]).items() if key in tables})
        else:
            facts.append([name, fingerprint(plan, plan.marts[name])])
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
