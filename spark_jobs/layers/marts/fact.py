"""fact and sql: a SELECT over tables and marts, recomputed by groups, its dimensions looked up."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.model import Mart
from spark_jobs.layers.marts.attempt import Attempt
from spark_jobs.layers.marts.events import flag, log_schema, semi
from spark_jobs.layers.marts.keyed import Work
from spark_jobs.layers.marts.lookups import key_column, resolve
from spark_jobs.layers.marts.names import select


def recompute(attempt: Attempt) -> Work:
    """Recompute the groups whose driving rows changed; look up facts again whose dimension rows changed."""
    mart = attempt.run.mart
    current = attempt.current()
    if current is None or _must_be_whole(attempt):
        return Work(_resolved(attempt, _selected(attempt, None)), None, mart.key)
    groups = attempt.changed(mart.source, mart.incremental_by) if attempt.is_changed(mart.source) else None
    marked = _touched(attempt, current, groups)
    selected = None if groups is None else _selected(attempt, groups)
    if selected is not None and not set(mart.incremental_by) <= set(mart.key):
        selected = attempt.cache(selected)
        marked = _with_rivals(marked, selected, mart.key)
    facts = marked.where(F.col("_touched") & ~F.col("_grouped")).select(*_own_columns(mart, current))
    if selected is not None:
        facts = selected.unionByName(facts, allowMissingColumns=True)
    old = marked.where(F.col("_touched") | F.col("_grouped")).select(*current.columns)
    return Work(_resolved(attempt, facts), old, mart.key)


def sql_reads(mart: Mart) -> tuple[str, ...]:
    """Return the tables and marts that the SELECT names: all reads but those that are only looked up."""
    looked_up = {lookup.dimension for lookup in mart.dimensions}
    return tuple(name for name in mart.reads if name not in looked_up or re.search(rf"\b{name}\b", mart.sql or ""))


def _must_be_whole(attempt: Attempt) -> bool:
    """Tell whether groups cannot bound the change: another source changed, or groups do not tell."""
    mart = attempt.run.mart
    if attempt.whole:
        return True
    if any(attempt.is_changed(name) for name in sql_reads(mart) if name != mart.source):
        return True
    looked_up = [(lookup.dimension, tuple(lookup.on.values())) for lookup in mart.dimensions]
    if any(attempt.is_changed(name) and attempt.changed(name, keys) is None for name, keys in looked_up):
        return True
    if not attempt.is_changed(mart.source):
        return False
    return not _has_groups(attempt) or attempt.changed(mart.source, mart.incremental_by) is None


def _has_groups(attempt: Attempt) -> bool:
    """Tell whether a change of the driving source names every group that it touches, before and after.

    A change log's row tells a key's group after the change only, unless the key contains the group.
    """
    mart, tables = attempt.run.mart, attempt.run.plan.tables
    if not mart.incremental_by:
        return False
    table = tables.get(mart.source)
    return table is None or table.load == "append" or set(mart.incremental_by) <= set(table.key)


def _selected(attempt: Attempt, groups: DataFrame | None) -> DataFrame:
    """Run the SELECT; the driving source is restricted to `groups` (None: whole)."""
    mart = attempt.run.mart
    for name in sql_reads(mart):
        rows = attempt.rows(name)
        (semi(rows, groups) if name == mart.source else rows).createOrReplaceTempView(name)
    return select(attempt.run.lake.spark, mart)


def _resolved(attempt: Attempt, facts: DataFrame) -> DataFrame:
    """Add the surrogate key of every dimension."""
    plan = attempt.run.plan
    for lookup in attempt.run.mart.dimensions:
        dimension = plan.marts[lookup.dimension]
        keys = log_schema(plan.tables[dimension.source])
        facts = resolve(facts, attempt.rows(dimension.name), lookup, dimension, keys)
    return facts


def _touched(attempt: Attempt, current: DataFrame, groups: DataFrame | None) -> DataFrame:
    """Add `_grouped` (in a group that is recomputed) and `_touched` (a dimension has changed at its key)."""
    mart = attempt.run.mart
    marked = current.withColumn("_grouped", F.lit(False))
    if groups is not None:
        marked = flag(current, groups, mart.incremental_by, "_grouped")
    touched = F.lit(False)
    for number, lookup in enumerate(mart.dimensions):
        keys = None
        if attempt.is_changed(lookup.dimension):
            keys = attempt.changed(lookup.dimension, tuple(lookup.on.values()))
        if keys is not None:
            marked = flag(marked, keys, tuple(lookup.on), f"_touched_{number}")
            touched = touched | F.col(f"_touched_{number}")
    return marked.withColumn("_touched", touched)


def _with_rivals(marked: DataFrame, selected: DataFrame, key: Sequence[str]) -> DataFrame:
    """Let `_touched` tell of rows of other groups with the key of a selected one, too: a key twice is refused."""
    found = flag(marked, selected.select(*key).distinct(), key, "_rival")
    return found.withColumn("_touched", F.col("_touched") | F.col("_rival"))


def _own_columns(mart: Mart, current: DataFrame) -> list[str]:
    surrogates = {key_column(lookup) for lookup in mart.dimensions}
    return [name for name in current.columns if name not in surrogates]
