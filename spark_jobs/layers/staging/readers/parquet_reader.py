"""Read claimed Parquet files: typed columns as the files hold them, files of one schema together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.errors import ContractViolationError
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
    first_words,
    refuse,
)
from spark_jobs.layers.staging.records import mismatches

# A page whose checksum is wrong is refused.
_OPTIONS = {
    "parquet.page.verify-checksum.enabled": "true",
    "mergeSchema": "false",
}
_NANOS = re.compile(r"TIMESTAMP\(NANOS,(true|false)\)")


@dataclass(frozen=True)
class Footer:
    """The schema of a file as Parquet words it, its top-level columns, and which of them count nanoseconds.

    `nanos` maps such a column to whether it is an instant (in UTC) or a time on some clock.
    """

    schema: str
    columns: tuple[str, ...]
    nanos: tuple[tuple[str, bool], ...]


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
            yield refuse(table, claim, f"is no Parquet file ({first_words(error).replace(claim.uri, 'it')})")
        else:
            alike.setdefault(footer, []).append(claim)
    for footer, some in alike.items():
        for column, reason in mismatches(_read_alike(spark, table, footer, some), table)[:1]:
            yield from (refuse(table, claim, reason, column) for claim in some)


def names(spark: SparkSession, _: Table, claims: Sequence[Claim]) -> list[str]:
    """Return the columns of all files."""
    return [name for claim in claims for name in spark.read.parquet(claim.uri).columns]


def read(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> list[DataFrame]:
    """Return the records of all claims, one frame for each schema; `_row_number` is the row's place from 1."""
    alike: dict[Footer, list[Claim]] = {}
    for claim in claims:
        alike.setdefault(_footer(spark, claim), []).append(claim)
    return [_read_alike(spark, table, footer, some) for footer, some in alike.items()]


def _footer(spark: SparkSession, claim: Claim) -> Footer:
    jvm: Any = spark._jvm
    hadoop = spark._jsparkSession.sessionState().newHadoopConf()
    path = jvm.org.apache.hadoop.fs.Path(claim.uri)
    if is_manifest(claim.landing.key):  # a folder of parts, all written by one extraction
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
    return Footer(schema.toString(), tuple(name for name, _ in found), nanos)


def _read_alike(spark: SparkSession, table: Table, footer: Footer, claims: Sequence[Claim]) -> DataFrame:
    frame = spark.read.options(**_OPTIONS).parquet(*(claim.uri for claim in claims))
    names, nanos = {name.lower(): name for name in footer.columns}, dict(footer.nanos)
    places = [names.get(name.lower()) for name in table.source_names]
    sources = [_source(place, nanos).alias(name) for place, name in zip(places, table.source_names, strict=True)]
    rows = frame.select(
        *sources,
        _broken([place for place in places if place is not None and place in nanos]).alias(BROKEN),
        landing_number(claims).alias(LANDING),
        (_rows_before(claims) + F.col("_metadata.row_index") + 1).alias(ROW_NUMBER),
    )
    return rows.withColumn(RAW, F.to_json(F.struct(*(F.col(quoted(name)) for name in table.source_names))))


def _rows_before(claims: Sequence[Claim]) -> Column:
    """Return how many rows lie in the parts before this one, which the name of a part's copy tells; 0 for a file."""
    if not any(is_manifest(claim.landing.key) for claim in claims):
        return F.lit(0)
    told = F.regexp_extract(F.input_file_name(), r"/\d+\.(\d+)\.parquet$", 1)
    return F.when(told != "", told.cast("bigint")).otherwise(F.lit(0))


def _source(place: str | None, nanos: Mapping[str, bool]) -> Column:
    if place is None:
        return F.lit(None).cast("string")
    if place not in nanos:
        return F.col(quoted(place))
    kind = "timestamp" if nanos[place] else "timestamp_ntz"
    return F.expr(f"CAST(timestamp_micros({quoted(place)} div 1000) AS {kind})")


def _broken(nanos: Sequence[str]) -> Column:
    """Refuse moments between two microseconds, which Spark's timestamp cannot hold."""
    broken = F.lit(None).cast(REASON)
    for place in nanos:
        column = F.col(quoted(place))
        reason = F.concat(column.cast("string"), F.lit(" nanoseconds since 1970 are no whole microseconds"))
        broken = F.coalesce(broken, F.when(column % 1000 != 0, because(place, "type", reason)))
    return broken
