"""How each column of a database is read so that no value is lost: what is selected, and as which Spark type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.model import Table
from spark_jobs.layers.extraction.database import SourceColumn
from spark_jobs.layers.extraction.dialects import Dialect
from spark_jobs.layers.extraction.failures import SourceRefusedError

# By the codes of java.sql.Types; beyond 99 and below -99 they are Oracle's and SQL Server's own.
DECIMALS = (2, 3)
DATE, TIME, TIMESTAMP = 91, 92, 93
ZONED = (2014, -101, -102, -155)
_INTEGERS = {
    -6: ("smallint", "smallint"),
    5: ("smallint", "int"),
    4: ("int", "bigint"),
    -5: ("bigint", "decimal(20,0)"),
}
INTEGERS = tuple(_INTEGERS)
TEXTS = (1, 12, -15, -9)
_LONG_TEXTS = (-1, -16, 2005, 2011, 2009, -8, 70)
_OTHERS = {
    6: "double",
    7: "float",
    8: "double",
    100: "float",
    101: "double",
    -7: "boolean",
    16: "boolean",
    TIME: "string",  # a time of day, which Spark has no type for
    **dict.fromkeys((-2, -3, -4, 2004), "binary"),
    **dict.fromkeys((*TEXTS, *_LONG_TEXTS), "string"),
}
_WORDED = ("money", "bit", "varbit")  # PostgreSQL's, which its driver calls double and boolean
_MAX_DIGITS = 38
_FLOATING = -127


@dataclass(frozen=True)
class Reading:
    """How one column is read: `sql` selects it ('' as it is), `spark` is its type in Spark's words.

    `zoned` columns are selected as UTC without a zone and become instants in Spark.
    """

    name: str
    spark: str
    sql: str = ""
    zoned: bool = False


def chosen(table: Table, relation: str, columns: Sequence[SourceColumn]) -> list[SourceColumn]:
    """Return the columns that are read: all, or under `extra_columns: ignore` those that the contract reads.

    SourceRefusedError names the columns that break `missing_columns` and `extra_columns`, or have one name.
    """
    wanted = {name.lower(): name for name in table.source_names}
    found = {column.name.lower() for column in columns}
    missing = [name for lower, name in wanted.items() if lower not in found]
    if missing and table.missing_columns == "fail":
        names = ", ".join(column.name for column in columns)
        raise SourceRefusedError(
            f"{table.name}: {relation} has no column {', '.join(missing)} (it has {names}); correct `from`, or "
            "allow it with missing_columns: null"
        )
    extra = [column.name for column in columns if column.name.lower() not in wanted]
    if extra and table.extra_columns == "fail":
        raise SourceRefusedError(
            f"{table.name}: {relation} has column {', '.join(extra)}, which the contract does not declare; declare it, "
            "or leave it out with extra_columns: ignore"
        )
    read = [c for c in columns if table.extra_columns != "ignore" or c.name.lower() in wanted]
    alike = Counter(column.name.lower() for column in read)
    if twice := [column.name for column in read if alike[column.name.lower()] > 1]:
        raise SourceRefusedError(
            f"{table.name}: {relation} has columns {', '.join(twice)}, whose names differ by case alone or not at all; "
            "give each a name of its own in source.query"
        )
    return read


def find(table: Table, relation: str, columns: Sequence[SourceColumn], name: str, word: str) -> SourceColumn:
    """Return the column that a word of the contract names, without regard to case."""
    for column in columns:
        if column.name.lower() == name.lower():
            return column
    names = ", ".join(column.name for column in columns)
    raise SourceRefusedError(f"{table.name}: {relation} has no column {name} ({word}); it has {names}")


def readings(table: Table, columns: Sequence[SourceColumn], dialect: Dialect, quote: Any) -> list[Reading]:
    """Return how the columns are read; SourceRefusedError names one that cannot be."""
    types = _declared_types(table)
    return [_reading(table, c, types.get(c.name.lower(), ""), dialect, quote(c.name)) for c in columns]


def _declared_types(table: Table) -> Mapping[str, str]:
    """Return the declared type of each source column that goes into one column as it is."""
    return {column.source_name.lower(): column.type for column in table.columns if not column.expr}


def is_zoned(column: SourceColumn) -> bool:
    return column.code in ZONED or column.kind.lower() == "timestamptz"


def _reading(table: Table, column: SourceColumn, declared: str, dialect: Dialect, quoted: str) -> Reading:
    code, name = column.code, column.name
    in_text = dialect.in_text.format(column=quoted)
    finite = dialect.finite.format(column=quoted, kind=column.kind, name=name.replace("'", "''"))
    if is_zoned(column):
        if declared == "string" and dialect.zoned_text:
            return Reading(name, "string", dialect.zoned_text.format(column=quoted))
        return Reading(name, "timestamp_ntz", dialect.at_utc.format(column=finite or quoted), zoned=True)
    if code == TIMESTAMP:
        return Reading(name, "string") if declared == "string" else Reading(name, "timestamp_ntz", finite)
    if code == DATE:
        return Reading(name, "date", finite)
    if code in DECIMALS:
        return _decimal(table, column, in_text)
    if column.kind.lower() in _WORDED and column.precision > 1 and in_text:
        return Reading(name, "string", in_text)
    if code in _INTEGERS:
        return Reading(name, _INTEGERS[code][0 if column.signed else 1])
    if code in _OTHERS:
        return Reading(name, _OTHERS[code])
    return _as_text(table, column, in_text)


def _decimal(table: Table, column: SourceColumn, in_text: str) -> Reading:
    """Read a number exactly: as the decimal that it is, or as text where no decimal of Spark holds its values.

    Oracle calls NUMBER precision 0 or scale -127, PostgreSQL calls numeric precision 0.
    """
    digits, scale = column.precision, column.scale
    if not is_plain_number(column):
        return _as_text(table, column, in_text)
    if column.kind.upper() == "DECFLOAT" or digits == 0 or scale == _FLOATING or digits > _MAX_DIGITS:
        return Reading(column.name, "string")
    return Reading(column.name, f"decimal({digits},{scale})")


def is_plain_number(column: SourceColumn) -> bool:
    """Tell whether Spark's reader can name the type: no negative scale, and none beyond the digits."""
    return column.scale == _FLOATING or 0 <= column.scale <= max(column.precision, 0)


def _as_text(table: Table, column: SourceColumn, in_text: str) -> Reading:
    if not in_text:
        raise SourceRefusedError(
            f"{table.name}: column {column.name} is {column.kind}, which cannot be read as it is: cast it in "
            "source.query"
        )
    return Reading(column.name, "string", in_text)
