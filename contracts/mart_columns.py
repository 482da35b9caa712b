"""The columns of every mart with their types, as far as contracts and SQL tell them."""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from contracts.model import Mart, Plan
from contracts.sql import DIALECT, ODD_CALLS, annotated_type
from contracts.types import Columns, SparkType, parse_type

AUDIT: Columns = {"_batch_id": SparkType("string"), "_built_at": SparkType("timestamp")}
_TEXT, _FLAG, _LONG = SparkType("string"), SparkType("boolean"), SparkType("bigint")
# What sqlglot knows no type for.
_TYPES = {
    "date_trunc": "timestamp",
    "hash": "int",
    "make_date": "date",
    "make_timestamp": "timestamp",
    "xxhash64": "bigint",
}


def columns_of_marts(plan: Plan) -> dict[str, Columns]:
    """Return the columns of each mart without those that every mart has (AUDIT); none where a crawler keeps them.

    Types of a SELECT are told without Spark: None is one that nobody tells, a decimal's precision may be larger.
    """
    found: dict[str, Columns] = {}
    for name in in_order(plan):
        found[name] = _columns(plan, plan.marts[name], found)
    return {name: found[name] for name in sorted(found)}


def in_order(plan: Plan) -> list[str]:
    """Return the marts so that each comes after those that it reads."""
    done: list[str] = []

    def visit(name: str) -> None:
        for upstream in plan.upstream_marts(name):
            visit(upstream)
        if name not in done:
            done.append(name)

    for name in sorted(plan.marts):
        visit(name)
    return done


def _columns(plan: Plan, mart: Mart, known: Mapping[str, Columns]) -> Columns:
    if mart.kind in ("fact", "sql"):
        keys = {lookup.column: _LONG for lookup in mart.dimensions}
        return {**_selected(plan, mart, known), **keys}
    table = plan.tables[mart.source]
    if table.crawled:
        return {}
    effective, flags = parse_type(table.effective_type), {"is_inferred": _FLAG}
    own = {column.name: parse_type(column.type) for column in table.columns}
    surrogate = {mart.surrogate_key: _LONG}
    added: dict[str, dict[str, SparkType]] = {
        "latest": {},
        "history": {"_op": _TEXT, "_effective_from": effective},
        "scd2": {"valid_from": effective, "valid_to": effective, "is_current": _FLAG, **surrogate, **flags},
        "dimension": {"is_deleted": _FLAG, **surrogate, **flags},
    }
    return {**own, **added[mart.kind]}


def _selected(plan: Plan, mart: Mart, known: Mapping[str, Columns]) -> Columns:
    """Return the columns of a SELECT; nothing where it returns what only Spark can tell, such as a star."""
    schema: dict[str, object] = {name: _schema(plan, name, known) for name in mart.reads}
    try:
        tree = sqlglot.parse_one(mart.sql or "", dialect=DIALECT)
        for called in list(tree.find_all(exp.Func)):
            if kind := _TYPES.get(called.sql(DIALECT).partition("(")[0].lower()):
                called.replace(exp.cast(called.copy(), kind))
        tree = qualify(tree, schema=schema, dialect=DIALECT, validate_qualify_columns=False)
        annotated = annotate_types(tree, schema=schema, dialect=DIALECT)
    except (SqlglotError, *ODD_CALLS):
        return {}
    if not isinstance(annotated, exp.Query) or "*" in annotated.named_selects:
        return {}
    return {one.alias_or_name: annotated_type(one) for one in annotated.selects}


def _schema(plan: Plan, name: str, known: Mapping[str, Columns]) -> dict[str, str]:
    if name in plan.tables:
        return {column.name: column.type for column in plan.tables[name].columns}
    return {column: str(kind) for column, kind in known.get(name, {}).items() if kind}
