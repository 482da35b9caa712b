"""Read claimed JSON Lines: every line that is not blank is a record, split and read in parallel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers.json_records import json_records
from spark_jobs.layers.staging.readers.lines import LINE, TEXT, invalid_text, lines
from spark_jobs.layers.staging.readers.seam import LANDING, RAW, ROW_NUMBER


def check(_spark: SparkSession, _table: Table, _claims: Sequence[Claim]) -> Iterator[ContractViolationError]:
    """Yield nothing: each record tells its own fields."""
    yield from ()


def read(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> list[DataFrame]:
    """Return the records of all claims; `_row_number` is the line."""
    alike: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.content.size:
            alike.setdefault(claim.content.line_end, []).append(claim)
    frames = []
    for some in alike.values():
        texts = lines(spark, some).filter(F.col(TEXT).rlike(r"\S"))
        named = texts.select(LANDING, F.col(LINE).alias(ROW_NUMBER), F.col(TEXT).alias(RAW))
        frames.append(json_records(named, table, invalid_text(F.col(RAW), some)))
    return frames
