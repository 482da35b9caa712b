"""What SQL in contracts reads and returns, by parsing it in Spark's dialect."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.tokenizer_core import Token, TokenType

from contracts.types import Columns, SparkType, TypeMistakeError, parse_type

DIALECT = "spark"
ROW, FICKLE, OUTSIDE = "row", "fickle", "outside"
ODD_CALLS = (AttributeError, LookupError, ValueError)  # what sqlglot fails with where a call lacks arguments
DEEPEST = 30  # brackets inside each other: the parser calls itself some twenty times for each
_OPENS = (TokenType.L_PAREN, TokenType.L_BRACKET)
_CLOSES = (TokenType.R_PAREN, TokenType.R_BRACKET)
_FUNCTIONS = Path(__file__).parent / "functions.txt"
_NO_ARGUMENTS = [TokenType.L_PAREN, TokenType.R_PAREN]
_NAMES = (TokenType.VAR, TokenType.IDENTIFIER, TokenType.WINDOW)  # what stands before the brackets of a call
_NOT_OF_ONE_ROW = (
    exp.AggFunc,
    exp.Window,
    exp.Subquery,
    exp.Select,
    exp.Exists,
    exp.Star,
    exp.Explode,
    exp.QueryTransform,
)


class SqlMistakeError(ValueError):
    """SQL that cannot be parsed or is not of the form that is wanted."""


@dataclass(frozen=True)
class Query:
    """A SELECT: the names it reads, the outermost and first of them, and its output columns (None: not known)."""

    reads: tuple[str, ...]
    driver: str
    columns: tuple[str, ...] | None


def columns_of(expression: str) -> tuple[str, ...]:
    """Return the columns that a SQL expression over one row reads, as it writes them.

    SqlMistakeError when it does not parse, is no single expression, or needs more than its row.
    """
    tree = _expression(expression)
    for node in tree.walk():
        if (isinstance(node, _NOT_OF_ONE_ROW) and not _is_exists_of_array(node)) or _is_any_of_rows(node):
            raise SqlMistakeError(f"{node.sql(DIALECT)} needs more than one row: write an expression over one row")
    for name in _called(expression):
        if name in functions()[FICKLE]:
            raise SqlMistakeError(f"{name} gives another value each time: a rerun would change the table")
        if name not in functions()[ROW]:
            close = difflib.get_close_matches(name, functions()[ROW], n=1)
            raise SqlMistakeError(f"no such function: {name}{f' (did you mean {close[0]}?)' if close else ''}")
    return tuple(dict.fromkeys(column.parts[0].name for column in tree.find_all(exp.Column)))


def type_of(expression: str, types: Columns) -> SparkType | None:
    """Return the type that a SQL expression over one row gives, None where only Spark can tell, or for a NULL.

    `types` are those of the columns, by their names in small letters.
    """

    def typed(node: exp.Expr) -> exp.Expr:
        kind = types.get(node.name.lower()) if isinstance(node, exp.Column) and len(node.parts) == 1 else None
        return exp.cast(exp.null(), str(kind), dialect=DIALECT) if kind else node

    try:
        tree = annotate_types(_expression(expression).transform(typed), dialect=DIALECT)
    except ODD_CALLS:
        return None
    is_told = all(annotated_type(node) for node in tree.find_all(exp.Column, exp.Func, exp.Bracket, exp.Dot))
    return annotated_type(tree) if is_told else None


def annotated_type(node: exp.Expr) -> SparkType | None:
    """Return the type that was found for a node, None where none was, or for a NULL."""
    if node.type is None or node.type.this in (exp.DType.UNKNOWN, exp.DType.NULL):
        return None
    try:
        return parse_type(node.type.sql(DIALECT))
    except TypeMistakeError:
        return None


def query_of(text: str) -> Query:
    """Return what a SELECT reads and returns; SqlMistakeError when it is no single SELECT, or runs what is no SQL."""
    tree, *others = _parsed(text) or [None]
    if any(others) or not isinstance(tree, exp.Query):
        raise SqlMistakeError("must be one SELECT")
    if tree.find(exp.QueryTransform):
        raise SqlMistakeError("TRANSFORM … USING runs a program on the job's machines: write it in SQL")
    for name in _called(text):
        if name in functions()[OUTSIDE]:
            raise SqlMistakeError(f"{name} calls Java on the job's machines: write it in SQL")
    tables = [table.name for table in tree.find_all(exp.Table) if not _is_named_by_with(table)]
    if not tables:
        raise SqlMistakeError("reads no table")
    for table in tree.find_all(exp.Table):
        if not table.name:
            raise SqlMistakeError(f"{table.sql(DIALECT)} is no table: tables and marts go by their names")
        if table.db:
            raise SqlMistakeError(f"{table.db}.{table.name}: tables and marts go by their names alone: {table.name}")
    try:
        names = tuple(tree.named_selects)
    except ODD_CALLS as error:
        raise SqlMistakeError("must be one SELECT: a side of its UNION is none") from error
    for place, name in enumerate(names):
        if name != "*" and name.lower() in map(str.lower, names[:place]):
            raise SqlMistakeError(f"returns two columns called {name}: name them apart")
    return Query(tuple(dict.fromkeys(tables)), tables[0], None if "*" in names else names)


def _is_named_by_with(table: exp.Table) -> bool:
    """Tell whether a name is that of a WITH around it; such a name is known to what follows it, not in its own SQL."""
    inner: exp.Expr = table
    while outer := inner.parent:
        known: list[exp.CTE] = []
        if isinstance(outer, exp.With):
            known = outer.expressions[: inner.index]
        elif isinstance(outer, exp.Query) and not isinstance(inner, exp.With):
            known = outer.ctes
        if any(cte.alias.lower() == table.name.lower() for cte in known):
            return True
        inner = outer
    return False


@cache
def functions() -> dict[str, frozenset[str]]:
    """Return the names of Spark's functions by the heading they stand under."""
    found: dict[str, frozenset[str]] = {}
    for line in _FUNCTIONS.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            heading = line.strip("[]")
        elif not line.startswith("#"):
            found[heading] = found.get(heading, frozenset()) | frozenset(line.split())
    return found


