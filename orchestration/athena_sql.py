"""Columns of marts as Athena's SQL reads them, in types that views and QuickSight can hold."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.mart_columns import AUDIT
from contracts.types import INTEGERS, TIMES, Columns, SparkType

_TRINO = {"tinyint": "integer", "smallint": "integer", "int": "integer", "float": "real", "string": "varchar"}
_HIVE = {"tinyint": "int", "smallint": "int"}
_TEXTS = ("binary", "array", "map", "struct")
_DAYS = ("date", *TIMES)  # Trino makes no JSON of maps that they are the keys of
_FRACTIONS = ("float", "double", "decimal")


@dataclass(frozen=True)
class Output:
    """One column of a SELECT: its SQL, and its type in Trino's, Glue's and QuickSight's words."""

    name: str
    sql: str
    trino: str
    hive: str
    quicksight: str

    @property
    def is_time(self) -> bool:
        return self.quicksight == "DATETIME"


def outputs(columns: Columns) -> list[Output]:
    """Return a mart's columns and its audit columns; left out is whose type nobody tells, or no text can be of."""
    told = {name: kind for name, kind in {**columns, **AUDIT}.items() if kind is not None}
    return [_output(name, kind) for name, kind in told.items() if not any(_holds(one, "binary") for one in kind.inner)]


def select(database: str, mart: str, columns: Sequence[Output], where: str = "") -> str:
    """Return the SELECT of a mart's columns."""
    condition = f" WHERE {where}" if where else ""
    return f'SELECT {", ".join(one.sql for one in columns)} FROM "{database}"."{mart}"{condition}'


def view_text(database: str, sql: str, columns: Sequence[Output]) -> str:
    """Return the text by which Athena keeps a view in the Glue catalog."""
    view: Mapping[str, object] = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": one.name, "type": one.trino} for one in columns],
    }
    text = json.dumps(view, separators=(",", ":"))
    return f"/* Presto View: {base64.b64encode(text.encode()).decode()} */"


def _output(name: str, kind: SparkType) -> Output:
    """Times lose their zone, which is UTC, and digits beyond milliseconds; what has parts becomes JSON text."""
    name, quoted = name.lower(), _quoted(name)
    if kind.name in TIMES:
        return Output(name, f"CAST({quoted} AS timestamp(3)) AS {quoted}", "timestamp(3)", "timestamp", "DATETIME")
    if kind.name in _TEXTS:
        plain = f"CAST({quoted} AS {_trino(kind)})" if _holds(kind, *_DAYS) else quoted
        text = f"to_hex({quoted})" if kind.name == "binary" else f"json_format(CAST({plain} AS json))"
        return Output(name, f"{text} AS {quoted}", "varchar", "string", "STRING")
    return Output(name, quoted, _trino(kind), _HIVE.get(kind.name, str(kind)), _quicksight(kind.name))


def _holds(kind: SparkType, *names: str) -> bool:
    return kind.name in names or any(_holds(one, *names) for one in kind.inner)


def _trino(kind: SparkType) -> str:
    """Return a type in Trino's words; times without their zone and, as keys, as text: it makes no JSON of others."""
    if kind.name in TIMES:
        return "timestamp(3)"
    inner = [_trino(one) for one in kind.inner]
    if kind.name == "map" and kind.inner[0].name in _DAYS:
        inner[0] = "varchar"
    if kind.name == "struct":
        fields = ", ".join(f"{_quoted(name)} {one}" for name, one in zip(kind.fields, inner, strict=True))
        return f"row({fields})"
    return f"{kind.name}({', '.join(inner)})" if inner else _TRINO.get(kind.name, str(kind))


def _quicksight(kind: str) -> str:
    if kind in INTEGERS:
        return "INTEGER"
    if kind in _FRACTIONS:
        return "DECIMAL"
    return {"boolean": "BOOLEAN", "date": "DATETIME"}.get(kind, "STRING")


def _quoted(name: str) -> str:
    return '"' + name.lower().replace('"', '""') + '"'
