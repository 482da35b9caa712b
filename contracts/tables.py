"""Table contracts: from a document to the model."""

from __future__ import annotations

from typing import Any

from contracts.check_rules import build_check, share
from contracts.connections import build_extract
from contracts.databases import EXTRACTED_AT, EXTRACTED_FORMAT
from contracts.documents import Document
from contracts.model import (
    Capacity,
    Column,
    EffectiveAt,
    Limits,
    Parts,
    Source,
    Table,
)
from contracts.presets import with_defaults
from contracts.sql import SqlMistakeError, columns_of
from contracts.types import TypeMistakeError, parse_type


def build_table(document: Document) -> Table:
    """Return the model of a document that its schema accepts."""
    data, source = document.data, dict(document.data.get("source", {}))
    crawled = data["schema"] == "crawler"
    schema: dict[str, Any] = {"columns": (), "missing_columns": "null"} if crawled else data["schema"]
    extract = build_extract(source)
    effective = data.get("effective_at", {"from_key": EXTRACTED_AT} if extract else {"event_time": True})
    keep = ("load", "delete_when", "truncate_when", "updates", "on_missing", "on_overwrite", "on_bad_key",
            "on_duplicate_key", "on_failed_file", "freshness", "description")  # fmt: skip
    table = Table(
        name=data["table"],
        source=Source(
            prefix=source.get("prefix", f"{data['table']}/"),
            format=source.get("format", EXTRACTED_FORMAT if extract else "csv"),
            compression=source.get("compression", "auto"),
            options=dict(source.get("options", {})),
            extract=extract,
            preset=source.get("preset", ""),
            parts=Parts(**source["parts"]) if "parts" in source else None,
        ),
        columns=tuple(_column(raw) for raw in schema["columns"]),
        key=tuple(data.get("key", ())),
        effective_at=EffectiveAt(**effective),
        tie_break=tuple(data.get("tie_break", ())),
        unstored=tuple(schema.get("unstored", ())),
        extra_columns=schema.get("extra_columns", "fail"),
        missing_columns=_missing_columns(data, schema),
        crawled=crawled,
        checks=tuple(build_check(raw) for raw in data.get("checks", ())),
        limits=_limits(data.get("limits", {})),
        partition_by=tuple(data.get("partition_by", ())),
        capacity=Capacity(**data.get("capacity", {})),
        **{name: data[name] for name in keep if name in data},
    )
    return with_defaults(table, data)


def _column(raw: dict[str, Any]) -> Column:
    return Column(
        name=raw["name"],
        type=_canonical(raw["type"]),
        source=raw.get("from", ""),
        expr=raw.get("expr"),
        format=raw.get("format"),
        required=raw.get("required", False),
        reads=_reads(raw),
        time_zone=raw.get("time_zone"),
        start=raw.get("start"),
        width=raw.get("width"),
    )


def _missing_columns(data: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return what becomes of a column that a file lacks; partial updates may lack any but those of key and time."""
    return "null" if data.get("updates") == "partial" else schema.get("missing_columns", "fail") or "null"


def _canonical(text: str) -> str:
    """Return a type as Spark writes it; text that is none stays, for the check to tell."""
    try:
        return str(parse_type(text))
    except TypeMistakeError:
        return text


def _reads(raw: dict[str, Any]) -> tuple[str, ...]:
    """Return the columns of the file that a column is made of."""
    if "expr" not in raw:
        return (raw.get("from", raw["name"]),)
    try:
        used = columns_of(raw["expr"])
    except SqlMistakeError:
        used = ()
    return tuple(dict.fromkeys([*([raw["from"]] if "from" in raw else []), *used]))


def _limits(raw: dict[str, Any]) -> Limits:
    shares = {name: share(raw[name]) for name in ("max_rejected", "max_deleted") if name in raw}
    return Limits(min_rows=raw.get("min_rows"), **shares)
