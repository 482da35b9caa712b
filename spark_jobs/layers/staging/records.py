"""From records to typed rows: casts that lose nothing, and the reason why a row is refused."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StringType, StructType

from contracts.model import Column as ContractColumn
from contracts.model import Table
from spark_jobs.layers.shaping import literal, parse_schema, quoted
from spark_jobs.layers.staging.casts import Cast, cast
from spark_jobs.layers.staging.checks import (
    REASON,
    WARNINGS,
    because,
    because_sql,
    look_further,
    refusals,
    warnings,
)
from spark_jobs.layers.staging.readers.seam import (
    BROKEN,
    CARRIED,
    COLUMNS,
    FINGERPRINT,
    IS_MISSING,
    RAW_LIMIT,
    null_words,
    rank_of,
)
from spark_jobs.layers.staging.readers.seam import RAW as RAW

REJECT = "_reject"
DELETING = "_deleting"
TRUNCATING = "_truncating"
PRESENT = "_present"
_CAST_FAILURE = "_cast_failure"


def business_schema(table: Table) -> StructType:
    """Return the contract's columns with their Spark types, in contract order."""
    return parse_schema(", ".join(f"`{c.name}` {c.type}" for c in table.columns))


def to_rows(records: DataFrame, table: Table) -> DataFrame:
    """Return the declared columns, typed, beside the records' own `_` columns.

    Adds `_deleting` (delete_when is true), `_truncating` (truncate_when is; it deletes too), `_raw` (the record's
    text, for rows that may be refused) and `_reject`: NULL for a good row, else struct(column, rule, reason) of the
    first thing wrong with it; and `_warnings`, the names of the checks that only warn of it.
    """
    rows = _typed(_with_nulls(records, table), table)
    warned = F.when(~F.col(DELETING), warnings(table)).otherwise(F.array().cast("array<string>"))
    rows = rows.withColumns({REJECT: _first_reason(table), WARNINGS: warned})
    refused = F.lit(True) if look_further(table) else F.col(REJECT).isNotNull()
    raw = F.when(refused, F.col(RAW).substr(1, RAW_LIMIT))
    return rows.withColumn(RAW, raw).drop(_CAST_FAILURE, BROKEN)


def _with_nulls(records: DataFrame, table: Table) -> DataFrame:
    """Put NULL in place of the words that mean it, '' among them if the contract says so."""
    words = null_words(table)
    texts = [f.name for f in records.schema.fields if f.name not in CARRIED and isinstance(f.dataType, StringType)]
    if not words or not texts:
        return records
    nulled = {n: F.when(F.col(quoted(n)).isin(words), None).otherwise(F.col(quoted(n))) for n in texts}
    return records.withColumns(nulled)


def mismatches(records: DataFrame, table: Table) -> list[tuple[str, str]]:
    """Return (column, reason) for each column whose source has a type that has nothing to do with the declared one."""
    sources, places = _sources(_with_nulls(records, table), table)
    wrong = []
    for column, (have, want, found) in zip(table.columns, _casts(sources, places, table), strict=True):
        if found is None:
            what = "its expr gives" if column.expr else "the file holds"
            reason = f"column {column.name} is declared {want.simpleString()}, but {what} {have.simpleString()}"
            wrong.append((column.name, f"{reason}; declare that type, or convert it with expr"))
    return wrong


def _sources(records: DataFrame, table: Table) -> tuple[DataFrame, list[str]]:
    """Return the records with the results of `expr` and `_deleting`, and the name of each column's source."""
    truncating = _is_true(table.truncate_when)
    deleting = _is_true(table.delete_when) | truncating
    results = {f"_result{i}": F.expr(c.expr) for i, c in enumerate(table.columns) if c.expr}
    places = [f"_result{i}" if c.expr else c.source_name for i, c in enumerate(table.columns)]
    return records.withColumns({**results, DELETING: deleting, TRUNCATING: truncating}), places


def _is_true(condition: str | None) -> Column:
    return F.coalesce(F.expr(condition), F.lit(False)) if condition else F.lit(False)


