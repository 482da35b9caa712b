"""Read claimed Parquet files: typed columns as the files hold them, files of one schema together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BinaryType, DataType, MapType, StructType

from contracts.model import Table
from spark_jobs.layers.errors import ContractViolationError, first_words, words_about_sql
from spark_jobs.layers.extraction.manifest import is_manifest
from spark_jobs.layers.shaping import quoted
from spark_jobs.layers.staging.checks import REASON, because
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers.lines import landing_number
from spark_jobs.layers.staging.readers.seam import (
    BROKEN,
    LANDING,
    RAW,
    ROW_NUMBER,
    check_columns,
    refuse,
)
from spark_jobs.layers.staging.records import mismatches

# A page whose checksum is wrong is refused.
_OPTIONS = {
    "parquet.page.verify-checksum.enabled": "true",
    "mergeSchema": "false",
}
_JAVA_CLASS = re.compile(r"^(?:\w+\.)+\w+: ")
# In JSON, where Spark would write milliseconds: two moments of one of them would be one text.
_MOMENTS = {
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
}
_NO_MICROS = " nanoseconds since 1970 are no whole microseconds; send those, or declare the column bigint"
_NANOS = re.compile(r"TIMESTAMP\(NANOS,(true|false)\)")


class UnknownTypeError(Exception):
    """A column of a type that Spark does not know."""

    def __init__(self, column: str, kind: str) -> None:
        super().__init__(
            f"column {column} is of a type that cannot be read ({kind}); send it as text, or leave it out of the "
            "contract and allow it with extra_columns: ignore"
        )
        self.column = column


@dataclass(frozen=True)
class Footer:
    """The schema of a file as Parquet words it, its top-level columns, and which of them count nanoseconds.

    `nanos` maps such a column to whether it is an instant (in UTC) or a time on some clock; `parquet` is the schema
    in Java.
    """

    schema: str
    columns: tuple[str, ...]
    nanos: tuple[tuple[str, bool], ...]
    parquet: Any = field(compare=False)

    def places(self, names: Sequence[str]) -> dict[str, str]:
        """Return what the file calls columns of these names, without those that it lacks."""
        known = {name.lower(): name for name in self.columns}
        return {name: known[name.lower()] for name in names if name.lower() in known}


def check(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> Iterator[ContractViolationError]:
    """Yield the errors of files that are no Parquet, or whose columns or types do not fit the contract."""
    alike: dict[Footer, list[Claim]] = {}
    for claim in claims:
        try:
            footer = _footer(spark, claim)
            check_columns(table, claim, footer.columns)
        except ContractViolationError as error:
            yield error
        except Exception as error:
            why = _JAVA_CLASS.sub("", first_words(error)).replace(claim.uri, "it")
            yield refuse(table, claim, f"cannot be read as Parquet ({why})")
        else:
            alike.setdefault(footer, []).append(claim)
    for footer, some in alike.items():
        mistakes = _mistakes(spark, table, footer, some)
        for claim in some:
            for column, reason in mistakes.get(claim.number, ())[:1]:
                yield refuse(table, claim, reason, column or None)


def names(spark: SparkSession, _: Table, claims: Sequence[Claim]) -> list[str]:
    """Return the columns of all files."""
    return [name for claim in claims for name in _footer(spark, claim).columns]


def read(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> list[DataFrame]:
    """Return the records of all claims, one frame for each schema; `_row_number` is the row's place from 1."""
    alike: dict[Footer, list[Claim]] = {}
    for claim in claims:
        alike.setdefault(_footer(spark, claim), []).append(claim)
    return [_read_fitting(spark, table, footer, some) for footer, some in alike.items()]


