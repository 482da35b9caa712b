"""Every mistake of a table contract that the schema cannot see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from contracts.check_rules import check_checks
from contracts.column_rules import check_condition, check_value, column_types, known
from contracts.documents import Document, Mistake
from contracts.format_rules import check_source
from contracts.model import Column, Table
from contracts.paths import is_kept
from contracts.patterns import check_date_format, check_from_key, check_partitions
from contracts.presets import DEBEZIUM, check_preset
from contracts.types import ALLOWED, NUMBERS, SparkType, TypeMistakeError, parse_type
from contracts.wording import one_of, shown

CRAWLED_FORMATS = ("csv", "json", "jsonl", "parquet")
# Words that one kind of load alone has a use for, and why.
_ONLY_FOR = {
    "delete_when": (("changes",), "upsert and append never delete, and a snapshot deletes by absence"),
    "truncate_when": (("changes",), "other files hold no operations"),
    "updates": (("upsert", "changes"), "other files hold whole rows"),
    "on_missing": (("snapshot",), "other files do not say what is absent"),
    "on_duplicate_key": (("snapshot",), "elsewhere a key may come often"),
    "on_overwrite": (("append",), "elsewhere every version counts"),
}


def check_table(document: Document, table: Table) -> Iterator[Mistake]:
    """Yield the mistakes of one table contract."""
    types = column_types(table)
    yield from _check_columns(document, table, types)
    yield from _check_load(document, table, types)
    yield from _check_effective_at(document, table, types)
    yield from check_preset(document, table)
    yield from _check_parts(document, table)
    yield from _check_partial(document, table)
    yield from _check_extra_columns(document, table)
    yield from _check_sql(document, table, types)
    yield from _check_crawled(document, table)
    yield from check_partitions(document, table.partition_by, types)
    yield from check_source(document, table, types)


def _check_columns(document: Document, table: Table, types: dict[str, SparkType | None]) -> Iterator[Mistake]:
    seen: set[str] = set()
    for index, column in enumerate(table.columns):
        place = ("schema", "columns", index)
        if column.name.lower() in seen:
            yield document.mistake(f"{column.name} is declared twice", *place, "name")
        seen.add(column.name.lower())
        yield from _check_kept(document, column.sources, *place, "expr" if column.expr else "from")
        kind = types[column.name]
        if kind is None:
            yield _no_type(document, column.type, *place, "type")
        if column.format and column.expr:
            yield document.mistake("does not go with expr: write to_date or to_timestamp there", *place, "format")
        elif column.format and kind is not None:
            yield from check_date_format(document, column.format, kind, *place, "format")
    yield from _check_kept(document, table.unstored, "schema", "unstored")


def _check_kept(document: Document, names: Iterable[str], *path: str | int) -> Iterator[Mistake]:
    for name in names:
        if is_kept(name):
            message = f"{name} is a name that jobs keep for themselves: the file must call it otherwise"
            yield document.mistake(message, *path)


def _no_type(document: Document, text: str, *path: str | int) -> Mistake:
    try:
        parse_type(text)
    except TypeMistakeError as error:
        reason = str(error)
        named = reason if text in reason else f"{text!r}: {reason}"
        cut_off = text.count("(") > text.count(")") or text.count("<") > text.count(">")
        hint = "; inside {…} YAML ends a value at a comma: put the type in quotes" if cut_off else ""
        return document.mistake(f"{named}{hint}; allowed: {ALLOWED}", *path)
    raise AssertionError(text)


def _check_load(document: Document, table: Table, types: dict[str, SparkType | None]) -> Iterator[Mistake]:
    if table.load != "append" and not table.key:
        yield document.mistake(f"lacks key: load {table.load} tells rows apart by their key")
    if table.load == "changes" and not table.delete_when:
        yield document.mistake("lacks delete_when: load changes must say which rows delete, such as op = 'D'")
    for word, (loads, reason) in _ONLY_FOR.items():
        if word in document.data and table.load not in loads:
            yield document.mistake(f"is for load {' and '.join(loads)} only: {reason}", word)
    if table.limits.max_deleted is not None and table.load in ("upsert", "append"):
        yield document.mistake(f"load {table.load} never deletes", "limits", "max_deleted")
    for word in ("key", "tie_break"):
        names = getattr(table, word)
        yield from known(document, names, names if table.crawled else table.column_names, word)
        for index, name in enumerate(names):
            kind = types.get(name)
            if kind is not None and kind.has_map:
                yield document.mistake(f"{name} is {kind}, and maps cannot be compared", word, index)


def _check_effective_at(document: Document, table: Table, types: dict[str, SparkType | None]) -> Iterator[Mistake]:
    said = document.data.get("effective_at", {"event_time": True})
    ways = ("column", "from_key", "event_time")
    if len([way for way in ways if way in said]) != 1:
        yield document.mistake(f"must hold exactly one of {', '.join(ways)}", "effective_at")
    if "unmatched" in said and "from_key" not in said:
        yield document.mistake(
            "goes with from_key: what becomes of a key that does not match", "effective_at", "unmatched"
        )
    column, place = table.effective_at.column, ("effective_at", "column")
    if table.effective_at.from_key is not None:
        yield from check_from_key(document, table.effective_at.from_key)
    if column is None or table.crawled:
        return
    if column not in types:
        yield document.mistake(f"no such column: {one_of(column, types)}", *place)
        return
    kind = types[column]
    if kind is None:
        return
    if kind.name not in (*NUMBERS, "date", "timestamp"):
        yield document.mistake(f"{column} is {kind}; allowed: timestamp, date or a number", *place)
    elif kind.name in NUMBERS and table.load == "snapshot" and table.on_missing == "close":
        yield document.mistake(
            f"{column} is a number: a snapshot's file time cannot date a deletion among numbers; use "
            "on_missing: keep, or a date or timestamp column",
            *place,
        )


def _check_partial(document: Document, table: Table) -> Iterator[Mistake]:
    """Partial updates are read where a record or its file tells which columns it holds; any but the key may lack."""
    if table.updates != "partial":
        if "absent_value" in table.source.options:
            yield document.mistake("goes with updates: partial", "source", "options", "absent_value")
        return
    if table.source.format == "fixed_width":
        message = "partial is not for fixed_width, whose lines hold every column"
        yield document.mistake(message, "updates")
    needed = {*table.key, *table.sequence_columns}
    for index, column in enumerate(table.columns):
        if column.required and column.name not in needed:
            message = f"{column.name} cannot be required: a partial record may lack it"
            yield document.mistake(message, "schema", "columns", index, "required")
    for index, check in enumerate(table.checks):
        if check.kind == "not_null" and not {*check.columns} <= needed:
            message = "a partial record may lack these columns: check the mart instead"
            yield document.mistake(message, "checks", index, "not_null")


def _check_extra_columns(document: Document, table: Table) -> Iterator[Mistake]:
    if table.extra_columns != "add":
        return
    headless = table.source.format == "csv" and table.source.options.get("header") is False
    if headless or table.source.format == "fixed_width" or table.source.preset == DEBEZIUM:
        form = "csv without a header" if headless else "fixed_width"
        what = f"{form}, whose lines tell no names" if table.source.preset != DEBEZIUM else "preset debezium"
        yield document.mistake(f"add is not for {what}; allowed: fail, ignore", "schema", "extra_columns")


def _check_crawled(document: Document, table: Table) -> Iterator[Mistake]:
    """A crawler knows the formats that name their columns, and neither a database's tables nor partial records."""
    if not table.crawled:
        return
    if table.source.extract:
        yield document.mistake("crawler is for files: a database tells its columns itself, so declare them", "schema")
    elif table.source.format not in CRAWLED_FORMATS:
        formats = ", ".join(CRAWLED_FORMATS)
        message = f"crawler is for {formats}, not for {table.source.format}: declare the columns"
        yield document.mistake(message, "schema")
    elif table.source.options.get("header") is False:
        yield document.mistake("crawler needs files that name their columns: declare them", "schema")
    for word in ("delimiter", "quote"):
        mark = table.source.options.get(word, ",")
        if len(mark) != 1:
            message = f"a Glue crawler takes one character, not {shown(mark)}: declare the columns"
            yield document.mistake(message, "source", "options", word)
    row_path = table.source.options.get("row_path", "")
    if any(mark in row_path for mark in "'\\"):  # a JSONPath of Glue knows ['name'] and no way to write these in it
        message = f"a Glue crawler takes no ' and no \\ in names, as in {row_path}: declare the columns"
        yield document.mistake(message, "source", "options", "row_path")
    for word in ("updates", "partition_by"):
        if word in document.data:
            yield document.mistake("does not go with schema: crawler: declare the columns", word)