def _casts(sources: DataFrame, places: list[str], table: Table) -> list[tuple[DataType, DataType, Cast | None]]:
    """Return for each column the type of its source, the declared one, and the cast between them."""
    schema = business_schema(table)
    kinds = {field.name.lower(): field.dataType for field in sources.schema.fields}
    pairs = [(kinds[place.lower()], schema[c.name].dataType) for place, c in zip(places, table.columns, strict=True)]
    return [
        (have, want, cast(quoted(place), have, want, column))
        for place, column, (have, want) in zip(places, table.columns, pairs, strict=True)
    ]


def _typed(records: DataFrame, table: Table) -> DataFrame:
    """Return the typed columns, what records carry, `_deleting`, `_truncating` and `_cast_failure`.

    Each value is computed once, in a projection of its own, for its cast is looked at again to see what was lost.
    """
    sources, places = _sources(records, table)
    values: list[str] = []
    failures: list[str] = []
    for place, column, (_, want, found) in zip(places, table.columns, _casts(sources, places, table), strict=True):
        assert found is not None, f"{table.name}.{column.name} has a source of another kind"
        value = f"_value{len(values)}"
        values.append(f"{found.value} AS `{value}`")
        failures.append(_failure(table, column, quoted(place), found.lost(f"`{value}`"), want))
    carried = [*CARRIED, DELETING, TRUNCATING, *(name for name in (PRESENT, *FINGERPRINT) if name in records.columns)]
    needed = {place.lower(): quoted(place) for place in places}.values()
    computed = sources.selectExpr(*carried, *needed, *values)
    named = [f"_value{i} AS {quoted(c.name)}" for i, c in enumerate(table.columns)]
    return computed.selectExpr(*named, *carried, f"coalesce({', '.join(failures)}) AS {_CAST_FAILURE}")


def _failure(table: Table, column: ContractColumn, source: str, lost: str, want: DataType) -> str:
    """Return SQL of why the column's source is no value of its type; of a deleting row only key and sequence matter."""
    wording = f"is no {want.simpleString()}" + (f" of format {column.format}" if column.format else "")
    wording += f" in {column.time_zone}" if column.time_zone else ""
    quote, rest = literal("'"), literal(f"' {wording}")
    said = f"concat({quote}, substr(CAST({source} AS string), 1, 100), {rest})"
    failures = f"WHEN {lost} THEN {because_sql(column.name, 'type', said)}"
    if column.required:
        failures += f" WHEN {source} IS NULL THEN {because_sql(column.name, 'required', literal('is NULL'))}"
    if column.name in table.sequence_columns:
        return f"CASE {failures} END"
    matters = f"NOT {TRUNCATING if column.name in table.key else DELETING}"
    return f"CASE WHEN {matters} THEN CASE {failures} END END"


def _first_reason(table: Table) -> Column:
    """Pick the first thing wrong: broken record, casts, NULL key or effective_at, checks that do not only warn."""
    dated_by = [table.effective_at.column] if table.effective_at.column else []
    nulls = [F.when(F.col(f"`{n}`").isNull() & ~F.col(TRUNCATING), because(n, "key", "is NULL")) for n in table.key]
    nulls += [F.when(F.col(f"`{n}`").isNull(), because(n, "key", "is NULL")) for n in dated_by]
    if table.updates == "partial":  # NULL orders too, but a record that says nothing has no place
        nulls += [F.when(~F.array_contains(PRESENT, n), because(n, "key", "is missing")) for n in table.tie_break]
    checks = [F.when(~F.col(DELETING), reason) for reason in refusals(table)]
    return F.coalesce(_broken(table), F.col(_CAST_FAILURE), *nulls, *checks)


def _broken(table: Table) -> Column:
    """Return why a record cannot be used; one that deletes may lack the columns that say nothing of it."""
    broken = F.col(BROKEN).cast(REASON)
    if not table.delete_when and not table.truncate_when:
        return broken
    lacks = (broken["rule"] == COLUMNS) & (broken["reason"] == IS_MISSING)
    ranks = {name: rank_of(table, name) for name in table.source_names}
    may_lack = F.lit(False)
    for condition, rank in ((DELETING, 2), (TRUNCATING, 1)):
        may_lack |= F.col(condition) & broken["column"].isin([name for name in ranks if ranks[name] >= rank])
    return F.when(~F.coalesce(lacks & may_lack, F.lit(False)), broken)
