"""Rows that are computed once and read often."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

FEW = 200_000


def computed(rows: DataFrame, counts: Sequence[Column], keep: Column | None = None) -> tuple[DataFrame, dict[str, int]]:
    """Compute rows, count over all of them, and return those to keep as a relation of its own, with the counts.

    What reads it is planned without the plan that it came from, which costs more than the data where that is small.
    """
    observation = Observation()
    seen = rows.observe(observation, *counts)
    kept = (seen if keep is None else seen.filter(keep)).localCheckpoint()
    return kept, {name: value or 0 for name, value in observation.get.items()}


def small(rows: DataFrame, count: int) -> DataFrame:
    """Say that rows are few, where they are: nobody else knows how many a computed relation has."""
    return F.broadcast(rows) if count <= FEW else rows
