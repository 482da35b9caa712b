"""Read claimed CSV files by RFC 4180: every declared source column as text, nothing dropped.

A record is a line, or where the scan found that records span lines, several (`spanning`). A record without quotes is
split at its delimiters, any other is taken apart by the dialect's token; both run inside Spark's generated code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.staging.checks import because
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers.dialect import Dialect, dialect_of
from spark_jobs.layers.staging.readers.lines import LINE, TEXT, invalid_text, lines, without_return
from spark_jobs.layers.staging.readers.scan import HEAD_BYTES
from spark_jobs.layers.staging.readers.seam import (
    BROKEN,
    FILE,
    LANDING,
    NO_TEXT,
    RAW,
    RECORD,
    ROW_NUMBER,
    check_columns,
    option,
    refuse,
)
from spark_jobs.layers.staging.readers.spanning import OPEN, joined_lines

_FIELDS, _IS_MARKED = "_fields", "_is_marked"
_HEADER_LINES, _WIDTH, _PLACES = "_header_lines", "_width", "_places"
_MISQUOTED = "has text behind a closing quote, or a quote that is not closed"
_NEVER_CLOSED = "opens a quote that is never closed, or ends in an escape"


@dataclass(frozen=True)
class Header:
    """The columns of a file, and how many of its lines they and the blank lines before them take."""

    columns: tuple[str, ...]
    lines: int


def check(_: SparkSession, table: Table, claims: Sequence[Claim]) -> Iterator[ContractViolationError]:
    """Yield the errors of files whose header does not fit the contract."""
    for claim in claims:
        try:
            header_of(table, claim)
        except ContractViolationError as error:
            yield error


def read(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> list[DataFrame]:
    """Return the records of all claims; `_row_number` counts the lines below the header, blank ones included."""
    alike: dict[tuple[str, bool], dict[Claim, Header]] = {}
    for claim in claims:
        header = header_of(table, claim)
        if header is not None:
            alike.setdefault((claim.content.line_end, claim.content.spans), {})[claim] = header
    return [_read_alike(spark, table, headers) for headers in alike.values()]


def header_of(table: Table, claim: Claim) -> Header | None:
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
    if not has_header:
        return Header(table.columns_of_file(len(names)), 0)
    if not behind and claim.content.size > HEAD_BYTES:
        raise refuse(table, claim, f"its header is longer than {HEAD_BYTES} bytes")
    header = Header(tuple(name.strip() for name in names), _count(head.removesuffix(behind), claim.content.line_end))
    check_columns(table, claim, header.columns)
    return header


def _count(text: str, line_end: str) -> int:
    """Return how many lines a header takes, the last of which may lack its end."""
    return text.count(line_end) or 1


def _read_alike(spark: SparkSession, table: Table, headers: Mapping[Claim, Header]) -> DataFrame:
    claims = list(headers)
    content = claims[0].content
    dialect = dialect_of(table.source.options)
    rows = _with_headers(lines(spark, claims), table, headers).filter(F.col(LINE) > F.col(_HEADER_LINES))
    rows = joined_lines(rows, dialect, content.line_end) if content.spans else rows.withColumn(OPEN, F.lit(False))
    rows = rows.withColumn(TEXT, _without_return(dialect, content.line_end)).filter(F.col(TEXT) != "")
    if content.spans:
        rows = _with_headers(rows, table, headers)
    fields = rows.select("*", _is_marked(dialect).alias(_IS_MARKED), _fields(dialect).alias(_FIELDS))
    words = _null_words(table, dialect)
    return fields.select(
        *(_value(F.get(_PLACES, F.lit(i)), dialect, words).alias(name) for i, name in enumerate(table.source_names)),
        _broken(dialect, F.col(_WIDTH), invalid_text(F.col(TEXT), claims)).alias(BROKEN),
        F.col(TEXT).alias(RAW),
        LANDING,
        (F.col(LINE) - F.col(_HEADER_LINES)).alias(ROW_NUMBER),
    )


def _with_headers(rows: DataFrame, table: Table, headers: Mapping[Claim, Header]) -> DataFrame:
    """Add how many lines the header takes, its width, and the place of each source column (NULL: it has none)."""
    shapes = {claim.number: _shape(table, header) for claim, header in headers.items()}
    if len(set(shapes.values())) == 1:
        lines_taken, width, places = next(iter(shapes.values()))
        literals = F.array(*(F.lit(place).cast("int") for place in places))
        return rows.withColumns({_HEADER_LINES: F.lit(lines_taken), _WIDTH: F.lit(width), _PLACES: literals})
    values = [(number, lines_taken, width, list(places)) for number, (lines_taken, width, places) in shapes.items()]
    schema = f"{LANDING} int, {_HEADER_LINES} int, {_WIDTH} int, {_PLACES} array<int>"
    return rows.join(F.broadcast(rows.sparkSession.createDataFrame(values, schema)), on=LANDING, how="inner")


def _shape(table: Table, header: Header) -> tuple[int, int, tuple[int | None, ...]]:
    first = {name.lower(): place for place, name in reversed(list(enumerate(header.columns)))}
    return header.lines, len(header.columns), tuple(first.get(name.lower()) for name in table.source_names)


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


def _value(place: Column, dialect: Dialect, null_words: Sequence[str]) -> Column:
    """Return the text of one field: NULL when it is empty and unquoted, or not there."""
    field = F.get(_FIELDS, place)
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


def _broken(dialect: Dialect, width: Column, invalid: Column | None) -> Column:
    count = F.size(_FIELDS)
    whole = F.octet_length(F.array_join(_FIELDS, dialect.delimiter)) == F.octet_length(TEXT)
    misquoted = F.col(_IS_MARKED) & ~whole
    ragged = F.concat(
        F.lit("has "), count, F.when(count == 1, " field").otherwise(" fields"), F.lit(", the header has ")
    )
    broken = F.when(F.col(OPEN), because("", FILE, _NEVER_CLOSED))
    if invalid is not None:
        broken = broken.when(invalid, because("", RECORD, NO_TEXT))
    broken = broken.when(misquoted, because("", RECORD, _MISQUOTED))
    return broken.when(count != width, because("", RECORD, F.concat(ragged, width)))
