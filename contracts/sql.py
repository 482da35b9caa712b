"""What SQL in contracts reads and returns, by parsing it in Spark's dialect."""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

DIALECT = "spark"


class SqlMistakeError(ValueError):
    """SQL that cannot be parsed or is not of the form that is wanted."""


@dataclass(frozen=True)
class Query:
    """A SELECT: the names it reads, the first of its FROM, and its output columns (None: not known)."""

    reads: tuple[str, ...]
    driver: str
    columns: tuple[str, ...] | None


def columns_of(expression: str) -> tuple[str, ...]:
    """Return the columns that a SQL expression reads; SqlMistakeError when it does not parse."""
    try:
        tree = sqlglot.parse_one(f"SELECT {expression}", dialect=DIALECT)
    except SqlglotError as error:
        raise SqlMistakeError(_first_line(error)) from error
    bound = {name for function in tree.find_all(exp.Lambda) for name in (e.name for e in function.expressions)}
    names = (column.name for column in tree.find_all(exp.Column))
    return tuple(dict.fromkeys(name for name in names if name not in bound))


def query_of(text: str) -> Query:
    """Return what a SELECT reads and returns; SqlMistakeError when it is no single SELECT."""
    try:
        statements = [s for s in sqlglot.parse(text, dialect=DIALECT) if s is not None]
    except SqlglotError as error:
        raise SqlMistakeError(_first_line(error)) from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise SqlMistakeError("must be one SELECT")
    tree = statements[0]
    inner = {cte.alias for cte in tree.find_all(exp.CTE)}
    tables = [table.name for table in tree.find_all(exp.Table) if table.name not in inner]
    if not tables:
        raise SqlMistakeError("reads no table")
    source = tree.find(exp.From)
    first = source.this.name if source is not None else ""
    names = tuple(tree.named_selects)
    return Query(tuple(dict.fromkeys(tables)), first if first in tables else tables[0], None if "*" in names else names)


def _first_line(error: Exception) -> str:
    return f"does not parse: {str(error).splitlines()[0]}"
