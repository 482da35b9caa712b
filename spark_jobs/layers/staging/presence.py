"""`updates: partial`: which columns a record holds, as what it lacks keeps its value and is not NULL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from contracts.model import Table
from contracts.paths import BY_PATH
from spark_jobs.layers.shaping import quoted
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.extras import found_columns
from spark_jobs.layers.staging.readers.seam import HELD, LANDING, option
from spark_jobs.layers.staging.records import PRESENT

ABSENT_VALUE = "absent_value"
_HAS = "_has"


def with_presence(records: DataFrame, table: Table, claims: Sequence[Claim]) -> DataFrame:
    """Add `_present`, the names of the columns that a record holds; a word that means absence becomes NULL.

    A constant is held by all.
    """
    if table.updates != "partial":
        return records
    known = records.withColumn(_HAS, _held(records, table, claims))
    word = option(table, ABSENT_VALUE, None)
    texts = {f.name for f in records.schema.fields if isinstance(f.dataType, StringType)}
    names = []
    for column in table.columns:
        sources = [_spelled(table, source) for source in column.sources]
        is_held = reduce(or_, [_is_held(table, source) for source in sources], F.lit(not sources))
        is_absent = _is_one_of([source for source in sources if source in texts], word)
        names.append(F.when(is_held & ~is_absent, F.lit(column.name)))
    marked = known.withColumn(PRESENT, F.array_compact(F.array(*names))).drop(_HAS)
    if word is None:
        return marked
    return marked.withColumns(
        {name: F.when(F.col(quoted(name)) != word, F.col(quoted(name))) for name in texts & {*table.source_names}}
    )


def _held(records: DataFrame, table: Table, claims: Sequence[Claim]) -> Column:
    """Return the source columns that a record holds; without paths those of its file, in small letters."""
    if table.source.format in BY_PATH:
        return F.col(HELD) if HELD in records.columns else F.array().cast("array<string>")
    alike: dict[tuple[str, ...], list[int]] = {}
    for claim in claims:
        names = tuple(name.lower() for name in found_columns(records.sparkSession, table, [claim]))
        alike.setdefault(names, []).append(claim.number)
    held = F.array().cast("array<string>")
    for names, numbers in alike.items():
        held = F.when(F.col(LANDING).isin(numbers), F.array(*map(F.lit, names))).otherwise(held)
    return held


def _is_held(table: Table, source: str) -> Column:
    """Tell whether a record holds a source column; the rows of Debezium's envelopes hold all."""
    if table.source.preset == "debezium":
        return F.lit(True)
    return F.array_contains(_HAS, source if table.source.format in BY_PATH else source.lower())


def _is_one_of(sources: Sequence[str], word: str | None) -> Column:
    """Tell whether one of the sources holds the word that means absence."""
    if word is None:
        return F.lit(False)
    return F.coalesce(reduce(or_, [F.col(quoted(source)) == word for source in sources], F.lit(False)), F.lit(False))


def _spelled(table: Table, source: str) -> str:
    return next(name for name in table.source_names if name.lower() == source.lower())
