"""What maintenance keeps and for how long, and what it did to a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Policy:
    """Days that snapshots stay readable, and days that must have passed before unused files and branches go."""

    now: datetime
    keep_days: int = 7
    orphan_days: int = 3

    @property
    def snapshots_since(self) -> datetime:
        return self.now - timedelta(days=self.keep_days)

    @property
    def unused_since(self) -> datetime:
        """Return the time since which a run may still work: files and branches that are older belong to nobody."""
        return self.now - timedelta(days=self.orphan_days)


@dataclass(frozen=True)
class Tended:
    """What maintenance did to one table; `held_by` names the mart that has not read its oldest kept snapshot."""

    table: str
    branches_dropped: int = 0
    rows_forgotten: int = 0
    files_rewritten: int = 0
    files_written: int = 0
    manifests_rewritten: int = 0
    snapshots_expired: int = 0
    files_deleted: int = 0
    orphans_deleted: int = 0
    held_by: str = ""
    note: str = ""
    error: str = ""

    def plus(self, **counts: Any) -> Tended:
        return replace(self, **counts)

    def as_dict(self) -> dict[str, Any]:
        """Return the table and whatever is not empty."""
        return {name: value for name, value in asdict(self).items() if value}


def milliseconds(when: datetime) -> int:
    """Return a time as Iceberg counts it."""
    return int(when.timestamp() * 1000)
