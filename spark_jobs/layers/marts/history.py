"""`history`: one row per instant at which a key's row changed (SEMANTICS 20), as long as `keep_for` says."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from contracts.model import Mart, Table
from spark_jobs.layers.errors import DataError
from spark_jobs.layers.marts.events import AT, DELETED, events, living, same

_DURATION = re.compile(r"(\d+)\s*(h|d|w|mo|y)")


def rows(log: DataFrame, _mart: Mart, table: Table) -> DataFrame:
    """Return business columns, `_op` (I new or again, U, D) and `_effective_from`.

    Events that only confirm a row are left out; D carries the row as last confirmed. Without a key every row
    is an I.
    """
    found = events(log, table)
    if not table.key:
        return found
    by_key = Window.partitionBy(*table.key).orderBy(AT)
    row = F.struct(*table.column_names)
    compared = _content(table)
    was_alive = living(F.lag("_op").over(by_key))
    changed = ~same(compared, F.lag(compared).over(by_key))
    kind = (
        F.when(~living(F.col("_op")), F.when(was_alive, F.lit(DELETED)))
        .when(~was_alive, F.lit("I"))
        .when(changed, F.lit("U"))
    )
    content = F.when(living(F.col("_op")), row).otherwise(F.lag(row).over(by_key))
    return (
        found.select(content.alias("_content"), kind.alias("_op"), AT)
        .where(F.col("_op").isNotNull())
        .select(*[F.col(f"_content.{name}").alias(name) for name in table.column_names], "_op", AT)
    )


def _content(table: Table) -> Column:
    """Return the struct of the columns whose change counts: all but those that order and date changes."""
    columns = [name for name in table.column_names if name not in table.sequence_columns]
    return F.struct(*columns) if columns else F.lit(True)


def kept(mart: Mart, table: Table, now: datetime) -> Column | None:
    """Return the condition on `_effective_from` that a kept row meets, or None when all are kept.

    The cutoff is the start of the UTC day of `now` less `keep_for`. DataError where `_effective_from` is a
    number.
    """
    if mart.keep_for is None:
        return None
    if table.effective_type not in ("date", "timestamp"):
        raise DataError(f"{mart.name}: keep_for needs a date or timestamp, not {table.effective_type}")
    return F.col(AT) >= F.lit(cutoff(mart.keep_for, now)).cast(table.effective_type)


def cutoff(keep_for: str, now: datetime) -> datetime:
    """Return the start of the UTC day of `now` less a duration such as 36h, 30d, 8w, 18mo, 7y."""
    match = _DURATION.fullmatch(keep_for.strip())
    if match is None:
        raise DataError(f"keep_for: {keep_for!r} is not a number with h, d, w, mo or y")
    count, unit = int(match[1]), match[2]
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if unit in ("h", "d", "w"):
        return day - count * {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[unit]
    months = day.year * 12 + day.month - 1 - count * (12 if unit == "y" else 1)
    year, month = divmod(months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return day.replace(year=year, month=month + 1, day=min(day.day, last))
