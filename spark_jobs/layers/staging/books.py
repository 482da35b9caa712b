"""The books of a batch: how many records were read, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from contracts.model import Limits, Table
from spark_jobs.layers.errors import LimitExceededError
from spark_jobs.layers.staging.landings import Manifest


@dataclass(frozen=True)
class Books:
    """Counts of records; beside them stand `deleted` (keys that went) and `warned` (good records with a warning)."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicate: int = 0
    rejected: int = 0
    deleting: int = 0
    deleted: int = 0
    warned: int = 0

    @property
    def balanced(self) -> bool:
        """Tell whether every record read is accounted for."""
        parts = (self.inserted, self.updated, self.unchanged, self.duplicate, self.rejected, self.deleting)
        return self.read == sum(parts)

    def __add__(self, other: Books) -> Books:
        mine, theirs = asdict(self), asdict(other)
        return Books(**{name: mine[name] + theirs[name] for name in mine})

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def total(books: Iterable[Books]) -> Books:
    return sum(books, Books())


def from_dict(raw: Mapping[str, int]) -> Books:
    return Books(**raw)


def enforce_limits(table: Table, limits: Limits, books: Books, living: int | None, manifest: Manifest) -> None:
    """Raise LimitExceededError where one of a table's circuit breakers trips and the manifest does not let it through.

    `max_deleted` is a share of the living keys, those of the snapshot before, be their rows in quarantine (a snapshot
    deletes no others); of the records read where they are not known (None).
    `min_rows` passes over an extraction that found nothing above its watermark.
    """
    good = books.read - books.rejected
    deletable = (books.read, "records read") if living is None else (living, "living keys")
    tripped = [
        ("max_rejected", limits.max_rejected, books.rejected, books.read, "records read", "rejected"),
        ("max_deleted", limits.max_deleted, books.deleted, *deletable, "deleted"),
    ]
    for name, limit, count, base, noun, verb in tripped:
        if limit is None or name in manifest.allow:
            continue
        if count > bound_of(limit, base):
            raise LimitExceededError(
                f"{table.name}: {name}: {count} of {base} {noun} would be {verb}, the limit is {limit_words(limit)}; "
                f"nothing was published. {_way_out(manifest, name)}",
                name,
            )
    has_news = books.read > 0 or not (table.source.extract and table.source.extract.watermark)
    if limits.min_rows is not None and "min_rows" not in manifest.allow and has_news and good < limits.min_rows:
        raise LimitExceededError(
            f"{table.name}: min_rows: {good} good rows, the limit is {limits.min_rows}; nothing was published. "
            + _way_out(manifest, "min_rows"),
            "min_rows",
        )


def bound_of(limit: float | int, base: int) -> float:
    """Return how many of `base` a limit lets through: a share of them, or a number.

    29% of 100 is 29, where the product of floats is a little less.
    """
    return round(limit * base, 6) if isinstance(limit, float) else limit


def limit_words(limit: float | int) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit * 100:.4g}%"


def _way_out(manifest: Manifest, name: str) -> str:
    anew = {"mode": "rebuild", "layer": "staging"} if manifest.mode == "rebuild" else {}
    allow = sorted({*manifest.allow, name})
    return f"To let it through once, start {json.dumps({'table': manifest.table, **anew, 'allow': allow})}"
