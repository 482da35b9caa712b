"""What names of columns in contracts must be, wherever they stand: in lists, in SQL, with a type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from contracts.documents import Document, Mistake
from contracts.model import Table
from contracts.sql import SqlMistakeError, columns_of, type_of
from contracts.types import Columns, SparkType, TypeMistakeError, may_become, parse_type
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


def check_condition(document: Document, text: str, columns: Columns | None, *path: str | int) -> Iterator[Mistake]:
    """Yield the mistakes of SQL that is true or false of a row, which may read `columns`, whatever their case.

    None: nobody knows them.
    """
    kind, mistakes = _type_and_mistakes(document, text, columns, *path)
    yield from mistakes
    if kind and kind.name != "boolean":
        yield document.mistake(f"is {kind}, and must be true or false: write a comparison", *path)


def check_value(
    document: Document, text: str, columns: Columns, want: SparkType | None, *path: str | int
) -> Iterator[Mistake]:
    """Yield the mistakes of SQL that gives a row's value of a type; `columns` as above."""
    kind, mistakes = _type_and_mistakes(document, text, columns, *path)
    yield from mistakes
    if kind and want and not may_become(kind, want):
        yield document.mistake(f"is {kind}, but the column {want}: declare that type, or convert it", *path)


def _type_and_mistakes(
    document: Document, text: str, columns: Columns | None, *path: str | int
) -> tuple[SparkType | None, list[Mistake]]:
    """Return the type of SQL over one row, as far as it can be told, or what is wrong with it."""
    allowed = {name.lower(): name for name in columns or ()}
    try:
        used = columns_of(text)
    except SqlMistakeError as error:
        return None, [document.mistake(str(error), *path)]
    unknown = [name for name in used if columns is not None and name.lower() not in allowed]
    if unknown:
        words = allowed.values()
        return None, [document.mistake(f"no such column: {one_of(name, words)}", *path) for name in unknown]
    return type_of(text, {name.lower(): kind for name, kind in (columns or {}).items()}), []
