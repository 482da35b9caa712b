"""What a contract says of quality: checks and circuit breakers, as plain data. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RULE, NOT_NULL, UNIQUE, REFERENCES = "rule", "not_null", "unique", "references"
ROW_COUNT, NULL_RATIO = "row_count", "null_ratio"
OF_ROWS = (RULE, NOT_NULL, UNIQUE, REFERENCES)
OF_FILES = (ROW_COUNT, NULL_RATIO)
KINDS = (*OF_ROWS, *OF_FILES)
# A missing reference is often only late: by default it is told, and stops nothing.
DEFAULT_ON_FAIL = {REFERENCES: "warn", ROW_COUNT: "fail", NULL_RATIO: "fail"}


@dataclass(frozen=True)
class Check:
    """One check. Of each row: `rule` (SQL; NULL passes), `not_null`, `unique` (within one file), `references` (a value
    of `columns` stands in column `to` of another staging table). Of each file: `row_count`, `null_ratio` of a column,
    between `at_least` and `at_most` (a ratio is a fraction).
    """

    name: str
    rule: str = ""
    on_fail: str = "quarantine"
    kind: str = RULE
    columns: tuple[str, ...] = ()
    table: str = ""
    to: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def of_files(self) -> bool:
        return self.kind in OF_FILES

    @property
    def words(self) -> str:
        """Return what the check asks for, as messages say it."""
        names = ", ".join(self.columns)
        match self.kind:
            case "not_null":
                return f"{names} must not be NULL"
            case "unique":
                return f"{names} must be unique in a file"
            case "references":
                return f"{names} must stand in {self.table}.{self.to}"
            case "row_count":
                return f"a file must hold {_between(self.at_least, self.at_most, '{:.0f}')} records"
            case "null_ratio":
                return f"{names} may be NULL in {_between(self.at_least, self.at_most, '{:.4%}')} of a file's records"
            case _:
                return self.rule


@dataclass(frozen=True)
class Limits:
    """Circuit breakers; shares are fractions (0.01), whole numbers are rows."""

    max_rejected: float | int | None = None
    max_deleted: float | int | None = None
    min_rows: int | None = None


MISSING_FILES = "missing_files"  # no limit, but let through as they are: a rebuild goes without files that are gone


def check_from_dict(raw: Mapping[str, Any]) -> Check:
    """Build a Check from the plan's JSON object."""
    return Check(**{**raw, "columns": tuple(raw["columns"])})


def _between(least: float | None, most: float | None, form: str) -> str:
    low, high = (None if n is None else _short(form.format(n)) for n in (least, most))
    if low is None or high is None:
        return f"at least {low}" if high is None else f"at most {high}"
    return f"{low} to {high}"


def _short(number: str) -> str:
    """Drop the zeros that a share ends in: 5.0000% is 5%."""
    return number.rstrip("%").rstrip("0").rstrip(".") + "%" if number.endswith("%") else number
