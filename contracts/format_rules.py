"""What a contract may say about the format of its files, and of where columns stand in them."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from contracts.documents import Document, Mistake
from contracts.model import Column, Table
from contracts.paths import BY_PATH, PathMistakeError, split_path
from contracts.types import SparkType
from contracts.wording import nearest, one_of

_TEXT = ("encoding", "null_value")
_PARTIAL = ("absent_value",)
OPTIONS = {
    "csv": ("delimiter", "quote", "escape", "header", "multiline", *_TEXT, *_PARTIAL),
    "fixed_width": ("header", "trim", *_TEXT),
    "json": ("row_path", *_TEXT, *_PARTIAL),
    "jsonl": (*_TEXT, *_PARTIAL),
    "parquet": _PARTIAL,
    "xml": ("row_tag", "namespaces", *_TEXT, *_PARTIAL),
}
_BREAKS = ("\n", "\r")
_PLACE = ("source", "options")


def check_source(document: Document, table: Table, types: dict[str, SparkType | None]) -> Iterator[Mistake]:
    """Yield the mistakes of `source.options` and of the columns' places in the file."""
    form, options = table.source.format, table.source.options
    allowed = OPTIONS[form]
    for name in options:
        if name not in allowed:
            yield document.mistake(f"is no option of {form}; allowed: {', '.join(allowed)}", *_PLACE, name)
    if form == "parquet" and table.source.compression not in ("auto", "none"):
        yield document.mistake("parquet files say themselves how they are packed", "source", "compression")
    if form == "xml" and "row_tag" not in options:
        yield document.mistake("format xml needs row_tag: the element that is a row", *_PLACE)
    if form == "fixed_width" and table.unstored:
        yield document.mistake("fixed_width knows no column without start and width", "schema", "unstored")
    yield from _check_encoding(document, table)
    if form == "csv":
        yield from _check_dialect(document, table)
    if form in BY_PATH:
        yield from _check_paths(document, table)
    for index, column in enumerate(table.columns):
        yield from _check_column(document, table, column, types[column.name], index)


def _check_encoding(document: Document, table: Table) -> Iterator[Mistake]:
    encoding = table.source.options.get("encoding")
    if encoding is None:
        return
    try:
        is_text = getattr(codecs.lookup(encoding), "_is_text_encoding", True)
    except (LookupError, ValueError):
        is_text = False
    if not is_text:
        message = f"{encoding!r} is no encoding that is known; common: utf-8, utf-16, iso-8859-1, windows-1252"
        yield document.mistake(message, *_PLACE, "encoding")


def _check_dialect(document: Document, table: Table) -> Iterator[Mistake]:
    """Yield the mistakes of characters that mean two things."""
    options = table.source.options
    delimiter, quote = options.get("delimiter", ","), options.get("quote", '"')
    escape = options.get("escape", quote)
    for name in ("delimiter", "quote", "escape"):
        if any(mark in options.get(name, "") for mark in _BREAKS):
            yield document.mistake("must not be a line break", *_PLACE, name)
    if quote != "none" and len(quote) != 1:
        yield document.mistake(f"{quote!r} must be one character, or none", *_PLACE, "quote")
    elif quote != "none" and quote in delimiter:
        yield document.mistake(f"{quote} is the delimiter too", *_PLACE, "quote" if "quote" in options else "delimiter")
    if "escape" in options and escape in delimiter:
        yield document.mistake(f"{escape} is the delimiter too", *_PLACE, "escape")


def _check_paths(document: Document, table: Table) -> Iterator[Mistake]:
    """Yield the mistakes of paths; JSON and XML tell names apart by their case, SQL does not."""
    named: list[tuple[str, tuple[str | int, ...]]]
    named = [(column.source, ("schema", "columns", index, "from")) for index, column in enumerate(table.columns)]
    named += [(name, ("schema", "unstored", index)) for index, name in enumerate(table.unstored)]
    row_path = table.source.options.get("row_path")
    seen: dict[str, str] = {}
    for text, place in [*named, *([(row_path, (*_PLACE, "row_path"))] if row_path else [])]:
        if not text:
            continue
        try:
            steps = split_path(text)
        except PathMistakeError as error:
            yield document.mistake(str(error), *place)
            continue
        for step in steps:
            yield from _check_prefix(document, table, step, place)
        other = seen.setdefault(text.lower(), text)
        if other != text:
            yield document.mistake(f"{text} and {other} differ by case alone, which SQL cannot tell apart", *place)
    if table.source.format == "xml" and isinstance(table.source.options.get("row_tag"), str):
        yield from _check_prefix(document, table, table.source.options["row_tag"], (*_PLACE, "row_tag"))


def _check_prefix(document: Document, table: Table, step: str, place: tuple[str | int, ...]) -> Iterator[Mistake]:
    if table.source.format != "xml" or ":" not in step:
        return
    prefix = step.removeprefix("@").partition(":")[0]
    known = table.source.options.get("namespaces", {})
    if prefix not in known:
        yield document.mistake(f"prefix {one_of(prefix, known)}: declare it in source.options.namespaces", *place)


def _check_column(
    document: Document, table: Table, column: Column, kind: SparkType | None, index: int
) -> Iterator[Mistake]:
    place = ("schema", "columns", index)
    is_fixed = table.source.format == "fixed_width"
    for word in ("start", "width"):
        has_it = getattr(column, word) is not None
        if has_it and not is_fixed:
            yield document.mistake("is for format fixed_width only", *place, word)
        elif is_fixed and not has_it and column.source_name in column.sources:
            yield document.mistake(f"lacks {word}: where it stands in a line", *place)
    if column.time_zone is None:
        return
    if kind is not None and kind.name != "timestamp":
        yield document.mistake(f"is for timestamp columns only, this one is {kind}", *place, "time_zone")
    if column.time_zone not in _time_zones():
        near = nearest(column.time_zone, _time_zones()) or " such as Europe/Berlin"
        yield document.mistake(f"{column.time_zone!r} is no time zone{near}", *place, "time_zone")


@cache
def _time_zones() -> frozenset[str]:
    """Return the names of time zones; a machine may have none of its own, or other ones."""
    names = files("tzdata").joinpath("zones").read_text(encoding="ascii").split()
    return frozenset(names) - {"Factory", "ROC"}  # Java knows neither
