"""From text records to typed rows: casts that lose nothing, and the reason why a row is refused."""

from __future__ import annotations

from functools import cache

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DecimalType, StructType, _parse_datatype_string

from contracts.model import Column as ContractColumn
from contracts.model import Table
from spark_jobs.layers.staging.checks import WARNINGS, because, look_further, refusals, warnings
from spark_jobs.layers.staging.csv_reader import BROKEN, source_names

REJECT = "_reject"
DELETING = "_deleting"
RAW = "_raw"
RAW_LIMIT = 4_000
NULL_OPTION = "null_value"
_CAST_FAILURE = "_cast_failure"


def business_schema(table: Table) -> StructType:
    """Return the contract's columns with their Spark types, in contract order."""
    return parse_schema(", ".join(f"`{c.name}` {c.type}" for c in table.columns))


@cache
def parse_schema(ddl: str) -> StructType:
    """Return the schema that DDL text such as `a int, b string` describes; needs a running Spark."""
    schema = _parse_datatype_string(ddl)
    assert isinstance(schema, StructType)
    return schema


def to_rows(records: DataFrame, table: Table) -> DataFrame:
    """Return the declared columns, typed, beside the records' own `_` columns.

    Adds `_deleting` (delete_when is true), `_raw` (the record as JSON, for rows that may be refused) and `_reject`:
    NULL for a good row, else struct(column, rule, reason) of the first thing wrong with it; and `_warnings`,
    the names of the checks that only warn of it.
    """
    texts = _with_nulls(records, table)
    schema = business_schema(table)
    deleting = F.coalesce(F.expr(table.delete_when), F.lit(False)) if table.delete_when else F.lit(False)
    typed = [_typed(c, schema[c.name].dataType).alias(c.name) for c in table.columns]
    carried = [F.col(name) for name in records.columns if name.startswith("_")]
    sources = F.struct(*(F.col(f"`{name}`") for name in source_names(table)))
    rows = texts.withColumn(DELETING, deleting).select(
        *typed,
        *carried,
        DELETING,
        _first_cast_failure(table, schema).alias(_CAST_FAILURE),
        F.coalesce(F.col(BROKEN), F.to_json(sources)).alias(RAW),
    )
    warned = F.when(~F.col(DELETING), warnings(table)).otherwise(F.array().cast("array<string>"))
    rows = rows.withColumns({REJECT: _first_reason(table), WARNINGS: warned})
    refused = F.lit(True) if look_further(table) else F.col(REJECT).isNotNull()
    raw = F.when(refused, F.col(RAW).substr(1, RAW_LIMIT))
    return rows.withColumn(RAW, raw).drop(_CAST_FAILURE, BROKEN)


def _with_nulls(records: DataFrame, table: Table) -> DataFrame:
    words = table.source.options.get(NULL_OPTION, ())
    words = [words] if isinstance(words, str) else list(words)
    words = [word for word in words if word != ""]
    if not words:
        return records
    names = source_names(table)
    nulled = {n: F.when(F.col(f"`{n}`").isin(words), None).otherwise(F.col(f"`{n}`")) for n in names}
    return records.withColumns(nulled)


def _source(column: ContractColumn) -> Column:
    return F.expr(column.expr) if column.expr else F.col(f"`{column.source_name}`")


def _typed(column: ContractColumn, kind: DataType) -> Column:
    name = kind.simpleString()
    if column.expr:
        return F.expr(f"try_cast(({column.expr}) AS {name})")
    source = f"`{column.source_name}`"
    if column.format and name == "date":
        return F.expr(f"CAST(try_to_timestamp({source}, '{column.format}') AS DATE)")
    if column.format and name.startswith("timestamp"):
        return F.expr(f"try_to_timestamp({source}, '{column.format}')")
    if name == "string":
        return F.col(source)
    return F.expr(f"try_cast({source} AS {name})")


def _cast_failure(column: ContractColumn, kind: DataType) -> Column:
    """Return why the column's text is no value of its type: struct(column, rule, reason), or NULL."""
    source, value = _source(column), _typed(column, kind)
    lost = source.isNotNull() & value.isNull()
    if isinstance(kind, DecimalType):
        exact = F.expr(f"try_cast({_sql(column)} AS DECIMAL(38,18))")
        lost = lost | (exact.isNotNull() & ~value.cast("decimal(38,18)").eqNullSafe(exact))
    wording = f"is no {kind.simpleString()}" + (f" of format {column.format}" if column.format else "")
    reason = F.concat(F.lit("'"), source.cast("string").substr(1, 100), F.lit(f"' {wording}"))
    failure = F.when(lost, because(column.name, "type", reason))
    if column.required:
        failure = F.coalesce(failure, F.when(source.isNull(), because(column.name, "required", "is NULL")))
    return failure


def _sql(column: ContractColumn) -> str:
    return f"({column.expr})" if column.expr else f"`{column.source_name}`"


def _first_cast_failure(table: Table, schema: StructType) -> Column:
    """Return the first cast that lost a value; of a deleting row only key and sequence matter (SEMANTICS 6)."""
    sequencing = {*table.key, *table.sequence_columns}
    failures = []
    for column in table.columns:
        failure = _cast_failure(column, schema[column.name].dataType)
        failures.append(failure if column.name in sequencing else F.when(~F.col(DELETING), failure))
    return F.coalesce(*failures)


def _first_reason(table: Table) -> Column:
    """Pick the first thing wrong: broken record, casts, NULL key or effective_at, checks that do not only warn."""
    needed = [*table.key, *([table.effective_at.column] if table.effective_at.column else [])]
    broken = F.when(F.col(BROKEN).isNotNull(), because("", "record", "has more or fewer fields than the header"))
    nulls = [F.when(F.col(f"`{n}`").isNull(), because(n, "key", "is NULL")) for n in needed]
    checks = [F.when(~F.col(DELETING), reason) for reason in refusals(table)]
    return F.coalesce(broken, F.col(_CAST_FAILURE), *nulls, *checks)
