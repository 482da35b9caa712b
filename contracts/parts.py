"""The parts of a table's contract, as plain data. Standard library only; import them from `contracts.model`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.databases import Extract
from contracts.snapshot_parts import Parts


@dataclass(frozen=True)
class Column:
    """One declared column; `type` is a Spark SQL type as Spark writes it, `source` the name or path in the file.

    `reads` are the columns of the file that it is made of: none where `expr` is a constant, `source_name` where neither
    is given. `time_zone` is where the clocks are that a timestamp without a zone was read from. `start` (from 1) and
    `width` say where it stands in a line of fixed width.
    """

    name: str
    type: str
    source: str = ""
    expr: str | None = None
    format: str | None = None
    required: bool = False
    reads: tuple[str, ...] = ()
    time_zone: str | None = None
    start: int | None = None
    width: int | None = None

    @property
    def source_name(self) -> str:
        return self.source or self.name

    @property
    def sources(self) -> tuple[str, ...]:
        return self.reads if self.expr else self.reads or (self.source_name,)


@dataclass(frozen=True)
class Source:
    """Where a table's files land and how they are read; `extract` where they come from a database.

    `parts` says when the objects of one snapshot are all there. `preset` names the system whose change feed it is.
    `names` are the columns of files without a header, in their order; `optional` those that a file may lack.
    """

    prefix: str = ""
    format: str = "csv"
    compression: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    extract: Extract | None = None
    preset: str = ""
    parts: Parts | None = None
    names: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


@dataclass(frozen=True)
class EffectiveAt:
    """When what a file says became true: exactly one of the three.

    `unmatched` is what becomes of a key that does not match `from_key`: quarantine, or it goes by its event time.
    """

    column: str | None = None
    from_key: str | None = None
    event_time: bool = False
    unmatched: str = "quarantine"


_DPUS = {"G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8}


@dataclass(frozen=True)
class Capacity:
    """Size of the Glue job."""

    worker_type: str = "G.1X"
    workers: int = 2
    timeout_minutes: int = 60
    flex: bool = False

    @property
    def dpus(self) -> float:
        """Return the data processing units that a run of the job takes."""
        return _DPUS.get(self.worker_type, 1) * self.workers