def _check_parts(document: Document, table: Table) -> Iterator[Mistake]:
    parts, place = table.source.parts, ("source", "parts")
    if parts is None:
        return
    if table.load != "snapshot":
        yield document.mistake("is for load snapshot only: other files need not be whole", *place)
    if table.effective_at.from_key is None:
        yield document.mistake("needs effective_at: {from_key: …}: the time that the objects share", *place)
    for word, pattern in (("marker", parts.marker), ("count", parts.count)):
        if pattern is None:
            continue
        try:
            groups = re.compile(pattern).groupindex
        except re.error as error:
            yield document.mistake(f"is no regular expression: {error}", *place, word)
            continue
        if word == "count" and "parts" not in groups:
            yield document.mistake("names no group parts, such as -of-(?P<parts>\\d+)", *place, word)


def _check_sql(document: Document, table: Table, types: dict[str, SparkType | None]) -> Iterator[Mistake]:
    text = None if table.source.format == "parquet" else SparkType("string")
    read = None if table.crawled else dict.fromkeys(readable(table), text)
    for index, column in enumerate(table.columns):
        if column.expr:
            columns = dict.fromkeys(readable(table, column), text)
            place = ("schema", "columns", index, "expr")
            yield from check_value(document, column.expr, columns, types[column.name], *place)
    for word in ("delete_when", "truncate_when"):
        if word in document.data:
            yield from check_condition(document, document.data[word], read, word)
    yield from check_checks(document, table)


def readable(table: Table, column: Column | None = None) -> tuple[str, ...]:
    """Return the columns of the file that SQL may read: those that columns take, and those that are not stored.

    The `expr` of a column without `from` may read one of its own name, too.
    """
    taken = [each.source or each.name for each in table.columns if each.source or not each.expr]
    own = [column.name] if column and not column.source else []
    return tuple(dict.fromkeys([*taken, *table.unstored, *own]))
