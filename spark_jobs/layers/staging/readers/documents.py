"""Documents that one task reads from beginning to end, in pieces: from their bytes to records, by Python's parsers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers.lines import landing_number
from spark_jobs.layers.staging.readers.seam import refuse

Parse = Callable[[Iterator[bytes]], Iterator[tuple[Any, ...]]]


def check_not_empty(table: Table, claims: Sequence[Claim]) -> Iterator[ContractViolationError]:
    """Yield the errors of files without a byte, which are no document."""
    for claim in claims:
        if not claim.content.size:
            yield refuse(table, claim, f"is empty, which is no {table.source.format} document")


def parsed_documents(spark: SparkSession, claims: Sequence[Claim], parse: Parse, schema: str) -> DataFrame:
    """Return what `parse` yields for the pieces of each document, the landing's number before it."""
    lines = spark.read.option("lineSep", "\n").text([claim.uri for claim in claims])
    pieces = lines.select(landing_number(claims), F.unbase64("value"))

    def parse_partition(rows: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
        for number, document in groupby(rows, key=lambda row: row[0]):
            for record in parse(bytes(row[1]) for row in document):
                yield (number, *record)

    return spark.createDataFrame(pieces.rdd.mapPartitions(parse_partition), schema, verifySchema=False)
