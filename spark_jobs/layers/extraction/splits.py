"""Parallel reads: conditions that together hold for every row, and no two of them for one row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from math import floor

from spark_jobs.layers.extraction.dialects import Dialect
from spark_jobs.layers.extraction.marks import DAY, NUMBER, Mark, mark_of

EVERYTHING = ("1 = 1",)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (a time as the database has it, without a zone)


def ranges(column: str, least: Mark | None, greatest: Mark | None, splits: int, dialect: Dialect) -> Sequence[str]:
    """Return conditions for ranges of equal width between two bounds; NULLs are in the first.

    The first and the last range are open, so that rows beyond bounds that have grown old are read too.
    """
    if least is None or greatest is None:
        return EVERYTHING
    edges = [edge.literal(dialect) for edge in _edges(least, greatest, splits)]
    if not edges:
        return EVERYTHING
    inner = [f"{column} >= {low} AND {column} < {high}" for low, high in pairwise(edges)]
    return [f"{column} < {edges[0]} OR {column} IS NULL", *inner, f"{column} >= {edges[-1]}"]


def buckets(column: str, splits: int, dialect: Dialect) -> Sequence[str]:
    """Return conditions on a hash of the column; NULLs are in the first."""
    conditions = [
        f"{column} IS NOT NULL AND {dialect.hashed.format(column=column, count=splits, index=index)}"
        for index in range(splits)
    ]
    return [f"({conditions[0]}) OR {column} IS NULL", *conditions[1:]]


def _edges(least: Mark, greatest: Mark, splits: int) -> Iterator[Mark]:
    """Yield the values at which one range ends and the next begins."""
    low, high = _place(least), _place(greatest)
    count = min(splits, high - low + 1)
    for number in range(1, count):
        yield _mark(least.kind, low + (high - low + 1) * number // count)


def _place(mark: Mark) -> int:
    """Return a whole number for a mark: the number itself, days or seconds."""
    if mark.kind == NUMBER:
        return floor(Decimal(mark.value))
    passed = mark.moment - _EPOCH
    return passed.days if mark.kind == DAY else passed.days * 86_400 + passed.seconds


def _mark(kind: str, place: int) -> Mark:
    if kind == NUMBER:
        return Mark(kind, str(place))
    return mark_of(kind, _EPOCH + (timedelta(days=place) if kind == DAY else timedelta(seconds=place)))
