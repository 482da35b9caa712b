"""Read claimed files of fixed width: each line is a record, each column has its place in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.staging.checks import because
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers.lines import LINE, TEXT, invalid_text, lines, without_return
from spark_jobs.layers.staging.readers.seam import (
    BROKEN,
    FINGERPRINT,
    LANDING,
    NO_TEXT,
    RAW,
    RECORD,
    ROW_NUMBER,
    option,
    with_fingerprint,
)


def check(_spark: SparkSession, _table: Table, _claims: Sequence[Claim]) -> Iterator[ContractViolationError]:
    """Yield nothing: each line is measured by itself."""
    yield from ()


def names(_: SparkSession, table: Table, _claims: Sequence[Claim]) -> list[str]:
    """Return the declared columns: a line tells no names."""
    return list(table.source_names)


def read(spark: SparkSession, table: Table, claims: Sequence[Claim], only: DataFrame | None = None) -> list[DataFrame]:
    """Return the records of all claims, or of `only` these fingerprints.

    `_row_number` counts the lines (below the header, if there is one).
    """
    alike: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.content.size:
            alike.setdefault(claim.content.line_end, []).append(claim)
    return [_read_alike(spark, table, some, only) for some in alike.values()]


def _read_alike(spark: SparkSession, table: Table, claims: Sequence[Claim], only: DataFrame | None) -> DataFrame:
    header = 1 if option(table, "header", False) else 0
    text = without_return(F.col(TEXT), claims[0].content.line_end)
    rows = lines(spark, claims).filter(F.col(LINE) > header).withColumn(TEXT, text).filter(F.col(TEXT) != "")
    rows = with_fingerprint(rows, table, TEXT, only)
    places = _places(table)
    trim = option(table, "trim", "both")
    return rows.select(
        *(_value(*places[name.lower()], trim).alias(name) for name in table.source_names),
        _broken(table, places, invalid_text(F.col(TEXT), claims)).alias(BROKEN),
        F.col(TEXT).alias(RAW),
        *FINGERPRINT,
        LANDING,
        (F.col(LINE) - header).alias(ROW_NUMBER),
    )


def _places(table: Table) -> Mapping[str, tuple[int, int]]:
    """Return start and width of each source column."""
    return {c.source_name.lower(): (c.start, c.width) for c in table.columns if c.start and c.width}


def _value(start: int, width: int, trim: str) -> Column:
    """Return a column's text without its padding; NULL when there is nothing else."""
    value = F.col(TEXT).substr(start, width)
    trimmed = {"both": F.trim, "left": F.ltrim, "right": F.rtrim}.get(trim, lambda text: text)(value)
    return F.when(F.trim(value) == "", None).otherwise(trimmed)


def _broken(table: Table, places: Mapping[str, tuple[int, int]], invalid: Column | None) -> Column:
    width = max(start + width - 1 for start, width in places.values())
    length = F.length(TEXT)
    broken = F.when(F.lit(False), because("", RECORD, ""))
    if invalid is not None:
        broken = broken.when(invalid, because("", RECORD, NO_TEXT))
    if table.missing_columns == "fail":
        said = F.concat(F.lit("has "), length, F.lit(f" characters, the columns take {width}"))
        broken = broken.when(length < width, because("", RECORD, said))
    if table.extra_columns == "fail":
        said = F.lit(f"goes on behind character {width}, where the last column ends")
        broken = broken.when(F.trim(F.col(TEXT).substr(F.lit(width + 1), length)) != "", because("", RECORD, said))
    return broken
