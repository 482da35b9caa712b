"""Read claimed JSON documents: the objects in the array at `row_path`, or at the top."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from contracts.model import Table
from contracts.paths import split_path
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.staging.checks import REASON
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers.documents import check_not_empty, parsed_documents
from spark_jobs.layers.staging.readers.json_records import field_names, json_records
from spark_jobs.layers.staging.readers.json_split import BrokenDocumentError, records_of
from spark_jobs.layers.staging.readers.seam import BROKEN, DOCUMENT, LANDING, NO_TEXT, RAW, RECORD, ROW_NUMBER, option

_SCHEMA = f"{LANDING} int, {ROW_NUMBER} bigint, {RAW} string, {BROKEN} {REASON}"


def check(_: SparkSession, table: Table, claims: Sequence[Claim]) -> Iterator[ContractViolationError]:
    """Yield the errors of files that hold nothing."""
    yield from check_not_empty(table, claims)


def read(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> list[DataFrame]:
    """Return the records of all claims; `_row_number` is the record's place from 1."""
    return [json_records(_texts(spark, table, claims), table)]


def names(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> list[str]:
    """Return the fields of all records."""
    return field_names(_texts(spark, table, claims), table, claims)


def _texts(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> DataFrame:
    row_path = option(table, "row_path", "")
    parse = partial(_parsed, split_path(row_path) if row_path else ())
    return parsed_documents(spark, claims, parse, _SCHEMA)


def _parsed(path: tuple[str, ...], chunks: Iterator[bytes]) -> Iterator[tuple[Any, ...]]:
    number = 0
    try:
        for number, text in enumerate(records_of(chunks, path), start=1):
            clean = text.replace("\udcff", "\ufffd")
            yield number, clean, ("", RECORD, NO_TEXT) if clean != text else None
    except BrokenDocumentError as error:
        yield number + 1, "", ("", DOCUMENT, f"is no sound JSON document: {error}")