def typed(spark: SparkSession, uri: str) -> tuple[DataFrame, list[UnknownTypeError]]:
    """Return the rows of any file, its columns typed as jobs read them, and what is wrong with those they cannot."""
    footer = _footer_at(spark, uri)
    unknown: list[UnknownTypeError] = []
    for name in footer.columns:
        try:
            _types(spark, footer, [name])
        except UnknownTypeError as error:
            unknown.append(error)
    names = [name for name in footer.columns if name not in {error.column for error in unknown}]
    frame = spark.read.schema(_types(spark, footer, names)).options(**_OPTIONS).parquet(uri)
    return frame.select(*(_source(name, dict(footer.nanos)).alias(name) for name in names)), unknown


def _footer(spark: SparkSession, claim: Claim) -> Footer:
    return _footer_at(spark, claim.uri, is_folder=is_manifest(claim.landing.key))


def _footer_at(spark: SparkSession, uri: str, is_folder: bool = False) -> Footer:
    """Return the footer of a file, or of a folder's first part: one extraction writes them all."""
    jvm: Any = spark._jvm
    hadoop = spark._jsparkSession.sessionState().newHadoopConf()
    path = jvm.org.apache.hadoop.fs.Path(uri)
    if is_folder:
        path = path.getFileSystem(hadoop).listStatus(path)[0].getPath()
    reader = jvm.org.apache.parquet.hadoop.ParquetFileReader.open(
        jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(path, hadoop)
    )
    try:
        schema = reader.getFileMetaData().getSchema()
    finally:
        reader.close()
    fields = [schema.getType(index) for index in range(schema.getFieldCount())]
    found = [(field.getName(), _NANOS.search(str(field.getLogicalTypeAnnotation()))) for field in fields]
    nanos = tuple((name, match[1] == "true") for name, match in found if match)
    return Footer(schema.toString(), tuple(name for name, _ in found), nanos, schema)


def _mistakes(
    spark: SparkSession, table: Table, footer: Footer, claims: Sequence[Claim]
) -> dict[int, list[tuple[str, str]]]:
    """Return by claim (column, reason) for columns of types that are unknown, or do not fit the contract."""
    try:
        if table.extra_columns == "add":
            _types(spark, footer, footer.columns)
        rows = _read_alike(spark, table, footer, claims)
    except UnknownTypeError as error:
        return {claim.number: [(error.column, str(error))] for claim in claims}
    try:
        wrong = mismatches(rows, table)
    except AnalysisException as error:
        reason = f"has types that the contract's SQL cannot take ({words_about_sql(error)})"
        return {claim.number: [("", reason)] for claim in claims}
    empty = _without_values(rows, table, [column for column, _ in wrong], claims)
    return {n: [(column, reason) for column, reason in wrong if column not in columns] for n, columns in empty.items()}


def _without_values(
    rows: DataFrame, table: Table, columns: Sequence[str], claims: Sequence[Claim]
) -> dict[int, set[str]]:
    """Return by claim those of some columns that hold nothing but NULL: whatever their type, it fits any.

    Writers such as pandas have no type to tell for them. What `expr` gives is not looked at.
    """
    plain = [column for column in columns if not table.column(column).expr]
    empty = {claim.number: set(plain) for claim in claims}
    if not plain:
        return empty
    counts = rows.groupBy(LANDING).agg(*(F.count(quoted(table.column(column).source_name)) for column in plain))
    try:
        found = counts.collect()
    except Py4JJavaError:  # one of them is broken too: none is read
        return {claim.number: set() for claim in claims}
    for number, *values in found:
        empty[number] = {column for column, count in zip(plain, values, strict=True) if not count}
    return empty


def _read_fitting(spark: SparkSession, table: Table, footer: Footer, claims: Sequence[Claim]) -> DataFrame:
    """Return the records of files that were checked: what does not fit holds nothing but NULL."""
    rows = _read_alike(spark, table, footer, claims)
    wrong = [table.column(column) for column, _ in mismatches(rows, table)]
    return rows.withColumns({c.source_name: F.lit(None).cast("string") for c in wrong if not c.expr})


