"""The contract model: what one table and one mart are, as plain data.

Standard library only: Lambdas and Glue jobs read the compiled plan with this module and nothing else.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.databases import Connection, Extract, connection_from_dict
from contracts.parts import Capacity, Column, EffectiveAt, Source
from contracts.quality import MISSING_FILES, Check, Limits, check_from_dict
from contracts.snapshot_parts import Parts

__all__ = [
    "MEMBERED",
    "MISSING_FILES",
    "Capacity",
    "Check",
    "Column",
    "Connection",
    "DimensionLookup",
    "EffectiveAt",
    "Extract",
    "Limits",
    "Mart",
    "Parts",
    "Plan",
    "Source",
    "Table",
    "mart_from_dict",
    "table_from_dict",
]

PLAN_VERSION = 1


MEMBERED = ("scd2", "dimension")  # the kinds of marts that facts look up, and write inferred members to


@dataclass(frozen=True)
class Table:
    """The contract of one staging table.

    `unstored` are columns of the file that SQL reads and the table does not hold. `crawled`: a Glue crawler keeps the
    columns, and only a job that has asked for them knows any.
    """

    name: str
    load: str
    source: Source
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    description: str = ""
    effective_at: EffectiveAt = field(default_factory=lambda: EffectiveAt(event_time=True))
    tie_break: tuple[str, ...] = ()
    delete_when: str | None = None
    truncate_when: str | None = None
    updates: str = "whole"
    on_missing: str = "close"
    on_overwrite: str = "replace"
    on_bad_key: str = "quarantine"
    on_duplicate_key: str = "last"
    on_failed_file: str = "continue"
    unstored: tuple[str, ...] = ()
    extra_columns: str = "fail"
    missing_columns: str = "fail"
    crawled: bool = False
    checks: tuple[Check, ...] = ()
    limits: Limits = field(default_factory=Limits)
    partition_by: tuple[str, ...] = ()
    freshness: str | None = None
    capacity: Capacity = field(default_factory=Capacity)

    def column(self, name: str) -> Column:
        """Return a declared column; KeyError names the table."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name}: no column {name!r}")

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def source_names(self) -> tuple[str, ...]:
        """Return the columns of the file that the contract reads, once each, without regard to case.

        They are spelled as they are first.
        """
        names: dict[str, str] = {}
        for name in [*(source for column in self.columns for source in column.sources), *self.unstored]:
            names.setdefault(name.lower(), name)
        return tuple(names.values())

    def columns_of_file(self, fields: int) -> tuple[str, ...]:
        """Return the columns of a file without a header whose records have this many fields."""
        names = self.source.names or self.source_names
        optional = {name.lower() for name in self.source.optional}
        return tuple(n for n in names if n.lower() not in optional) if fields == len(names) - len(optional) else names

    @property
    def sequence_columns(self) -> tuple[str, ...]:
        """Columns that order and date changes: effective_at's and tie_break's."""
        first = (self.effective_at.column,) if self.effective_at.column else ()
        return tuple(dict.fromkeys(first + self.tie_break))

    @property
    def in_source_order(self) -> bool:
        """Tell whether the order of a change feed decides between events of one time, deletes among them.

        Its files hold the order of commits, and one time stands for many of these. A `tie_break` goes before it.
        """
        return bool(self.source.preset) and not self.tie_break

    @property
    def effective_type(self) -> str:
        """Spark type of `_effective_from`."""
        return self.column(self.effective_at.column).type if self.effective_at.column else "timestamp"


@dataclass(frozen=True)
class DimensionLookup:
    """How a fact finds its dimension; `on` maps fact column to dimension key column.

    `name` names the fact's column `<name>_key`, for facts that look one dimension up twice.
    """

    dimension: str
    on: Mapping[str, str]
    as_of: str | None = None
    missing: str = "infer"
    name: str = ""

    @property
    def column(self) -> str:
        return f"{self.name or self.dimension}_key"


