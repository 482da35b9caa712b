"""Quality checks of a table contract: from a document to the model, and every mistake in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contracts.column_rules import check_condition, column_types
from contracts.documents import Document, Mistake
from contracts.model import Check, Table
from contracts.quality import DEFAULT_ON_FAIL, KINDS, NOT_NULL, REFERENCES, RULE, UNIQUE
from contracts.types import INTEGERS, SparkType
from contracts.wording import one_of

RESERVED = ("key", "record", "required", "type")  # rules by which rows are refused without a check


def build_check(raw: Mapping[str, Any]) -> Check:
    """Return the model of one item of `checks`; of several kinds in it the first counts, for the check to tell."""
    kind = next((word for word in KINDS if word in raw), RULE)
    said: Any = raw.get(kind, "")
    found: dict[str, Any] = {"name": raw["name"], "kind": kind}
    found["on_fail"] = raw.get("on_fail", DEFAULT_ON_FAIL.get(kind, "quarantine"))
    if kind == RULE:
        found["rule"] = said
    elif kind in (NOT_NULL, UNIQUE):
        found["columns"] = tuple(said)
    elif kind == REFERENCES:
        found |= {"columns": (said["column"],), "table": said["table"], "to": said.get("to", said["column"])}
    else:
        found["columns"] = (said["column"],) if "column" in said else ()
        found |= {f"at_{name}": share(said[word]) for name, word in (("least", "min"), ("most", "max")) if word in said}
    return Check(**found)


def share(value: str | int) -> float | int:
    """Return a share such as 1% as a fraction, and a count as it is."""
    return round(float(value.rstrip("%")) / 100, 10) if isinstance(value, str) else value


def check_checks(document: Document, table: Table) -> Iterator[Mistake]:
    """Yield the mistakes in a table's checks, as far as the table alone tells."""
    seen, kinds = set[str](), column_types(table)
    for index, check in enumerate(table.checks):
        place = ("checks", index)
        raw = document.data["checks"][index]
        given = [word for word in KINDS if word in raw]
        if check.name in seen:
            yield document.mistake(f"{check.name} is the name of an earlier check", *place, "name")
        seen.add(check.name)
        if check.name in RESERVED:
            yield document.mistake(f"{check.name} is a rule of its own; give the check another name", *place, "name")
        if len(given) != 1:
            yield document.mistake(f"must hold exactly one of {', '.join(KINDS)}", *place)
            continue
        if check.kind == RULE:
            yield from check_condition(document, check.rule, None if table.crawled else kinds, *place, RULE)
        for name in check.columns:
            kind = kinds.get(name)
            if name not in table.column_names and not table.crawled:
                yield document.mistake(f"no such column: {one_of(name, table.column_names)}", *place, check.kind)
            elif check.kind in (UNIQUE, REFERENCES) and kind and kind.has_map:
                yield document.mistake(f"{name} is {kind}, and maps cannot be compared", *place, check.kind)
        yield from _check_bounds(document, check, *place)


def _check_bounds(document: Document, check: Check, *place: str | int) -> Iterator[Mistake]:
    if not check.of_files:
        return
    if check.on_fail == "quarantine":
        yield document.mistake("a check of whole files cannot quarantine a row; allowed: fail, warn", *place, "on_fail")
    if check.at_least is None and check.at_most is None:
        yield document.mistake("lacks min or max", *place, check.kind)
    elif check.at_least is not None and check.at_most is not None and check.at_least > check.at_most:
        yield document.mistake("min is more than max", *place, check.kind)


def check_references(document: Document, table: Table, tables: Mapping[str, Table], whole: bool) -> Iterator[Mistake]:
    """Yield the mistakes in references to other tables; `whole`: all tables of the pipeline are known."""
    for index, check in enumerate(table.checks):
        if check.kind != REFERENCES or not (whole or check.table in tables):
            continue
        place = ("checks", index, REFERENCES)
        other = tables.get(check.table)
        if other is None:
            yield document.mistake(f"no such table: {one_of(check.table, tables)}", *place, "table")
        elif check.to not in other.column_names and not other.crawled:
            message = f"{other.name} has no such column: {one_of(check.to, other.column_names)}"
            yield document.mistake(message, *place, "to")
        elif check.columns[0] in table.column_names:
            mine, theirs = column_types(table)[check.columns[0]], column_types(other).get(check.to)
            if mine and theirs and not _comparable(mine, theirs):
                yield document.mistake(f"{check.columns[0]} is {mine}, but {other.name}.{check.to} is {theirs}", *place)


def _comparable(one: SparkType, other: SparkType) -> bool:
    both = {one.name, other.name}
    if len(both) == 1:
        return len(one.inner) == len(other.inner) and all(map(_comparable, one.inner, other.inner))
    return both <= {*INTEGERS, "decimal"} or both <= {"float", "double"}