def _types(spark: SparkSession, footer: Footer, names: Sequence[str]) -> StructType:
    """Return the types of some of a file's columns."""
    jvm: Any = spark._jvm
    settings = spark._jsparkSession.sessionState().conf()
    converter = jvm.org.apache.spark.sql.execution.datasources.parquet.ParquetToSparkSchemaConverter(settings)

    def converted(names: Sequence[str]) -> StructType:
        fields = [footer.parquet.getType(name) for name in names]
        found = converter.convert(jvm.org.apache.parquet.schema.MessageType("columns", fields))
        return StructType.fromJson(json.loads(found.json()))

    try:
        return converted(names)
    except AnalysisException:
        for name in names:
            try:
                converted([name])
            except AnalysisException as error:
                raise UnknownTypeError(name, first_words(error).rstrip(".")) from error
        raise


def _read_alike(spark: SparkSession, table: Table, footer: Footer, claims: Sequence[Claim]) -> DataFrame:
    """Return the records of files of one footer, of which nothing is read but what the table takes."""
    places, nanos = footer.places(table.source_names), _moments(table, footer)
    types = _types(spark, footer, list(dict.fromkeys(places.values())))
    frame = spark.read.schema(types).options(**_OPTIONS).parquet(*(claim.uri for claim in claims))
    sources = {name: _source(place, nanos) for name, place in places.items()}
    for name in table.source.optional:
        if name in places:
            sources[name] = _as_text(sources[name], types[places[name]].dataType)
    rows = frame.select(
        *(sources.get(name, F.lit(None)).alias(name) for name in table.source_names),
        _broken([place for place in places.values() if place in nanos]).alias(BROKEN),
        landing_number(claims).alias(LANDING),
        (_rows_before(claims) + F.col("_metadata.row_index") + 1).alias(ROW_NUMBER),
    )
    return rows.withColumn(RAW, F.to_json(F.struct(*(F.col(quoted(name)) for name in table.source_names)), _MOMENTS))


def _rows_before(claims: Sequence[Claim]) -> Column:
    """Return how many rows lie in the parts before this one, which the name of a part's copy tells; 0 for a file."""
    if not any(is_manifest(claim.landing.key) for claim in claims):
        return F.lit(0)
    told = F.regexp_extract(F.input_file_name(), r"/\d+\.(\d+)\.parquet$", 1)
    return F.when(told != "", told.cast("bigint")).otherwise(F.lit(0))


def _moments(table: Table, footer: Footer) -> dict[str, bool]:
    """Return the columns in nanoseconds that are to be timestamps; declared as `bigint` they stay numbers, exact."""
    numbers = {column.source_name.lower() for column in table.columns if column.type == "bigint" and not column.expr}
    return {name: is_instant for name, is_instant in footer.nanos if name.lower() not in numbers}


def _source(place: str, nanos: Mapping[str, bool]) -> Column:
    if place not in nanos:
        return F.col(quoted(place))
    kind = "timestamp" if nanos[place] else "timestamp_ntz"
    return F.expr(f"CAST(timestamp_micros({quoted(place)} div 1000) AS {kind})")


def _as_text(value: Column, kind: DataType) -> Column:
    """Return the text that an extra column holds; bytes are left to the cast, which refuses those that are no text."""
    match kind:
        case ArrayType() | MapType() | StructType():
            return F.to_json(value, {"ignoreNullFields": "false", **_MOMENTS})
        case BinaryType():
            return value
    return value.cast("string")


def _broken(nanos: Sequence[str]) -> Column:
    """Refuse moments between two microseconds, which Spark's timestamp cannot hold."""
    broken = F.lit(None).cast(REASON)
    for place in nanos:
        column = F.col(quoted(place))
        reason = F.concat(column.cast("string"), F.lit(_NO_MICROS))
        broken = F.coalesce(broken, F.when(column % 1000 != 0, because(place, "type", reason)))
    return broken
