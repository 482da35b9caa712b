"""Read claimed CSV files by RFC 4180: every declared source column as text, nothing dropped.

A record is a line, or where the scan found that records span lines, several (`spanning`). A record without quotes is
split at its delimiters, any other is taken apart by the dialect's token; both run inside Spark's generated code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.staging.checks import because
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers.dialect import Dialect, dialect_of
from spark_jobs.layers.staging.readers.lines import LINE, TEXT, invalid_text, lines, without_return
from spark_jobs.layers.staging.readers.scan import HEAD_BYTES
from spark_jobs.layers.staging.readers.seam import (
    BROKEN,
    FILE,
    LANDING,
    RAW,
    RECORD,
    ROW_NUMBER,
    check_columns,
    no_records,
    option,
    refuse,
    united,
)
from spark_jobs.layers.staging.readers.spanning import OPEN, joined_lines

_FIELDS, _IS_MARKED = "_fields", "_is_marked"
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


def check(_: SparkSession, table: Table, claim: Claim) -> None:
    """Refuse a file whose header does not fit the contract."""
    header_of(table, claim)


def read(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> DataFrame:
    """Return the records of all claims; `_row_number` counts the lines below the header, blank ones included."""
    alike: dict[Shape, list[Claim]] = {}
    for claim in claims:
        header = header_of(table, claim)
        if header is not None:
            alike.setdefault(Shape(header, claim.content.line_end, claim.content.spans), []).append(claim)
    frames = [_read_alike(spark, table, shape, some) for shape, some in alike.items()]
    return united(frames) if frames else no_records(spark, table.source_names)


def header_of(table: Table, claim: Claim) -> Header | None:
    """Return the header of a file, None when it is empty; ContractViolationError when it breaks the contract."""
    head = claim.content.head
    text = head.lstrip("\r\n")
    if not text:
        return None
    if not option(table, "header", True):
        return Header(table.source_names, 0)
    try:
        names, behind = dialect_of(table.source.options).fields(text)
    except ValueError as error:
        raise refuse(table, claim, f"its header has {error}") from error
    if not behind and claim.content.size > HEAD_BYTES:
        raise refuse(table, claim, f"its header is longer than {HEAD_BYTES} bytes")
    header = Header(tuple(name.strip() for name in names), _count(head.removesuffix(behind), claim.content.line_end))
    check_columns(table, claim, header.columns)
    return header


def _count(text: str, line_end: str) -> int:
    """Return how many lines a header takes, the last of which may lack its end."""
    return text.count(line_end) or 1


def _read_alike(spark: SparkSession, table: Table, shape: Shape, claims: Sequence[Claim]) -> DataFrame:
    dialect = dialect_of(table.source.options)
    below = lines(spark, claims).filter(F.col(LINE) > shape.header.lines)
    below = joined_lines(below, dialect, shape.line_end) if shape.spans else below.withColumn(OPEN, F.lit(False))
    below = below.withColumn(TEXT, _without_return(dialect, shape.line_end))
    fields = below.filter(F.col(TEXT) != "").select(
        LANDING,
        (F.col(LINE) - shape.header.lines).alias(ROW_NUMBER),
        TEXT,
        OPEN,
        _is_marked(dialect).alias(_IS_MARKED),
        _fields(dialect).alias(_FIELDS),
    )
    places = {column.lower(): place for place, column in reversed(list(enumerate(shape.header.columns)))}
    words = _null_words(table, dialect)
    return fields.select(
        *(_value(places.get(name.lower()), dialect, words).alias(name) for name in table.source_names),
        _broken(dialect, len(shape.header.columns), invalid_text(F.col(TEXT), claims)).alias(BROKEN),
        F.col(TEXT).alias(RAW),
        LANDING,
        ROW_NUMBER,
    )


def _without_return(dialect: Dialect, line_end: str) -> Column:
    text = F.col(TEXT)
    bare = without_return(text, line_end)
    return F.when(text.rlike(dialect.escapes_the_return), text).otherwise(bare) if dialect.escape else bare


def _is_marked(dialect: Dialect) -> Column:
    """Tell whether a record holds a quote or an escape, so that its delimiters alone do not divide it."""
    text = F.col(TEXT)
    marks = [text.contains(mark) for mark in (dialect.quote, dialect.escape) if mark]
    marked = F.lit(False)
    for mark in marks:
        marked = marked | mark
    return marked


def _fields(dialect: Dialect) -> Column:
    plain = F.split(F.col(TEXT), dialect.split, -1)
    if not dialect.quote and not dialect.escape:
        return plain
    tokens = F.regexp_extract_all(F.concat(F.lit(dialect.delimiter), F.col(TEXT)), F.lit(dialect.token), 1)
    return F.when(_is_marked(dialect), tokens).otherwise(plain)


def _value(place: int | None, dialect: Dialect, null_words: Sequence[str]) -> Column:
    """Return the text of one field: NULL when it is empty and unquoted."""
    if place is None:
        return F.lit(None).cast("string")
    field = F.get(_FIELDS, F.lit(place))
    value = F.when(field == "", None)
    if dialect.quote:
        inner = field.substr(F.lit(2), F.length(field) - 2)
        quoted = F.col(_IS_MARKED) & field.startswith(dialect.quote)
        value = value.when(quoted, _meant(inner, dialect))
    if dialect.escape:
        if null_words:
            value = value.when(field.isin(list(null_words)), None)
        value = value.when(F.col(_IS_MARKED), _meant(field, dialect))
    return value.otherwise(field)


def _meant(field: Column, dialect: Dialect) -> Column:
    """Return what a field with escapes, or a quoted one, means."""
    if dialect.escape:
        return F.regexp_replace(field, dialect.escaped, "$1$2")
    return F.replace(field, F.lit(dialect.quote * 2), F.lit(dialect.quote))


def _null_words(table: Table, dialect: Dialect) -> list[str]:
    """Return the words that mean NULL as they are written, such as \\N: with an escape, before it is resolved."""
    words = option(table, "null_value", ())
    return [
        word for word in ([words] if isinstance(words, str) else words) if dialect.escape and dialect.escape in word
    ]


def _broken(dialect: Dialect, width: int, invalid: Column | None) -> Column:
    count = F.size(_FIELDS)
    whole = F.octet_length(F.array_join(_FIELDS, dialect.delimiter)) == F.octet_length(TEXT)
    misquoted = F.col(_IS_MARKED) & ~whole
    ragged = F.concat(F.lit("has "), count, F.lit(" fields, the header has "), F.lit(width))
    broken = F.when(F.col(OPEN), because("", FILE, _NEVER_CLOSED))
    if invalid is not None:
        broken = broken.when(invalid, because("", RECORD, "holds bytes that are no text in the declared encoding"))
    return broken.when(misquoted, because("", RECORD, _MISQUOTED)).when(count != width, because("", RECORD, ragged))
