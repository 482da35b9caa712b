"""Read claimed CSV files into records: every declared source column as text, nothing dropped."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from contracts.model import Table
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.staging.claims import Claim

BROKEN = "_broken"
LANDING = "_landing"
ROW_NUMBER = "_row_number"
_NO_NULL = "\x00landfall-null\x00"
_INDEX_MASK = (1 << 33) - 1


def read_csv(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> DataFrame:
    """Return the records of all claims: source columns (string), `_broken`, `_landing`, `_row_number`.

    `_broken` holds the raw text of a record that does not fit the header, else NULL. `_landing` is the claim's
    number. `_row_number` is the record's number in its file from 1; behind a file's first split it is the
    split's byte offset plus the number in the split, so that it still orders the records of the file.
    """
    by_header: dict[tuple[str, ...], list[str]] = {}
    for claim in claims:
        header = check_header(table, claim)
        if header is not None:
            by_header.setdefault(header, []).append(claim.uri)
    names = source_names(table)
    frames = [
        _read_alike(spark, table, header, uris).select(
            *(_field(name, header) for name in names), BROKEN, LANDING, ROW_NUMBER
        )
        for header, uris in by_header.items()
    ]
    if not frames:
        schema = StructType([StructField(name, StringType()) for name in (*names, BROKEN)])
        return spark.createDataFrame([], schema.add(LANDING, "int").add(ROW_NUMBER, "bigint"))
    records = frames[0]
    for frame in frames[1:]:
        records = records.unionByName(frame)
    return records


def source_names(table: Table) -> tuple[str, ...]:
    """Return the names of the source columns that the contract reads, once each, without regard to case."""
    return table.source_names


def _read_alike(spark: SparkSession, table: Table, header: tuple[str, ...], uris: list[str]) -> DataFrame:
    schema = StructType([StructField(f"c{i}", StringType()) for i in range(len(header))])
    rows = spark.read.csv(
        uris,
        schema=schema.add(BROKEN, StringType()),
        header=bool(_option(table, "header", True)),
        enforceSchema=True,
        mode="PERMISSIVE",
        columnNameOfCorruptRecord=BROKEN,
        sep=_option(table, "delimiter", ","),
        quote=_option(table, "quote", '"'),
        escape=_option(table, "escape", _option(table, "quote", '"')),
        encoding=_option(table, "encoding", "utf-8"),
        multiLine=bool(_option(table, "multiline", True)),
        nullValue=_NO_NULL,
        emptyValue="",
        maxCharsPerColumn=-1,
    )
    number = F.monotonically_increasing_id().bitwiseAND(F.lit(_INDEX_MASK)) + F.input_file_block_start() + 1
    index = F.regexp_extract(F.input_file_name(), r"/(\d+)\.csv[^/]*$", 1).cast("int")
    return rows.select("*", index.alias(LANDING), number.cast("bigint").alias(ROW_NUMBER))


def _field(name: str, header: tuple[str, ...]) -> Column:
    places = {column.lower(): place for place, column in enumerate(header)}
    place = places.get(name.lower())
    value = F.lit(None).cast("string") if place is None else F.col(f"c{place}")
    return value.alias(name)


def check_header(table: Table, claim: Claim) -> tuple[str, ...] | None:
    """Return the column names of a file (None when it is empty).

    ContractViolationError when they break the contract's `extra_columns` or `missing_columns`.
    """
    text = claim.head.decode(_option(table, "encoding", "utf-8"), errors="replace").removeprefix("\ufeff")
    if not text.strip():
        return None
    if not _option(table, "header", True):
        return source_names(table)
    reader = csv.reader(
        io.StringIO(text),
        delimiter=_option(table, "delimiter", ","),
        quotechar=_option(table, "quote", '"'),
    )
    header = tuple(name.strip() for name in next(reader))
    check_columns(table, claim, header)
    return header


def check_columns(table: Table, claim: Claim, found: Sequence[str]) -> None:
    """Refuse a file whose columns break the contract's `extra_columns` and `missing_columns`."""
    have, want = {name.lower() for name in found}, {name.lower() for name in source_names(table)}
    missing = [name for name in source_names(table) if name.lower() not in have]
    extra = [name for name in found if name.lower() not in want]
    twice = sorted({name for name in found if [f.lower() for f in found].count(name.lower()) > 1})
    if twice:
        _refuse(table, claim, twice[0], f"column {twice[0]} stands more than once in the header")
    if missing and (table.missing_columns == "fail" or _needed(table, missing)):
        _refuse(
            table,
            claim,
            missing[0],
            f"column {', '.join(missing)} is missing (the file has {', '.join(found)}); send it, or allow it "
            "with missing_columns: null",
        )
    if extra and table.extra_columns == "fail":
        _refuse(
            table,
            claim,
            extra[0],
            f"column {', '.join(extra)} is not in the contract; declare it, or allow it with extra_columns: ignore",
        )


def _needed(table: Table, missing: Sequence[str]) -> bool:
    needed = {*table.key, table.effective_at.column}
    sources = {name.lower() for column in table.columns if column.name in needed for name in column.sources}
    return any(name.lower() in sources for name in missing)


def _refuse(table: Table, claim: Claim, column: str, reason: str) -> None:
    raise ContractViolationError(
        f"{table.name}: file {claim.landing.key}: {reason}", {claim.landing.id: (reason, column)}
    )


def _option(table: Table, name: str, default: Any) -> Any:
    options: Mapping[str, Any] = table.source.options
    return options.get(name, default)
