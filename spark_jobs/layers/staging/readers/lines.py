"""The lines of claimed text files, numbered and read in parallel."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers.seam import LANDING

LINE, TEXT = "_line", "_text"
_INDEX_MASK = (1 << 33) - 1
_SPLITS = 1 << 20


def landing_number(claims: Sequence[Claim]) -> Column:
    """Return the number of the claim that a row is of; of several the name of its copy tells, which it begins with."""
    if len(claims) == 1:
        return F.lit(claims[0].number)
    name = F.substring_index(F.input_file_name(), "/", -1)
    return F.substring_index(name, ".", 1).cast("int")


def lines(spark: SparkSession, claims: Sequence[Claim]) -> DataFrame:
    """Return `_landing`, `_line` (from 1) and `_text` of claims whose lines end alike.

    Spark reads each split of a file in a partition of its own (`session.configure` sees to it), so that a line's
    number is its place in the partition behind the lines that the scan counted before the split.
    """
    end = claims[0].content.line_end
    frame = spark.read.option("lineSep", end).text([claim.uri for claim in claims])
    index = F.monotonically_increasing_id().bitwiseAND(F.lit(_INDEX_MASK))
    number = (index + _lines_before(claims) + 1).cast("bigint")
    return frame.select(landing_number(claims).alias(LANDING), number.alias(LINE), F.col("value").alias(TEXT))


def without_return(text: Column, line_end: str) -> Column:
    """Return lines without the carriage return of CRLF, or the several that Windows can make of one."""
    if line_end != "\n":
        return text
    bare = F.when(text.endswith("\r\r"), F.regexp_replace(text, r"\r+\z", ""))
    return bare.when(text.endswith("\r"), text.substr(F.lit(1), F.length(text) - 1)).otherwise(text)


def _lines_before(claims: Sequence[Claim]) -> Column:
    """Return how many lines lie before the split that is read; a split begins behind its first line end."""
    split_claims = [claim for claim in claims if claim.content.lines_before]
    if not split_claims:
        return F.lit(0)
    split = (F.input_file_block_start() / F.lit(split_claims[0].content.split_bytes)).cast("int")
    if len(claims) == 1:
        return F.get(F.array(F.lit(0), *(F.lit(count + 1) for count in claims[0].content.lines_before)), split)
    parts = []
    for claim in split_claims:
        for number, count in enumerate(claim.content.lines_before, start=1):
            parts += [F.lit(claim.number * _SPLITS + number), F.lit(count + 1)]
    place: Column = landing_number(claims).cast("bigint") * _SPLITS + split
    return F.coalesce(F.try_element_at(F.create_map(*parts), place), F.lit(0))


def invalid_text(text: Column, claims: Sequence[Claim]) -> Column | None:
    """Tell the texts whose bytes are no UTF-8; None where the scan found all claims clean."""
    dirty = [claim.number for claim in claims if not claim.content.is_text]
    if not dirty:
        return None
    raw = text.cast("binary")
    return F.col(LANDING).isin(dirty) & (F.encode(F.decode(raw, "UTF-8"), "UTF-8") != raw)
