"""Stage one snapshot: compare it with the one before it by file time, and put right what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.staging import capture, quality, writers
from spark_jobs.layers.staging.books import Books
from spark_jobs.layers.staging.breakers import enforce_on_snapshot
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.computed import computed
from spark_jobs.layers.staging.correction import Correction, put_right
from spark_jobs.layers.staging.outcome import Outcome
from spark_jobs.layers.staging.records import REJECT
from spark_jobs.layers.staging.state import ROW
from spark_jobs.layers.staging.work import Work


def stage_snapshot(
    work: Work, claims: Sequence[Claim], instant: capture.Instant, listing: DataFrame, is_last: bool
) -> Outcome:
    """Stage the snapshot that `claims` make, in landing order; `listing` is the state's row about it."""
    table = work.table
    rows, warned = work.rows(claims)
    known = _known(work, instant, is_last)
    news, found = computed(capture.compare_snapshot(rows, known, table), _counts(table), keep=capture.is_news())
    if table.on_duplicate_key == "fail" and found["duplicate"]:
        raise work.reader.duplicate_keys(table, claims, found["duplicate"])
    if found["rejected"]:
        work.refuse(news.filter(F.col(REJECT).isNotNull()))
    verdicts: Mapping[str, int] = Counter()
    if found["changes"]:
        said = capture.said_by_snapshot(news, table, instant, claims[-1].landing.order)
        verdicts = put_right(work, Correction(said, found["changes"], instant, listing=listing))
    else:
        writers.write_state(work.keyed(), [listing], None, table)
    books = Books(
        read=found["read"],
        rejected=found["rejected"],
        duplicate=found["duplicate"],
        inserted=verdicts["inserted"],
        updated=verdicts["updated"],
        unchanged=found["rows"] - found["news"] + verdicts["unchanged"],
        deleted=verdicts["deleted"],
        warned=found["warned"],
    )
    enforce_on_snapshot(work, books, found["living"], claims)
    return Outcome(books, warnings=warned | quality.warnings_in(found, table))


def _known(work: Work, instant: capture.Instant, is_last: bool) -> DataFrame:
    """Return what the snapshot before this one saw, by file time."""
    stored = work.stored()
    return capture.known_now(stored, work.table) if is_last else capture.known_as_of(stored, work.table, instant.at)


def _counts(table: Table) -> list[Column]:
    """Return the aggregates over all rows of `compare_snapshot` that the books need."""
    refused, first = F.col(REJECT).isNotNull(), F.coalesce(F.col(capture.RANK), F.lit(1)) == 1
    read, is_row, is_news = F.col(capture.RANK).isNotNull(), F.col(capture.KIND) == ROW, capture.is_news()
    return [
        F.count_if(read).alias("read"),
        F.count_if(refused).alias("rejected"),
        F.count_if(is_row).alias("rows"),
        F.count_if(read & ~refused & ~first).alias("duplicate"),
        F.count_if(F.col(capture.WAS_KIND).isNotNull() & first).alias("living"),
        F.count_if(is_news & is_row).alias("news"),
        F.count_if(is_news & F.col(capture.KIND).isNotNull()).alias("changes"),
        *quality.warning_counts(table),
    ]
