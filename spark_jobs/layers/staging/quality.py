"""Checks that need more than their row: uniqueness in a file, references to other tables, bounds of files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from contracts.model import Check, Table
from spark_jobs.layers.errors import ContractViolationError, all_violations
from spark_jobs.layers.lake import Lake
from spark_jobs.layers.staging.checks import WARNINGS, any_null, failed, look_further
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.reading import Reader
from spark_jobs.layers.staging.records import DELETING, RAW, REJECT

_FAILS = "_fails"
Referred = Callable[[Check], DataFrame | None]


@dataclass(frozen=True)
class FileCounts:
    """The records of one file: all, those that are good, and the NULLs of a column among the good ones."""

    records: int = 0
    good: int = 0
    nulls: Mapping[str, int] | None = None


def judged(rows: DataFrame, table: Table, referred: Referred) -> DataFrame:
    """Refuse or mark the rows that fail `unique` or `references`.

    `referred` gives the values a check refers to as `_value`, or None where none was staged yet.
    """
    file = "_file_time" if table.source.parts else "_landing"
    for check in table.checks:
        if check.kind == "unique":
            rows = rows.transform(_with_repeats, check, file).transform(_marked, check)
        elif check.kind == "references":
            rows = rows.transform(_with_strays, check, referred(check)).transform(_marked, check)
    return rows.withColumn(RAW, F.when(F.col(REJECT).isNotNull(), F.col(RAW))) if look_further(table) else rows


def read_judged(
    reader: Reader, lake: Lake, table: Table, claims: Sequence[Claim], only: DataFrame | None = None
) -> tuple[DataFrame, dict[str, int]]:
    """Return the rows of claims (of `only` these fingerprints), judged, and by check the files that it warns of.

    ContractViolationError names every file that fails a check of whole files.
    """
    rows = judged(reader.rows(table, claims, only), table, values_of(lake))
    if not any(check.of_files for check in table.checks):
        return rows, {}
    violations, warned = judge_files(table, claims, count_files(rows, table))
    if violations:
        raise all_violations(violations)
    return rows, warned


def values_of(lake: Lake) -> Referred:
    """Return a function that reads the values a check refers to: all that were ever staged."""

    def referred(check: Check) -> DataFrame | None:
        name = lake.table("staging", check.table)
        if not lake.exists(name):
            return None
        staged = lake.read(name)
        if check.to.lower() not in map(str.lower, staged.columns):
            return None  # a column that a contract has got since
        values = staged.select(F.col(f"`{check.to}`").alias("_value"))
        return values.filter(F.col("_value").isNotNull()).distinct()

    return referred


def _with_repeats(rows: DataFrame, check: Check, file: str) -> DataFrame:
    """Add `_fails`: another good row of the file (or of all parts of a snapshot) has the same values, none NULL."""
    counts = _speaks() & ~any_null(check.columns)
    same = Window.partitionBy(file, *(f"`{name}`" for name in check.columns))
    return rows.withColumn(_FAILS, counts & (F.count_if(counts).over(same) > 1))


def _with_strays(rows: DataFrame, check: Check, values: DataFrame | None) -> DataFrame:
    """Add `_fails`: the value stands nowhere in the other table (NULL refers to nothing and passes)."""
    column = F.col(f"`{check.columns[0]}`")
    if values is None:
        return rows.withColumn(_FAILS, _speaks() & column.isNotNull())
    known = values.withColumn("_known", F.lit(True))
    joined = rows.join(known, column == F.col("_value"), how="left").drop("_value")
    return joined.withColumn(_FAILS, _speaks() & column.isNotNull() & F.col("_known").isNull()).drop("_known")


def _speaks() -> Column:
    return F.col(REJECT).isNull() & ~F.col(DELETING)


def _marked(rows: DataFrame, check: Check) -> DataFrame:
    """Turn `_fails` into a warning or a reason to refuse the row."""
    if check.on_fail == "warn":
        warned = F.when(F.col(_FAILS), F.array(F.lit(check.name))).otherwise(F.array().cast("array<string>"))
        return rows.withColumn(WARNINGS, F.concat(WARNINGS, warned)).drop(_FAILS)
    reason = F.when(F.col(_FAILS), failed(check, check.columns[0] if len(check.columns) == 1 else ""))
    return rows.withColumn(REJECT, F.coalesce(REJECT, reason)).drop(_FAILS)


def warning_counts(table: Table) -> list[Column]:
    """Return aggregates: `warned` (rows with a warning) and, for each check that warns, its rows as `warned_<name>`."""
    marked = F.col(REJECT).isNull() & (F.size(WARNINGS) > 0)
    return [
        F.count_if(marked).alias("warned"),
        *(F.count_if(marked & F.array_contains(WARNINGS, name)).alias(f"warned_{name}") for name in _warning(table)),
    ]


def warnings_in(found: Mapping[str, int], table: Table) -> dict[str, int]:
    """Return the rows by check, from what `warning_counts` found."""
    return {name: found[f"warned_{name}"] for name in _warning(table) if found[f"warned_{name}"]}


def _warning(table: Table) -> list[str]:
    return [check.name for check in table.checks if check.on_fail == "warn" and not check.of_files]


def count_files(rows: DataFrame, table: Table) -> dict[int, FileCounts]:
    """Count what the checks of whole files ask for, by landing number; one pass over the files."""
    columns = sorted({name for check in table.checks if check.of_files for name in check.columns})
    good = _speaks()
    found = rows.groupBy("_landing").agg(
        F.count(F.lit(1)).alias("records"),
        F.count_if(good).alias("good"),
        *(F.count_if(good & F.col(f"`{name}`").isNull()).alias(f"nulls_{name}") for name in columns),
    )
    return {
        row["_landing"]: FileCounts(row["records"], row["good"], {name: row[f"nulls_{name}"] for name in columns})
        for row in found.collect()
    }


def judges_alone(table: Table) -> bool:
    """Tell whether what the checks say of a row depends on that row alone, and is nothing but yes or no."""
    return all(check.kind in ("rule", "not_null") and check.on_fail != "warn" for check in table.checks)


def judge_files(
    table: Table, claims: Sequence[Claim], counts: Mapping[int, FileCounts]
) -> tuple[list[ContractViolationError], dict[str, int]]:
    """Return the violations of files that fail a check, and by check the number of files that it warns of."""
    violations: list[ContractViolationError] = []
    warned: dict[str, int] = {}
    for claim in claims:
        for check in table.checks:
            said = _breach(check, counts.get(claim.number, FileCounts())) if check.of_files else None
            if said is None:
                continue
            if check.on_fail == "warn":
                warned[check.name] = warned.get(check.name, 0) + 1
                continue
            reason = f"fails the check {check.name}: {check.words}, it {said}"
            column = check.columns[0] if check.columns else None
            violations.append(
                ContractViolationError(
                    f"{table.name}: file {claim.landing.key}: {reason}", {claim.landing.id: (reason, column)}
                )
            )
    return violations, warned


def _breach(check: Check, counts: FileCounts) -> str | None:
    """Return what a file has instead, or None when it passes."""
    if check.kind == "row_count":
        figure, said = float(counts.records), f"holds {counts.records}"
    elif not counts.good:
        return None
    else:
        nulls = (counts.nulls or {}).get(check.columns[0], 0)
        figure, said = nulls / counts.good, f"is NULL in {nulls} of {counts.good}"
    too_few = check.at_least is not None and figure < check.at_least
    too_many = check.at_most is not None and figure > check.at_most
    return said if too_few or too_many else None
