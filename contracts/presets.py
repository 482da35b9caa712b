"""Change feeds as AWS DMS and Debezium write them: one word stands for what a contract would have to say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from contracts.documents import Document, Mistake
from contracts.model import Column, EffectiveAt, Table

DMS, DEBEZIUM = "dms", "debezium"
FORMATS = {DMS: ("csv", "parquet"), DEBEZIUM: ("jsonl",)}
# CDC files are named by their time, such as 20141029-1134010000.csv; LOAD00000001.csv holds no time.
DMS_FILE_TIME = r"(?P<date>\d{8})-(?P<time>\d{6})(?P<fraction>\d*)\.[^/]*$"
DMS_OPERATION = "Op"
CHANGED_AT = "changed_at"
_ENVELOPE, _SENT_AT = ("source.", "transaction."), "ts_ms"
_WRAPPED = "payload."


def with_defaults(table: Table, said: dict[str, Any]) -> Table:
    """Fill in what the preset of a table knows and its contract, whose words are `said`, does not say otherwise."""
    match table.source.preset:
        case "dms":
            return _dms(table, said)
        case "debezium":
            return _debezium(table, said)
        case _:
            return table


def _dms(table: Table, said: dict[str, Any]) -> Table:
    """Op comes first and lacks in full loads; without a header the declared columns follow in their order."""
    options = dict(table.source.options)
    if table.source.format == "csv":
        options.setdefault("header", False)
    names = (DMS_OPERATION, *table.source_names)
    source = replace(table.source, options=options, names=names, optional=(DMS_OPERATION,))
    by_name = EffectiveAt(from_key=DMS_FILE_TIME, unmatched="event_time")
    return replace(
        table,
        source=source,
        unstored=tuple(dict.fromkeys([*table.unstored, DMS_OPERATION])),
        delete_when=table.delete_when or f"{DMS_OPERATION} = 'D'",
        effective_at=table.effective_at if "effective_at" in said else by_name,
    )


def _debezium(table: Table, said: dict[str, Any]) -> Table:
    """The operation decides; the source's clock dates, in a column of its own unless the contract names another."""
    if "effective_at" not in said:
        changed_at = Column(
            CHANGED_AT, "timestamp", source="source.ts_ms", format="epoch_millis", reads=("source.ts_ms",)
        )
        table = replace(table, columns=(*table.columns, changed_at), effective_at=EffectiveAt(column=CHANGED_AT))
    return replace(
        table,
        delete_when=table.delete_when or f"{enveloped('op')} = 'd'",
        truncate_when=table.truncate_when or f"{enveloped('op')} = 't'",
    )


def expanded(table: Table) -> Table:
    """Return a table that is free of mistakes with its columns' places in the envelope of its preset."""
    if table.source.preset != DEBEZIUM:
        return table
    columns = tuple(_in_envelope(table, column) for column in table.columns)
    return replace(table, columns=columns, unstored=tuple(dict.fromkeys([*table.unstored, *_paths("op")])))


def _in_envelope(table: Table, column: Column) -> Column:
    """Read a column from the row after the change; one of the key also from the row before, for deletes."""
    name = column.source_name
    if name == _SENT_AT or name.startswith(_ENVELOPE):
        paths = _paths(name)
    else:
        rows = ("after", "before") if column.name in table.key else ("after",)
        paths = tuple(path for row in rows for path in _paths(f"{row}.{name}"))
    return replace(column, source="", expr=_first_of(paths), reads=paths)


def enveloped(name: str) -> str:
    """Return SQL for a field of the envelope, bare or wrapped in `payload` as Kafka Connect does with schemas."""
    return _first_of(_paths(name))


def _paths(name: str) -> tuple[str, ...]:
    return (name, _WRAPPED + name)


def _first_of(paths: tuple[str, ...]) -> str:
    return f"coalesce({', '.join(f'`{path}`' for path in paths)})"


def check_preset(document: Document, table: Table) -> Iterator[Mistake]:
    """Yield the mistakes of a contract with a preset."""
    preset = table.source.preset
    if not preset:
        return
    if table.load != "changes":
        yield document.mistake(f"preset {preset} is a feed of changes: load must be changes", "load")
    if table.source.format not in FORMATS[preset]:
        words = ", ".join(FORMATS[preset])
        yield document.mistake(f"preset {preset} comes as {words}, not as {table.source.format}", "source", "format")
    if table.crawled:
        yield document.mistake(
            f"preset {preset} needs the columns of the rows in its envelopes: declare them", "schema"
        )
        return
    for index, raw in enumerate(document.data["schema"]["columns"]):
        place = ("schema", "columns", index)
        if preset == DEBEZIUM and "expr" in raw:
            yield document.mistake("does not go with preset debezium: name the field by from", *place, "expr")
        if preset == DEBEZIUM and raw["name"] == CHANGED_AT and "effective_at" not in document.data:
            message = f"{CHANGED_AT} is the column that the preset adds; give this one another name"
            yield document.mistake(message, *place, "name")