@dataclass(frozen=True)
class Mart:
    """The contract of one mart table.

    `source` is the table (latest, scd2, history, dimension) or the driving table or mart (fact, sql).
    `reads` are all tables and marts read directly, dimensions included. `incremental_by` are the columns, in
    both the source and the mart, by which a fact or sql mart is recomputed; empty: recomputed whole.
    `track` is resolved (never empty for scd2 unless the table has only key and sequence columns).
    """

    name: str
    kind: str
    source: str
    reads: tuple[str, ...] = ()
    description: str = ""
    key: tuple[str, ...] = ()
    track: tuple[str, ...] = ()
    untracked_change: str = "overwrite"
    valid_from: str = "effective"
    keep_for: str | None = None
    sql: str | None = None
    incremental_by: tuple[str, ...] = ()
    dimensions: tuple[DimensionLookup, ...] = ()
    partition_by: tuple[str, ...] = ()
    capacity: Capacity = field(default_factory=Capacity)

    @property
    def surrogate_key(self) -> str:
        return f"{self.name}_key"

    @property
    def decisive(self) -> dict[str, Any]:
        """Return the words of the contract that decide what the mart's rows are."""
        return {k: v for k, v in dataclasses.asdict(self).items() if k not in ("description", "capacity")}

    @property
    def revision(self) -> str:
        """Return the mart's name with a hash of `decisive`, e.g. `dim_planes@0f2c51e8`."""
        told = json.dumps(self.decisive, sort_keys=True)
        return f"{self.name}@{hashlib.sha256(told.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Plan:
    """All contracts of a pipeline, compiled."""

    pipeline: str
    tables: Mapping[str, Table]
    marts: Mapping[str, Mart]
    version: int = PLAN_VERSION
    connections: Mapping[str, Connection] = field(default_factory=dict)

    @property
    def crawls(self) -> tuple[str, ...]:
        """Return the tables whose columns a crawler keeps."""
        return tuple(sorted(name for name, table in self.tables.items() if table.crawled))

    def in_environment(self, env: str) -> Plan:
        """Return the plan with its connections as they are in one environment."""
        connections = {name: connection.in_environment(env) for name, connection in self.connections.items()}
        return dataclasses.replace(self, connections=connections)

    @property
    def extracts(self) -> Mapping[str, Extract]:
        """Return what is extracted from databases, by table."""
        return {name: table.source.extract for name, table in self.tables.items() if table.source.extract}

    def route(self, key: str) -> Table | None:
        """Return the table whose prefix is the longest that `key` starts with, or None."""
        matches = [t for t in self.tables.values() if t.source.prefix and key.startswith(t.source.prefix)]
        return max(matches, key=lambda t: len(t.source.prefix), default=None)

    def expects(self, key: str) -> bool:
        """Tell whether an object is the marker by which a table knows that a snapshot in parts is whole."""
        table = self.route(key)
        return bool(table and table.source.parts and table.source.parts.is_marker(key))

    def upstream_marts(self, mart: str) -> tuple[str, ...]:
        """Return the marts that `mart` reads directly, in name order."""
        return tuple(sorted(name for name in self.marts[mart].reads if name in self.marts))

    def waves(self, table: str) -> tuple[tuple[str, ...], ...]:
        """Return the marts that depend on `table`, wave by wave: each wave reads only what is older."""
        due = set(self.downstream(table))
        waves: list[tuple[str, ...]] = []
        while due:
            ready = tuple(sorted(m for m in due if not due.intersection(self.marts[m].reads)))
            if not ready:
                raise ValueError(f"marts form a cycle: {', '.join(sorted(due))}")
            waves.append(ready)
            due.difference_update(ready)
        return tuple(waves)

    def downstream(self, name: str, among: Iterable[str] | None = None) -> frozenset[str]:
        """Return the marts (of those `among`, where they are given) that read a table or mart, or read one of them."""
        marts = self.marts.keys() if among is None else frozenset(among)
        seen, queue = set[str](), [name]
        while queue:
            read = queue.pop()
            new = {mart for mart in marts - seen if read in self.marts[mart].reads}
            seen |= new
            queue += sorted(new)
        return frozenset(seen)

    def to_json(self) -> str:
        """Return the plan as JSON, byte for byte the same for the same contracts."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read a compiled plan; ValueError when it was compiled by another version."""
        raw = json.loads(text)
        if raw["version"] != PLAN_VERSION:
            raise ValueError(f"plan version {raw['version']} is not {PLAN_VERSION}: compile the contracts again")
        return cls(
            pipeline=raw["pipeline"],
            tables={name: table_from_dict(value) for name, value in raw["tables"].items()},
            marts={name: mart_from_dict(value) for name, value in raw["marts"].items()},
            connections={name: connection_from_dict(value) for name, value in raw["connections"].items()},
        )


def table_from_dict(raw: Mapping[str, Any]) -> Table:
    """Build a Table from the plan's JSON object."""
    extract, parts = raw["source"].get("extract"), raw["source"].get("parts")
    inner = {"extract": Extract(**extract) if extract else None, "parts": Parts(**parts) if parts else None}
    nested: dict[str, Any] = {
        "source": Source(**_flat(raw["source"]) | inner),
        "columns": tuple(Column(**_flat(c)) for c in raw["columns"]),
        "effective_at": EffectiveAt(**raw["effective_at"]),
        "checks": tuple(check_from_dict(c) for c in raw["checks"]),
        "limits": Limits(**raw["limits"]),
        "capacity": Capacity(**raw["capacity"]),
    }
    return Table(**{**_flat(raw), **nested})


def mart_from_dict(raw: Mapping[str, Any]) -> Mart:
    """Build a Mart from the plan's JSON object."""
    nested: dict[str, Any] = {
        "dimensions": tuple(DimensionLookup(**d) for d in raw["dimensions"]),
        "capacity": Capacity(**raw["capacity"]),
    }
    return Mart(**{**_flat(raw), **nested})


def _flat(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with JSON's lists as tuples, as the frozen classes hold them."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
