"""Checks of single rows: each is a Column, NULL where the row passes, else struct(column, rule, reason)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from contracts.model import Check, Table
from spark_jobs.layers.shaping import literal

WARNINGS = "_warnings"
REASON = "struct<column:string,rule:string,reason:string>"


def because(column: str, rule: str, reason: Column | str) -> Column:
    """Return struct(column, rule, reason)."""
    if isinstance(reason, Column):
        return F.struct(F.lit(column).alias("column"), F.lit(rule).alias("rule"), reason.alias("reason"))
    return F.expr(because_sql(column, rule, literal(reason)))


def because_sql(column: str, rule: str, reason: str) -> str:
    """Return the same as SQL, of a reason that is SQL: one call to Java instead of a dozen."""
    return f"named_struct('column', {literal(column)}, 'rule', {literal(rule)}, 'reason', {reason})"


def refusals(table: Table) -> list[Column]:
    """Return the checks of single rows that refuse a row, in contract order."""
    return [_failure(check) for check in _single(table) if check.on_fail in ("quarantine", "fail")]


def warnings(table: Table) -> Column:
    """Return the names of the checks of single rows that the row fails and that only warn."""
    names = [
        F.when(_failure(check).isNotNull(), F.lit(check.name)) for check in _single(table) if check.on_fail == "warn"
    ]
    return F.array_compact(F.array(*names)) if names else F.array().cast("array<string>")


def look_further(table: Table) -> bool:
    """Tell whether a row that is good by itself may still be refused for other rows' sake."""
    return any(check.kind in ("unique", "references") and check.on_fail != "warn" for check in table.checks)


def fatal_rules(table: Table) -> list[str]:
    """Return the rules whose breach by one row fails the whole file."""
    named = [check.name for check in table.checks if check.on_fail == "fail" and not check.of_files]
    return [*named, "key"] if table.on_bad_key == "fail" else named


def failed(check: Check, column: str = "") -> Column:
    """Return the reason of a row that fails a check."""
    return because(column, check.name, f"fails the check {check.name}: {check.words}")


def any_null(columns: Iterable[str]) -> Column:
    """Tell whether one of the columns is NULL."""
    found = F.lit(False)
    for name in columns:
        found = found | F.col(f"`{name}`").isNull()
    return found


def _single(table: Table) -> Sequence[Check]:
    return [check for check in table.checks if check.kind in ("rule", "not_null")]


def _failure(check: Check) -> Column:
    if check.kind == "not_null":
        return F.coalesce(*(F.when(F.col(f"`{name}`").isNull(), failed(check, name)) for name in check.columns))
    return F.when(~F.coalesce(F.expr(check.rule), F.lit(True)), failed(check))
