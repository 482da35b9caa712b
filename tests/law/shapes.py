"""The contracts that the laws are tried with, each as the product knows it and as the oracle does."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.model import Column, DimensionLookup, EffectiveAt, Mart, Source, Table
from tests.law.oracle import Rules

DAY = r"(?P<date>\d{4}-\d{2}-\d{2})"
ABSENT = "?"
FACTS = "facts"
AT_TYPES = {"date": "date", "timestamp": "timestamp", "number": "bigint"}


@dataclass(frozen=True)
class Shape:
    """A load with its words; `time` says where effective_at comes from: column, key or event."""

    name: str
    load: str
    time: str = "event"
    at: str = "timestamp"
    tie_break: bool = False
    keyed: bool = True
    on_missing: str = "close"
    on_overwrite: str = "replace"
    truncates: bool = False
    partial: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return a key (history, key), two values that are tracked, one that is not, and what orders changes."""
        return (
            Column("h", "int"),
            Column("k", "string"),
            Column("v", "string"),
            Column("w", "int"),
            Column("u", "string"),
            *([Column("t", AT_TYPES[self.at])] if self.time == "column" else []),
            *([Column("n", "int")] if self.tie_break else []),
        )

    @property
    def rules(self) -> Rules:
        return Rules(
            load=self.load,
            columns=tuple(column.name for column in self.columns),
            key=("h", "k") if self.keyed else (),
            effective="t" if self.time == "column" else None,
            at=self.at,
            tie_break=("n",) if self.tie_break else (),
            on_missing=self.on_missing,
            on_overwrite=self.on_overwrite,
            partial=self.partial,
        )

    def table(self, name: str) -> Table:
        deletes = self.load == "changes"
        return Table(
            name=name,
            load=self.load,
            source=Source(prefix=f"{name}/", options={"absent_value": ABSENT} if self.partial else {}),
            columns=self.columns,
            key=self.rules.key,
            effective_at={
                "column": EffectiveAt(column="t"),
                "key": EffectiveAt(from_key=DAY),
                "event": EffectiveAt(event_time=True),
            }[self.time],
            tie_break=self.rules.tie_break,
            delete_when="op = 'D'" if deletes else None,
            unstored=("op",) if deletes else (),
            on_missing=self.on_missing,
            on_overwrite=self.on_overwrite,
            truncate_when="op = 'T'" if self.truncates else None,
            updates="partial" if self.partial else "whole",
            missing_columns="null" if self.partial else "fail",
        )

    def facts(self, name: str) -> Table:
        """Return a table of facts that point to keys of the table at their own times."""
        columns = (Column("h", "int"), Column("k", "string"), Column("at", AT_TYPES[self.at]), Column("id", "int"))
        return Table(name, "append", Source(prefix=f"{name}/"), columns, effective_at=EffectiveAt(event_time=True))

    def marts(self, name: str) -> tuple[Mart, ...]:
        """Return the marts of the table; without a key there are history and sums alone."""
        track = ("v", "w", "u")
        sums = Mart(
            f"{name}_sums",
            "sql",
            name,
            sql=f"SELECT h, k, count(*) AS n, sum(w) AS w FROM {name} GROUP BY h, k",
            key=("h", "k"),
            incremental_by=("h", "k"),
            reads=(name,),
        )
        if not self.keyed:
            return (Mart(f"{name}_history", "history", name, reads=(name,)), sums)
        return (
            sums,
            Mart(f"{name}_latest", "latest", name, reads=(name,)),
            Mart(f"{name}_scd2", "scd2", name, reads=(name,), track=("v", "w")),
            Mart(f"{name}_first", "scd2", name, reads=(name,), track=("v",), untracked_change="ignore"),
            Mart(f"{name}_all", "scd2", name, reads=(name,), track=track),
            Mart(f"{name}_history", "history", name, reads=(name,)),
            Mart(f"{name}_members", "dimension", name, reads=(name,)),
            Mart(
                f"{name}_fact",
                "fact",
                FACTS,
                sql=f"SELECT id, h, k, at FROM {FACTS}",
                key=("id",),
                dimensions=(DimensionLookup(f"{name}_all", {"h": "h", "k": "k"}, as_of="at", missing="infer"),),
                reads=(FACTS, f"{name}_all"),
            ),
        )


SHAPES = (
    Shape("snapshots_dated_by_key", "snapshot", time="key"),
    Shape("snapshots_dated_by_event", "snapshot"),
    Shape("snapshots_with_dates", "snapshot", time="column", at="date"),
    Shape("snapshots_with_timestamps", "snapshot", time="column", tie_break=True),
    Shape("kept_snapshots", "snapshot", on_missing="keep"),
    Shape("kept_snapshots_with_timestamps", "snapshot", time="column", on_missing="keep"),
    Shape("kept_snapshots_with_numbers", "snapshot", time="column", at="number", on_missing="keep"),
    Shape("upserts_dated_by_event", "upsert"),
    Shape("upserts_with_dates_and_ties", "upsert", time="column", at="date", tie_break=True),
    Shape("changes_with_numbers_and_ties", "changes", time="column", at="number", tie_break=True),
    Shape("changes_with_timestamps", "changes", time="column"),
    Shape("changes_dated_by_key", "changes", time="key", tie_break=True),
    Shape("changes_that_truncate", "changes", time="column", tie_break=True, truncates=True),
    Shape("partial_upserts_dated_by_event", "upsert", partial=True),
    Shape("partial_changes_that_truncate", "changes", time="column", at="number", truncates=True, partial=True),
    Shape("appends_of_keys", "append", time="column", at="date", tie_break=True),
    Shape("appends_that_add", "append", on_overwrite="add"),
    Shape("appends_that_keep_the_first", "append", keyed=False, on_overwrite="fail"),
    Shape("appends_without_key", "append", time="column", keyed=False),
)
