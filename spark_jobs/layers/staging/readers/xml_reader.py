"""Read claimed XML documents: the elements that `row_tag` names, columns by path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.model import Table
from contracts.paths import split_path
from contracts.types import SparkType, parse_type
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.shaping import quoted
from spark_jobs.layers.staging.checks import REASON
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers.documents import check_not_empty, parsed_documents
from spark_jobs.layers.staging.readers.field_names import FIELD, gathered
from spark_jobs.layers.staging.readers.seam import (
    BROKEN,
    COLUMNS,
    DOCUMENT,
    HELD,
    IS_EXTRA,
    IS_MISSING,
    LANDING,
    RAW,
    RECORD,
    ROW_NUMBER,
    by_rank,
    option,
)
from spark_jobs.layers.staging.readers.xml_elements import Step, Wanted, step_of
from spark_jobs.layers.staging.readers.xml_rows import BrokenDocumentError, Row, rows_of

Told = Callable[[Row], Sequence[str]]


def check(_: SparkSession, table: Table, claims: Sequence[Claim]) -> Iterator[ContractViolationError]:
    """Yield the errors of files that hold nothing."""
    yield from check_not_empty(table, claims)


def read(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> list[DataFrame]:
    """Return the records of all claims; `_row_number` is the row's place from 1."""
    return [_rows(spark, table, claims, attrgetter("held") if table.updates == "partial" else None)]


def _rows(spark: SparkSession, table: Table, claims: Sequence[Claim], told: Told | None) -> DataFrame:
    """Return the records; `_held` is what is told of each row."""
    namespaces: Mapping[str, str] = option(table, "namespaces", {})
    row = step_of(option(table, "row_tag", "row"), namespaces)
    wanted = [_wanted(table, name, namespaces) for name in by_rank(table)]
    encoding = "utf-8" if option(table, "encoding", "") else None  # what is declared, the claim has transcoded
    columns = ", ".join(f"{quoted(one.name)} string" for one in wanted)
    schema = f"{LANDING} int, {ROW_NUMBER} bigint, {RAW} string, {BROKEN} {REASON}, {HELD} array<string>, {columns}"
    drift = (table.extra_columns == "fail", table.missing_columns == "fail")
    return parsed_documents(spark, claims, partial(_parsed, row, wanted, encoding, drift, told), schema)


def names(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> list[str]:
    """Return the names of what all rows hold: children, attributes (`@name`), text of their own (`#text`)."""
    rows = _rows(spark, replace(table, extra_columns="ignore"), claims, attrgetter("names"))
    return gathered(rows.select(LANDING, F.explode(HELD).alias(FIELD)), table, claims)


def _wanted(table: Table, name: str, namespaces: Mapping[str, str]) -> Wanted:
    steps = tuple(step_of(part, namespaces) for part in split_path(name))
    kinds = [parse_type(c.type) for c in table.columns if not c.expr and c.source_name.lower() == name.lower()]
    return Wanted(name, steps, _nested(kinds[0]) if kinds else None, is_extra=name in table.source.optional)


def _nested(kind: SparkType) -> SparkType | None:
    return kind if kind.inner else None


def _parsed(
    row: Step,
    wanted: Sequence[Wanted],
    encoding: str | None,
    drift: tuple[bool, bool],
    told: Told | None,
    chunks: Iterator[bytes],
) -> Iterator[tuple[Any, ...]]:
    number = 0
    try:
        for number, found in enumerate(rows_of(chunks, row, wanted, encoding), start=1):
            yield number, found.raw, _broken(found, *drift), list(told(found)) if told else None, *found.texts
    except BrokenDocumentError as error:
        yield number + 1, "", ("", DOCUMENT, str(error)), None, *(None for _ in wanted)


def _broken(row: Row, refuse_extra: bool, refuse_missing: bool) -> tuple[str, str, str] | None:
    if row.problem:
        return "", RECORD, row.problem
    if refuse_extra and row.extra:
        return row.extra, COLUMNS, IS_EXTRA
    if refuse_missing and row.missing:
        return row.missing, COLUMNS, IS_MISSING
    return None
