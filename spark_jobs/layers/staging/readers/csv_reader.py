"""Read claimed CSV files by RFC 4180: every declared source column as text, nothing dropped.

A record is a line, or where the scan found that records span lines, several (`spanning`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.staging.checks import because
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers.csv_fields import Fields
from spark_jobs.layers.staging.readers.dialect import Dialect, dialect_of
from spark_jobs.layers.staging.readers.lines import LINE, TEXT, invalid_text, lines, without_return
from spark_jobs.layers.staging.readers.scan import HEAD_BYTES
from spark_jobs.layers.staging.readers.seam import (
    BROKEN,
    FILE,
    FINGERPRINT,
    IS_RESERVED,
    LANDING,
    NO_TEXT,
    RAW,
    RECORD,
    RESERVED,
    ROW_NUMBER,
    check_columns,
    null_words,
    option,
    refuse,
    with_fingerprint,
)
from spark_jobs.layers.staging.readers.spanning import OPEN, joined_lines

_MISQUOTED = "has text behind a closing quote, or a quote that is not closed"
_NEVER_CLOSED = "opens a quote that is never closed, or ends in an escape"


@dataclass(frozen=True)
class Header:
    """The columns of a file, and how many of its lines they and the blank lines before them take."""

    columns: tuple[str, ...]
    lines: int


@dataclass(frozen=True)
class Shape:
    """What claims must have in common to be read as one."""

    header: Header
    line_end: str
    spans: bool


def check(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> Iterator[ContractViolationError]:
    """Yield the errors of files whose header does not fit the contract."""
    for claim in claims:
        try:
            header_of(spark, table, claim)
        except ContractViolationError as error:
            yield error


def read(spark: SparkSession, table: Table, claims: Sequence[Claim], only: DataFrame | None = None) -> list[DataFrame]:
    """Return the records of all claims, or of `only` these fingerprints.

    `_row_number` counts the lines below the header, blank ones included.
    """
    alike: dict[Shape, list[Claim]] = {}
    for claim in claims:
        header = header_of(spark, table, claim)
        if header is not None:
            alike.setdefault(Shape(header, claim.content.line_end, claim.content.spans), []).append(claim)
    return [_read_alike(spark, table, shape, some, only) for shape, some in alike.items()]


def names(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> list[str]:
    """Return the columns of all headers."""
    return [name for claim in claims if (header := header_of(spark, table, claim)) for name in header.columns]


def header_of(spark: SparkSession, table: Table, claim: Claim) -> Header | None:
    """Return the header of a file, None when it is empty; ContractViolationError when it breaks the contract."""
    head = claim.content.head
    text = head.lstrip("\r\n")
    if not text:
        return None
    has_header = option(table, "header", True)
    try:
        names, behind = dialect_of(table.source.options).fields(text)
    except ValueError as error:
        if has_header:
            raise refuse(table, claim, f"its header has {error}") from error
        names, behind = [], ""
    is_cut_off = not behind and claim.content.size > HEAD_BYTES
    if not has_header:
        counts = is_cut_off and table.source.optional
        return Header(table.columns_of_file(_width(spark, table, claim) if counts else len(names)), 0)
    if is_cut_off:
        raise refuse(table, claim, f"its header is longer than {HEAD_BYTES} bytes")
    header = Header(tuple(name.strip() for name in names), _count(head.removesuffix(behind), claim.content.line_end))
    check_columns(table, claim, header.columns)
    return header


def _width(spark: SparkSession, table: Table, claim: Claim) -> int:
    """Return how many fields a file's first record has, where the head does not hold it to its end."""
    dialect, line_end = dialect_of(table.source.options), claim.content.line_end
    records = _records(spark, dialect, Shape(Header((), 0), line_end, claim.content.spans), [claim])
    fields = Fields(dialect, 1, line_end, ())
    first: int = fields.divided(records).select(F.min_by(fields.count, LINE)).collect()[0][0]
    return first


def _count(text: str, line_end: str) -> int:
    """Return how many lines a header takes, the last of which may lack its end."""
    return text.count(line_end) or 1


def _read_alike(
    spark: SparkSession, table: Table, shape: Shape, claims: Sequence[Claim], only: DataFrame | None
) -> DataFrame:
    dialect = dialect_of(table.source.options)
    columns, below = shape.header.columns, shape.header.lines
    rows = _records(spark, dialect, shape, claims)
    rows = with_fingerprint(rows, table, TEXT, only, columns, shape.line_end)
    fields = Fields(dialect, len(columns), shape.line_end, null_words(table, escaped=True))
    places = {name.lower(): place for place, name in reversed(list(enumerate(columns)))}
    return fields.divided(rows).select(
        *(fields.value(places.get(name.lower())).alias(name) for name in table.source_names),
        _broken(fields, len(columns), invalid_text(F.col(TEXT), claims)).alias(BROKEN),
        F.col(TEXT).alias(RAW),
        *FINGERPRINT,
        LANDING,
        (F.col(LINE) - below).alias(ROW_NUMBER),
    )


def _records(spark: SparkSession, dialect: Dialect, shape: Shape, claims: Sequence[Claim]) -> DataFrame:
    """Return the texts of the records below the header, blank ones left out."""
    rows = lines(spark, claims).filter(F.col(LINE) > shape.header.lines)
    rows = joined_lines(rows, dialect, shape.line_end) if shape.spans else rows.withColumn(OPEN, F.lit(False))
    return rows.withColumn(TEXT, _without_return(dialect, shape.line_end)).filter(F.col(TEXT) != "")


def _without_return(dialect: Dialect, line_end: str) -> Column:
    bare = without_return(F.col(TEXT), line_end)
    if not dialect.escape or line_end != "\n":
        return bare
    return F.when(F.col(TEXT).rlike(dialect.escapes_the_return), F.concat(bare, F.lit("\r"))).otherwise(bare)


def _broken(fields: Fields, width: int, invalid: Column | None) -> Column:
    several = F.concat(F.lit("has "), fields.count, F.lit(" fields"))
    said = F.when(fields.count == 1, F.lit("has 1 field")).otherwise(several)
    broken = F.when(F.col(OPEN), because("", FILE, _NEVER_CLOSED))
    if invalid is not None:
        broken = broken.when(invalid, because("", RECORD, NO_TEXT))
    broken = broken.when(F.col(TEXT).contains(RESERVED), because("", RECORD, IS_RESERVED))
    broken = broken.when(fields.is_misquoted, because("", RECORD, _MISQUOTED))
    return broken.when(fields.is_ragged, because("", RECORD, F.concat(said, F.lit(f", the header has {width}"))))
