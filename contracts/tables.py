"""Table contracts: from a document to the model, and every mistake that the schema cannot see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from contracts.documents import Document, Mistake, one_of
from contracts.model import (
    READABLE_FORMATS,
    Capacity,
    Check,
    Column,
    EffectiveAt,
    Limits,
    Source,
    Table,
)
from contracts.sql import DIALECT, SqlMistakeError, columns_of

_DATE_GROUPS = ({"date"}, {"year", "month", "day"}, {"year", "month"}, {"year"})
_GROUPS = {"date", "time", "year", "month", "day", "hour", "minute", "second"}
_TRANSFORM = re.compile(
    r"(?:(?P<name>year|month|day|hour)\((?P<column>\w+)\)|(?P<plain>\w+)|"
    r"(?P<sized>bucket|truncate)\(\s*\d+\s*,\s*(?P<of>\w+)\s*\))"
)
_NUMBERS = ("TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL")
_SPARK_TYPES = (
    "boolean, tinyint, smallint, int, bigint, float, double, decimal(p,s), string, binary, date, timestamp, "
    "timestamp_ntz, array<…>, map<…,…>, struct<…>"
)


def build_table(document: Document) -> Table:
    """Return the model of a document that its schema accepts."""
    data, source, schema = document.data, dict(document.data.get("source", {})), document.data["schema"]
    effective = data.get("effective_at", {"event_time": True})
    keep = ("load", "delete_when", "on_missing", "on_overwrite", "on_bad_key", "on_duplicate_key", "on_failed_file",
            "freshness", "description")  # fmt: skip
    return Table(
        name=data["table"],
        source=Source(
            prefix=source.get("prefix", f"{data['table']}/"),
            format=source.get("format", "csv"),
            compression=source.get("compression", "auto"),
            options=dict(source.get("options", {})),
        ),
        columns=tuple(_column(raw) for raw in schema["columns"]),
        key=tuple(data.get("key", ())),
        effective_at=EffectiveAt(**effective),
        tie_break=tuple(data.get("tie_break", ())),
        extra_columns=schema.get("extra_columns", "fail"),
        missing_columns=schema.get("missing_columns", "fail") or "null",
        checks=tuple(Check(**raw) for raw in data.get("checks", ())),
        limits=_limits(data.get("limits", {})),
        partition_by=tuple(data.get("partition_by", ())),
        capacity=Capacity(**data.get("capacity", {})),
        **{name: data[name] for name in keep if name in data},
    )


def _column(raw: dict[str, Any]) -> Column:
    return Column(
        name=raw["name"],
        type=raw["type"],
        source=raw.get("from", ""),
        expr=raw.get("expr"),
        format=raw.get("format"),
        required=raw.get("required", False),
    )


def _limits(raw: dict[str, Any]) -> Limits:
    shares = {name: _share(raw[name]) for name in ("max_rejected", "max_deleted") if name in raw}
    return Limits(min_rows=raw.get("min_rows"), **shares)


def _share(value: str | int) -> float | int:
    return round(float(value.rstrip("%")) / 100, 10) if isinstance(value, str) else value


def check_table(document: Document, table: Table) -> Iterator[Mistake]:
    """Yield the mistakes of one table contract."""
    yield from _check_names(document, table)
    yield from _check_types(document, table)
    yield from _check_load(document, table)
    yield from _check_effective_at(document, table)
    yield from _check_sql(document, table)
    yield from check_partitions(document, table.partition_by, table.column_names)
    if table.source.format not in READABLE_FORMATS:
        words = ", ".join(READABLE_FORMATS)
        yield document.mistake(f"{table.source.format} cannot be staged yet; readable: {words}", "source", "format")


def _check_names(document: Document, table: Table) -> Iterator[Mistake]:
    seen: set[str] = set()
    for index, column in enumerate(table.columns):
        if column.name.lower() in seen:
            yield document.mistake(f"{column.name} is declared twice", "schema", "columns", index, "name")
        seen.add(column.name.lower())
    for name in ("key", "tie_break"):
        yield from known(document, getattr(table, name), table.column_names, name)


def known(document: Document, names: Iterable[str], columns: Iterable[str], *path: str | int) -> Iterator[Mistake]:
    """Yield a mistake for each of `names` that is no column."""
    columns = tuple(columns)
    for index, name in enumerate(names):
        if name not in columns:
            yield document.mistake(f"no such column: {one_of(name, columns)}", *path, index)


def _check_types(document: Document, table: Table) -> Iterator[Mistake]:
    for index, column in enumerate(table.columns):
        if _parsed_type(column.type) is None:
            yield document.mistake(
                f"{column.type!r} is no Spark type; allowed: {_SPARK_TYPES}", "schema", "columns", index, "type"
            )


def _parsed_type(text: str) -> exp.DataType | None:
    try:
        kind = sqlglot.parse_one(text, dialect=DIALECT, into=exp.DataType)
    except SqlglotError:
        return None
    if not isinstance(kind, exp.DataType) or kind.this in (exp.DataType.Type.USERDEFINED, exp.DataType.Type.UNKNOWN):
        return None
    return kind


def _check_load(document: Document, table: Table) -> Iterator[Mistake]:
    if table.load != "append" and not table.key:
        yield document.mistake(f"lacks key: load {table.load} tells rows apart by their key")
    if table.load == "changes" and not table.delete_when:
        yield document.mistake("lacks delete_when: load changes must say which rows delete, such as op = 'D'")
    if table.load != "changes" and table.delete_when:
        yield document.mistake("is for load changes only; upsert and append never delete", "delete_when")
    if table.load != "snapshot" and "on_missing" in document.data:
        yield document.mistake("is for load snapshot only: other files do not say what is absent", "on_missing")
    if table.load != "append" and "on_overwrite" in document.data:
        yield document.mistake("is for load append only: elsewhere every version counts", "on_overwrite")
    for index, name in enumerate(table.key):
        if name in table.column_names and table.column(name).type.lower().startswith("map"):
            yield document.mistake(f"{name} is a map, which cannot be compared", "key", index)


def _check_effective_at(document: Document, table: Table) -> Iterator[Mistake]:
    column, pattern = table.effective_at.column, table.effective_at.from_key
    if column is not None and column not in table.column_names:
        yield document.mistake(f"no such column: {one_of(column, table.column_names)}", "effective_at", "column")
    elif column is not None:
        kind = _parsed_type(table.column(column).type)
        word = kind.this.name if kind else ""
        if word in _NUMBERS and table.load == "snapshot" and table.on_missing == "close":
            yield document.mistake(
                f"{column} is a number: a snapshot's file time cannot date a deletion among numbers; use "
                "on_missing: keep, or a date or timestamp column",
                "effective_at",
                "column",
            )
        elif kind and word not in (*_NUMBERS, "DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPLTZ"):
            yield document.mistake(
                f"{column} is a {table.column(column).type}; allowed: timestamp, date or a number",
                "effective_at",
                "column",
            )
    if pattern is not None:
        yield from _check_pattern(document, pattern)


def _check_pattern(document: Document, pattern: str) -> Iterator[Mistake]:
    place = ("effective_at", "from_key")
    try:
        groups = set(re.compile(pattern).groupindex)
    except re.error as error:
        yield document.mistake(f"is no regular expression: {error}", *place)
        return
    if not any(wanted <= groups for wanted in _DATE_GROUPS):
        yield document.mistake("names no group date, nor year, month and day, such as (?P<date>\\d{4}-…)", *place)
    for group in sorted(groups - _GROUPS):
        yield document.mistake(f"group {one_of(group, _GROUPS)}", *place)


def _check_sql(document: Document, table: Table) -> Iterator[Mistake]:
    sources = {column.source_name for column in table.columns}
    for index, column in enumerate(table.columns):
        if column.expr:
            yield from _check_expression(document, column.expr, sources, "schema", "columns", index, "expr")
    for index, check in enumerate(table.checks):
        yield from _check_expression(document, check.rule, table.column_names, "checks", index, "rule")
    if table.delete_when:
        yield from _check_expression(document, table.delete_when, sources, "delete_when")


def _check_expression(document: Document, text: str, columns: Iterable[str], *path: str | int) -> Iterator[Mistake]:
    allowed = {name.lower(): name for name in columns}
    try:
        used = columns_of(text)
    except SqlMistakeError as error:
        yield document.mistake(str(error), *path)
        return
    for name in used:
        if name.lower() not in allowed:
            yield document.mistake(f"no such column: {one_of(name, allowed.values())}", *path)


def check_partitions(document: Document, words: Iterable[str], columns: Iterable[str]) -> Iterator[Mistake]:
    """Yield the mistakes of `partition_by` words such as `month(signup)` or `bucket(16, id)`."""
    columns = tuple(columns)
    for index, word in enumerate(words):
        match = _TRANSFORM.fullmatch(word.strip())
        if match is None:
            yield document.mistake(
                f"{word!r} is none of a column, year(c), month(c), day(c), hour(c), bucket(n, c), truncate(n, c)",
                "partition_by",
                index,
            )
            continue
        name = match["column"] or match["plain"] or match["of"]
        if name not in columns:
            yield document.mistake(f"no such column: {one_of(name, columns)}", "partition_by", index)
