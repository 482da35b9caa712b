"""What only Spark can tell of the SQL in contracts: it analyzes each piece over tables that have no rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StringType, StructField, StructType

from contracts.compile import Compiled
from contracts.documents import Document, Mistake
from contracts.mart_columns import in_order
from contracts.model import Mart, Plan, Table
from contracts.patterns import check_partitions
from contracts.table_rules import readable
from contracts.types import SparkType, TypeMistakeError, parse_type
from contracts.wording import Path_, one_of
from spark_jobs.layers.errors import words_about_sql
from spark_jobs.layers.marts.names import MartSqlError, empty, without_rows
from spark_jobs.layers.marts.tables import MartSchemaError, refuse
from spark_jobs.layers.staging.casts import cast
from spark_jobs.layers.staging.records import business_schema


def mistakes(spark: SparkSession, compiled: Compiled) -> list[Mistake]:
    """Return what Spark refuses in the SQL of sound contracts; columns that a crawler keeps are known to nobody."""
    plan, found = compiled.plan, list[Mistake]()
    unknown = {table.name for table in plan.tables.values() if table.crawled}
    for table in plan.tables.values():
        if table.name not in unknown:
            found += _of_table(spark, table, compiled.documents[table.name])
    for mart in (plan.marts[name] for name in in_order(plan)):
        is_known = unknown.isdisjoint(mart.reads)
        told = list(_of_mart(spark, plan, mart, compiled.documents[mart.name])) if mart.sql and is_known else []
        if told or not is_known:
            unknown.add(mart.name)
        found += told
    return sorted(found)


def _of_table(spark: SparkSession, table: Table, document: Document) -> Iterator[Mistake]:
    rows = business_schema(table)
    for index, check in enumerate(table.checks):
        if check.rule:
            yield from _of_condition(spark, check.rule, rows, document, "checks", index, "rule")
    if table.source.format == "parquet":
        return  # each file tells the types of what is read from it
    for word in ("delete_when", "truncate_when"):
        if word in document.data:
            yield from _of_condition(spark, document.data[word], _texts(readable(table)), document, word)
    for index, raw in enumerate(document.data["schema"]["columns"]):
        if "expr" not in raw:
            continue
        column, place = table.columns[index], ("schema", "columns", index, "expr")
        have, wrong = _analyzed(spark, raw["expr"], _texts(readable(table, column)), document, *place)
        yield from wrong
        want = rows[column.name].dataType
        if have and cast("value", have, want, column) is None:
            message = f"is {have.simpleString()}, but the column {want.simpleString()}"
            yield document.mistake(f"{message}: declare that type, or convert it", *place)


def _of_condition(
    spark: SparkSession, text: str, columns: StructType, document: Document, *place: str | int
) -> Iterator[Mistake]:
    kind, wrong = _analyzed(spark, text, columns, document, *place)
    yield from wrong
    if kind and kind.simpleString() not in ("boolean", "void"):
        yield document.mistake(f"is {kind.simpleString()}, and must be true or false: write a comparison", *place)


def _analyzed(
    spark: SparkSession, text: str, columns: StructType, document: Document, *place: str | int
) -> tuple[DataType | None, list[Mistake]]:
    """Return the type of SQL over one row, or what Spark says of it."""
    try:
        return empty(spark, columns).select(F.expr(text)).schema[0].dataType, []
    except AnalysisException as error:
        return None, [document.mistake(words_about_sql(error), *place)]


def _texts(names: Iterable[str]) -> StructType:
    """Return columns of text, names that differ in case as one."""
    return StructType([StructField(name, StringType()) for name in {name.lower(): name for name in names}.values()])


def _of_mart(spark: SparkSession, plan: Plan, mart: Mart, document: Document) -> Iterator[Mistake]:
    try:
        columns = without_rows(spark, plan, mart.name).schema
        refuse(mart.name, columns)
    except MartSqlError as error:
        yield document.mistake(f"{document.data['sql']}: {error.words}", "sql")
        return
    except MartSchemaError as error:
        yield document.mistake(str(error).replace(mart.name, document.data["sql"], 1), "sql")
        return
    for name, place in _named(mart, document):
        if name not in columns.names:
            yield document.mistake(f"the SQL returns no such column: {one_of(name, columns.names)}", *place)
    yield from check_partitions(document, mart.partition_by, {f.name: _kind(f.dataType) for f in columns.fields})


def _named(mart: Mart, document: Document) -> Iterator[tuple[str, Path_]]:
    """Yield the columns of its SELECT that a mart's contract names, and where."""
    for word in ("key", "incremental_by"):
        yield from ((name, (word, index)) for index, name in enumerate(document.data.get(word, ())))
    for index, lookup in enumerate(mart.dimensions):
        yield from ((name, ("dimensions", index)) for name in (*lookup.on, lookup.as_of) if name)


def _kind(type_: DataType) -> SparkType | None:
    try:
        return parse_type(type_.simpleString())
    except TypeMistakeError:
        return None
