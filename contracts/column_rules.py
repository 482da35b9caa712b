"""What names of columns in contracts must be, wherever they stand: in lists, in SQL, with a type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from contracts.documents import Document, Mistake
from contracts.model import Table
from contracts.sql import SqlMistakeError, columns_of
from contracts.types import SparkType, TypeMistakeError, parse_type
from contracts.wording import one_of


def column_types(table: Table) -> dict[str, SparkType | None]:
    """Return the type of each column, None for text that names no type."""
    types: dict[str, SparkType | None] = {}
    for column in table.columns:
        try:
            types[column.name] = parse_type(column.type)
        except TypeMistakeError:
            types[column.name] = None
    return types


def known(document: Document, names: Iterable[str], columns: Iterable[str], *path: str | int) -> Iterator[Mistake]:
    """Yield a mistake for each of `names` that is no column."""
    columns = tuple(columns)
    for index, name in enumerate(names):
        if name not in columns:
            yield document.mistake(f"no such column: {one_of(name, columns)}", *path, index)


def check_expression(
    document: Document, text: str, columns: Iterable[str] | None, *path: str | int
) -> Iterator[Mistake]:
    """Yield the mistakes of SQL over one row that may read `columns`, whatever their case; None: nobody knows them."""
    allowed = {name.lower(): name for name in columns or ()}
    try:
        used = columns_of(text)
    except SqlMistakeError as error:
        yield document.mistake(str(error), *path)
        return
    for name in used if columns is not None else ():
        if name.lower() not in allowed:
            yield document.mistake(f"no such column: {one_of(name, allowed.values())}", *path)
