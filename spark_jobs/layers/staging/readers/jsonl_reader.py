"""Read claimed JSON Lines: every line that is not blank is a record, split and read in parallel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers.json_records import field_names, json_records
from spark_jobs.layers.staging.readers.lines import LINE, TEXT, invalid_text, lines
from spark_jobs.layers.staging.readers.seam import LANDING, RAW, ROW_NUMBER, with_fingerprint


def check(_spark: SparkSession, _table: Table, _claims: Sequence[Claim]) -> Iterator[ContractViolationError]:
    """Yield nothing: each record tells its own fields."""
    yield from ()


def read(spark: SparkSession, table: Table, claims: Sequence[Claim], only: DataFrame | None = None) -> list[DataFrame]:
    """Return the records of all claims (of `only` these fingerprints); `_row_number` is the line."""
    read = []
    for some in _alike(claims):
        texts = with_fingerprint(_texts(spark, some), table, RAW, only)
        read.append(json_records(texts, table, invalid_text(F.col(RAW), some)))
    return read


def names(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> list[str]:
    """Return the fields of all records."""
    return [name for some in _alike(claims) for name in field_names(_texts(spark, some), table, some)]


def _alike(claims: Sequence[Claim]) -> list[list[Claim]]:
    """Return the claims that hold anything, those together whose lines end alike."""
    alike: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.content.size:
            alike.setdefault(claim.content.line_end, []).append(claim)
    return list(alike.values())


def _texts(spark: SparkSession, claims: Sequence[Claim]) -> DataFrame:
    texts = lines(spark, claims).filter(F.col(TEXT).rlike(r"\S"))
    return texts.select(LANDING, F.col(LINE).alias(ROW_NUMBER), F.col(TEXT).alias(RAW))
