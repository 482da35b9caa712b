"""The first records of a batch that were refused, for people to read."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.layers.errors import in_short

SHOWN = 5


@dataclass(frozen=True)
class Rejected:
    """One refused record: the key of its object, its number there, the column (if one is at fault) and the reason."""

    file: str
    row: int | None
    column: str | None
    reason: str


def first_rejected(quarantine: DataFrame, batch_id: str) -> tuple[Rejected, ...]:
    """Return the first refused records of a batch, by file and number."""
    rows = quarantine.filter(F.col("_batch_id") == batch_id).orderBy("_order", F.asc_nulls_first("_row_number"))
    found = rows.select("_source_file", "_row_number", "_column", "_reason").take(SHOWN)
    return tuple(Rejected(_key(row[0]), row[1], row[2] and in_short(row[2]), in_short(row[3])) for row in found)


def _key(uri: str) -> str:
    """Return the object key in an s3 URI; keys may hold ? and #, so no URL parser will do."""
    return uri.removeprefix("s3://").partition("/")[2]
