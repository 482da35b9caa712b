"""Stage the landings of a batch on the branches of its tables: appended rows, and events of keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from spark_jobs.layers.staging import capture, partial, quality, truncation, writers
from spark_jobs.layers.staging.books import Books
from spark_jobs.layers.staging.breakers import enforce_on_files
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.computed import computed
from spark_jobs.layers.staging.correction import Correction, put_right
from spark_jobs.layers.staging.landings import is_named
from spark_jobs.layers.staging.outcome import Outcome
from spark_jobs.layers.staging.records import DELETING, REJECT, TRUNCATING
from spark_jobs.layers.staging.work import Work


def stage_append(work: Work, claims: Sequence[Claim]) -> Outcome:
    """Append every good row; rows of the same or of retired landings leave first."""
    rows, warned = work.rows(claims)
    _retire(work)
    counts = Observation()
    refused = F.col(REJECT).isNotNull()
    seen = rows.observe(
        counts,
        F.count(F.lit(1)).alias("read"),
        F.count_if(refused).alias("rejected"),
        *quality.warning_counts(work.table),
    )
    writers.write_append(work.log, seen, work.table, work.manifest.batch_id, work.now)
    found = counts.get
    inserted = found["read"] - found["rejected"]
    books = Books(read=found["read"], rejected=found["rejected"], inserted=inserted, warned=found["warned"])
    if books.rejected:
        work.refuse(rows.filter(refused))
    enforce_on_files(work, claims, books, lambda: _written(work))
    warned |= quality.warnings_in(found, work.table)
    return Outcome(books, warnings=warned)


def stage_events(work: Work, claims: Sequence[Claim]) -> Outcome:
    """Stage an upsert or changes load: every row is an event of its key."""
    table = work.table
    judged, warned = work.rows(claims)
    rows, found = computed(
        judged,
        [
            F.count(F.lit(1)).alias("read"),
            F.count_if(F.col(REJECT).isNotNull()).alias("rejected"),
            F.count_if(F.col(REJECT).isNull() & F.col(DELETING)).alias("deleting"),
            *quality.warning_counts(table),
        ],
    )
    if found["rejected"]:
        work.refuse(rows.filter(F.col(REJECT).isNotNull()))
    correction = _correction(work, rows.filter(F.col(REJECT).isNull()), found["read"])
    verdicts = put_right(work, correction)
    rowed = sum(verdicts[word] for word in ("inserted", "updated", "unchanged"))
    books = Books(
        read=found["read"],
        rejected=found["rejected"],
        deleting=found["deleting"],
        inserted=verdicts["inserted"],
        updated=verdicts["updated"],
        unchanged=verdicts["unchanged"],
        duplicate=found["read"] - found["rejected"] - found["deleting"] - rowed,
        deleted=verdicts["deleted"],
        warned=found["warned"],
    )
    enforce_on_files(work, claims, books, lambda: _by_order(rows))
    warned |= quality.warnings_in(found, table)
    return Outcome(books, warnings=warned)


def _by_order(rows: DataFrame) -> Mapping[str, Books]:
    """Count the rows of each landing, by its order: read and refused."""
    refused = F.count_if(F.col(REJECT).isNotNull()).alias("rejected")
    found = rows.groupBy("_order").agg(F.count(F.lit(1)).alias("read"), refused).collect()
    return {row["_order"]: Books(read=row["read"], rejected=row["rejected"]) for row in found}


def _written(work: Work) -> Mapping[str, Books]:
    """Count what was appended and what was refused of each landing: a look at what is written, not at the files."""
    mine = F.col("_batch_id") == work.manifest.batch_id
    good = work.log.read().filter(mine).select("_order", F.lit(None).alias(REJECT))
    refused = work.quarantine.read().filter(mine).select("_order", F.lit(True).alias(REJECT))
    return _by_order(good.union(refused))


def _correction(work: Work, good: DataFrame, count: int) -> Correction:
    """Return what good rows say; records that empty the table say it of every key."""
    table, manifest = work.table, work.manifest
    if table.updates == "partial":
        return partial.correction(work, good)
    if not table.truncate_when:
        return Correction(capture.said_by_events(good, table), count, orders=manifest.orders, names=manifest.gone)
    fresh = truncation.truncations(good, table)
    went = truncation.forget(work)
    return Correction(
        capture.said_by_events(good.filter(~F.col(TRUNCATING)), table),
        count,
        orders=manifest.orders,
        names=manifest.gone,
        listing=fresh,
        for_all=went or bool(fresh.take(1)),
    )


def _retire(work: Work) -> None:
    """Remove the rows that landings of this batch, or landings that count no more, have in the log already."""
    orders, names = work.manifest.orders, work.manifest.gone
    lake, table = work.log.lake, work.log.table
    if work.base is None or not (names or lake.may_hold(table, "_order", orders)):
        return
    theirs = work.log.read().filter(is_named(F.col("_order"), orders, names)).select("_order").distinct()
    if theirs.take(1):
        work.log.remove(theirs)
