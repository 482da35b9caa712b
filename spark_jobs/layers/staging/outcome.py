"""What staging wrote to the branches of a batch, before it is published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from spark_jobs.layers.staging.books import Books, total


@dataclass(frozen=True)
class Outcome:
    """Books, landings without effect, by check what was warned of, and properties for the published snapshot."""

    books: Books
    superseded: tuple[str, ...] = ()
    warnings: Mapping[str, int] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcomes of several snapshots as one."""
    warnings: Counter[str] = Counter()
    for outcome in outcomes:
        warnings.update(outcome.warnings)
    books = total(outcome.books for outcome in outcomes)
    return Outcome(books, warnings=dict(warnings))
