"""Divide the text of CSV records into fields, inside Spark's generated code.

Spark's own parser does it wherever it is known to obey RFC 4180 to the letter: it takes what follows a closing quote
for a part of the field, so that records with quotes are looked over first, and it gives up on more fields than it was
told to expect. Any other dialect is taken apart by the dialect's own expressions.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_jobs.layers.staging.readers.dialect import Dialect
from spark_jobs.layers.staging.readers.lines import TEXT
from spark_jobs.layers.staging.readers.seam import RESERVED

_FIELDS, _IS_MARKED = "_fields", "_is_marked"
_MAX_COLUMNS = 100_000
_NO_NULL = "\x00landfall-null\x00"


class Fields:
    """The fields of records of one dialect and width, whose lines end alike."""

    def __init__(self, dialect: Dialect, width: int, line_end: str, null_words: Sequence[str]) -> None:
        self._dialect, self._width = dialect, width
        self._null_words = list(null_words)  # words that an escape begins
        marks = dialect.delimiter + dialect.quote
        is_plain = bool(dialect.quote) and not dialect.escape and len(marks) == 2 and marks.isascii()
        self._has_parser = is_plain and line_end == "\n" and width < _MAX_COLUMNS

    def divided(self, rows: DataFrame) -> DataFrame:
        """Add what the other properties read."""
        marked = F.lit(False)
        for mark in (self._dialect.quote, self._dialect.escape):
            marked = marked | F.col(TEXT).contains(mark) if mark else marked
        flagged = rows.withColumn(_IS_MARKED, marked)
        if not self._has_parser:
            return flagged.withColumn(_FIELDS, self._taken_apart())
        can_be_counted = (F.octet_length(TEXT) < _MAX_COLUMNS) | (self.count < _MAX_COLUMNS)
        return flagged.withColumn(_FIELDS, F.when(can_be_counted, self._parsed()))

    @property
    def is_misquoted(self) -> Column:
        """Tell whether a record has text behind a closing quote, or a quote that is open at its end."""
        return F.col(_IS_MARKED) & ~F.col(TEXT).rlike(self._dialect.record)

    @property
    def is_ragged(self) -> Column:
        """Tell whether a record has another number of fields than its width."""
        if not self._has_parser:
            return F.size(_FIELDS) != self._width
        return F.col(_FIELDS).isNull() | F.col(_FIELDS)["broken"].isNotNull()

    @property
    def count(self) -> Column:
        """Return how many fields a record has; for the few that are ragged."""
        return F.size(self._taken_apart())

    def value(self, place: int | None) -> Column:
        """Return the text of one field: NULL when it is empty and unquoted, or not there."""
        if place is None:
            return F.lit(None).cast("string")
        return F.expr(f"{_FIELDS}.c{place}") if self._has_parser else self._by_hand(F.get(_FIELDS, F.lit(place)))

    def _parsed(self) -> Column:
        names = ", ".join(f"c{place} string" for place in range(self._width))
        options = {
            "sep": self._dialect.delimiter.replace("\\", "\\\\"),  # Spark takes one for the beginning of an escape
            "quote": self._dialect.quote,
            "escape": self._dialect.quote,
            "charToEscapeQuoteEscaping": RESERVED,  # its default is NUL, which texts hold
            "lineSep": "\n",
            "nullValue": _NO_NULL,
            "emptyValue": "",
            "maxColumns": str(_MAX_COLUMNS),
            "maxCharsPerColumn": "-1",
            "columnNameOfCorruptRecord": "broken",
        }
        return F.from_csv(F.col(TEXT), f"{names}, broken string", options)

    def _taken_apart(self) -> Column:
        """Return the fields as they are written."""
        plain = F.split(F.col(TEXT), self._dialect.split, -1)
        if not self._dialect.quote and not self._dialect.escape:
            return plain
        begun = F.concat(F.lit(self._dialect.delimiter), F.col(TEXT))
        marked = F.regexp_extract_all(begun, F.lit(self._dialect.token), 1)
        return F.when(F.col(_IS_MARKED), marked).otherwise(plain)

    def _by_hand(self, field: Column) -> Column:
        value = F.when(field == "", None)
        if self._dialect.quote:
            inner = field.substr(F.lit(2), F.length(field) - 2)
            value = value.when(
                F.col(_IS_MARKED) & field.startswith(self._dialect.quote), self._meant(inner, quoted=True)
            )
        if self._dialect.escape:
            value = value.when(field.isin(self._null_words), None) if self._null_words else value
            value = value.when(F.col(_IS_MARKED), self._meant(field, quoted=False))
        return value.otherwise(field)

    def _meant(self, field: Column, quoted: bool) -> Column:
        """Return what a field with escapes, or a quoted one, means."""
        if self._dialect.escape:
            return F.regexp_replace(field, self._dialect.escaped(quoted), "$1$2")
        return F.replace(field, F.lit(self._dialect.quote * 2), F.lit(self._dialect.quote))
