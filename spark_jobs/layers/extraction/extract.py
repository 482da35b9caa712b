"""One extraction: survey, read, write, announce, land, and only then advance the watermark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.databases import Extract
from contracts.model import Table
from spark_jobs.layers.extraction.columns import Reading
from spark_jobs.layers.extraction.database import Database
from spark_jobs.layers.extraction.failures import SourceRefusedError
from spark_jobs.layers.extraction.landing import Place, has_landed, land, write
from spark_jobs.layers.extraction.ledger import EMPTY, LANDED, LANDING, ExtractionLedger, Origin, Record
from spark_jobs.layers.extraction.resuming import way_out
from spark_jobs.layers.extraction.survey import Survey, survey
from spark_jobs.layers.shaping import quoted

MODES = ("incremental", "full")


@dataclass(frozen=True)
class Extraction:
    """One table's extraction and the world around it; `id` is the same when it is run again.

    `watermark` is the value after which to go on in place of the stored one, '' as a rule.
    """

    id: str
    table: Table
    extract: Extract
    mode: str
    database: Database
    ledger: ExtractionLedger
    s3: Any
    raw: str
    staging: str
    clock: Callable[[], datetime]
    watermark: str = ""


def run(extraction: Extraction) -> Record:
    """Extract, or finish what an earlier attempt began; return what it came to.

    Nothing but the last step touches the watermark, and nothing lands before every row is written.
    """
    _check_mode(extraction)
    if earlier := _finished(extraction):
        return earlier
    seen, now = extraction.ledger.watermark(), extraction.clock()
    stored = seen if extraction.mode == "incremental" else None
    found = survey(extraction.database, extraction.table, extraction.extract, stored, now, extraction.watermark)
    place = _place(extraction, now)
    record = Record(extraction.id, EMPTY, place.time, extraction.mode)
    if found.watermark:
        reached, origin = found.watermark, asdict(Origin.of(extraction.extract))
        record = replace(record, watermark=reached.value, watermark_kind=reached.kind, **origin)
    if not _has_nothing_new(extraction, found):
        files = extraction.database.explaining(lambda: write(_frame(extraction, found), place, extraction.s3))
        record = replace(
            record,
            state=LANDING,
            key=place.key(len(files)),
            rows=sum(file.rows for file in files),
            parts=len(files),
            bytes=sum(file.size for file in files),
        )
        extraction.ledger.announce(record)
        land(files, place, extraction.s3)
        record = replace(record, state=LANDED)
    extraction.ledger.settle(record, seen)
    return record


def _check_mode(extraction: Extraction) -> None:
    name = extraction.table.name
    if extraction.mode not in MODES:
        raise SourceRefusedError(f"{name}: mode {extraction.mode!r} is not one of {', '.join(MODES)}")
    if extraction.mode == "full" and extraction.table.load == "append":
        raise SourceRefusedError(
            f"{name}: mode full would land every row of an append table a second time. To set its watermark: "
            + way_out(extraction.table)
        )


def _finished(extraction: Extraction) -> Record | None:
    """Settle what landed before its attempt could say so; return the record if it is this extraction's own."""
    ledger = extraction.ledger
    for record in (ledger.announced(), ledger.record(extraction.id)):
        if record and record.state == LANDING and has_landed(record.key, extraction.raw, extraction.s3):
            ledger.settle(replace(record, state=LANDED), ledger.watermark())
    record = ledger.record(extraction.id)
    return record if record and record.state in (LANDED, EMPTY) else None


def _place(extraction: Extraction, now: datetime) -> Place:
    table = extraction.table
    connection = extraction.extract.connection
    return Place(extraction.raw, extraction.staging, connection, table.name, table.source.prefix, extraction.id, now)


def _has_nothing_new(extraction: Extraction, found: Survey) -> bool:
    """Tell whether there is nothing to land; where a freshness is watched, an empty landing keeps it."""
    return found.since is not None and found.rows == 0 and extraction.table.freshness is None


def _frame(extraction: Extraction, found: Survey) -> DataFrame:
    """Return the rows as they will be written; times with a zone become instants."""
    schema = ", ".join(f"{quoted(reading.name)} {reading.spark}" for reading in found.readings)
    rows = extraction.database.read(found.query, found.predicates, schema, extraction.extract.fetch_size)
    return rows.select(*(_written(reading) for reading in found.readings))


def _written(reading: Reading) -> Column:
    column = F.col(quoted(reading.name))
    return column.cast("timestamp").alias(reading.name) if reading.zoned else column