def is_fickle(text: str) -> bool:
    """Tell whether SQL asks for the time, for chance or for the run: it gives other rows another time."""
    return not functions()[FICKLE].isdisjoint(_called(text))


def _parsed(text: str, offset: int = 0) -> list[exp.Expr | None]:
    """Return the statements of a text, in which `offset` characters stand before what a contract says."""
    try:
        if _depth(text) > DEEPEST:
            raise RecursionError
        return sqlglot.parse(text, dialect=DIALECT)
    except SqlglotError as error:
        raise SqlMistakeError(_where(error, offset)) from error
    except ODD_CALLS as error:
        raise SqlMistakeError("does not parse: a function lacks arguments") from error
    except RecursionError as error:
        raise SqlMistakeError(f"is nested too deeply: {DEEPEST} brackets inside each other are read") from error


def _depth(text: str) -> int:
    """Return how many brackets stand inside each other."""
    steps = ((token.token_type in _OPENS) - (token.token_type in _CLOSES) for token in _tokens(text))
    return max(accumulate(steps), default=0)


def _expression(text: str) -> exp.Expr:
    statements = _parsed(f"SELECT {text}", len("SELECT "))
    select = statements[0]
    if len(statements) != 1 or not isinstance(select, exp.Select) or len(select.expressions) != 1:
        raise SqlMistakeError("must be one expression")
    if any(value for name, value in select.args.items() if name not in ("kind", "expressions")):
        raise SqlMistakeError("must be one expression, not a SELECT")
    found: exp.Expr = select.expressions[0]
    if isinstance(found, exp.Alias):
        raise SqlMistakeError("must be one expression, without a name of its own")
    if any(node.comments for node in select.walk()):
        raise SqlMistakeError("must hold no comment")
    return found


def _is_exists_of_array(node: exp.Expr) -> bool:
    return isinstance(node, exp.Exists) and node.find(exp.Lambda) is not None


def _is_any_of_rows(node: exp.Expr) -> bool:
    """Tell whether a node is the aggregate `any` or `some`, and not that of `LIKE ANY ('a%', 'b%')`."""
    is_some = isinstance(node, exp.Anonymous) and node.name.lower() == "some"
    return is_some or (isinstance(node, exp.Any) and not isinstance(node.parent, exp.Like | exp.ILike))


def _tokens(text: str) -> list[Token]:
    return sqlglot.tokenize(text, dialect=DIALECT)


def _called(text: str) -> Iterator[str]:
    """Yield the names of the functions that a text calls, in small letters."""
    found = _tokens(text)
    for place, token in enumerate(found):
        word = token.text.lower()
        opens = found[place + 1].token_type == TokenType.L_PAREN if place + 1 < len(found) else False
        if word == "unix_timestamp" and [t.token_type for t in found[place + 1 : place + 3]] == _NO_ARGUMENTS:
            yield "current_timestamp"
        elif (token.token_type in _NAMES and opens) or (
            word in functions()[FICKLE] and _is_call(token.token_type, opens)
        ):
            yield word


def _is_call(kind: TokenType, opens: bool) -> bool:
    """Tell calls from columns of the same name: `current_date` needs no brackets, `version` does."""
    return opens or kind not in (TokenType.VAR, TokenType.IDENTIFIER, TokenType.STRING)


def _where(error: SqlglotError, offset: int = 0) -> str:
    """Say where a text stops being SQL; `offset` is what stands before it on its first line."""
    found = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
    line, column, word = found.get("line"), found.get("col"), found.get("highlight")
    if line is None or column is None:
        return "does not parse: a quote is not closed" if isinstance(error, TokenError) else "does not parse"
    column -= offset if line == 1 else 0
    return f"does not parse: line {line}, character {column}, near {word!r}"
