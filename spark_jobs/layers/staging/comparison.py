"""Stage one snapshot: compare it with the one before it by file time, and put right what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.staging import capture, known_keys, newest, quality, writers
from spark_jobs.layers.staging.books import Books
from spark_jobs.layers.staging.breakers import enforce_on_snapshot
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.computed import computed, small
from spark_jobs.layers.staging.correction import Correction, put_right, write_seen
from spark_jobs.layers.staging.outcome import Outcome
from spark_jobs.layers.staging.recognition import Recognised, Texts, is_worth_it, recognise
from spark_jobs.layers.staging.records import REJECT
from spark_jobs.layers.staging.state import GONE, HELD, ROW
from spark_jobs.layers.staging.work import Work


@dataclass(frozen=True)
class Compared:
    """What a snapshot says that was not known, counts over all its records, and what the next one may recognise.

    `seen` are the keys that it sees otherwise, or by another text (None: there are none); `news` has no recognised
    records, of which there are `found["recognised"]`.
    """

    news: DataFrame
    found: Mapping[str, int]
    warned: Mapping[str, int]
    seen: DataFrame | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


def stage_snapshot(
    work: Work,
    claims: Sequence[Claim],
    instant: capture.Instant,
    listing: DataFrame,
    *,
    is_last: bool,
    texts: Texts | None = None,
) -> Outcome:
    """Stage the snapshot that `claims` make, in landing order; `listing` is the state's row about it.

    `is_last`: it follows all others; only then `texts` is given, what the state's fingerprints are worth.
    """
    table = work.table
    moved = work.moved() if is_last else 0
    known = _known(work, instant, is_last, moved)
    compared = _compare_texts(work, claims, known, moved, texts) if texts else _compare(work, claims, known)
    news, found = compared.news, compared.found
    living = found["living"] + found["recognised"]
    seen = compared.seen if is_last else None
    beside = is_last and known_keys.goes_beside(moved, found["otherwise"], living)
    is_refused = table.on_duplicate_key == "fail" and found["duplicate"]
    if is_refused and (violation := work.reader.duplicate_keys(table, claims)):
        raise violation
    if found["rejected"]:
        work.refuse(news.filter(F.col(REJECT).isNotNull()))
    verdicts: Mapping[str, int] = Counter()
    order = claims[-1].landing.order
    if not found["changes"]:
        write_seen(work, [listing], seen, beside=beside)
    elif is_last and not found["held"] and newest.tells_all(table):
        changes = newest.changes(news, table, instant, order)
        verdicts = Counter(inserted=found["inserted"], updated=found["updated"], deleted=found["deleted"])
        if verdicts.total():
            writers.write_log(work.log, newest.log_rows(changes), table, work.manifest.batch_id, work.now)
        write_seen(work, [listing, newest.entries(changes, table)], seen, beside=beside)
    else:
        said = capture.said_by_snapshot(news, table, instant, order)
        correction = Correction(said, found["changes"], instant, listing=listing, seen=seen, beside=beside)
        verdicts = put_right(work, correction)
    books = Books(
        read=found["read"] + found["recognised"],
        rejected=found["rejected"],
        duplicate=found["duplicate"],
        inserted=verdicts["inserted"],
        updated=verdicts["updated"],
        unchanged=found["recognised"] + found["rows"] - found["news"] + verdicts["unchanged"],
        deleted=verdicts["deleted"],
        warned=found["warned"],
    )
    enforce_on_snapshot(work, books, living, claims)
    warnings = {**compared.warned, **quality.warnings_in(found, table)}
    return Outcome(books, warnings=warnings, properties=compared.properties)


def _known(work: Work, instant: capture.Instant, is_last: bool, moved: int) -> DataFrame:
    """Return what the snapshot before this one saw, by file time."""
    if is_last:
        return known_keys.known_now(work.stored(), work.table, moved)
    return known_keys.known_as_of(work.stored(), work.table, instant.at)


def _compare(
    work: Work, claims: Sequence[Claim], known: DataFrame, recognised: Recognised | None = None, retexts: bool = False
) -> Compared:
    """Compare the records that were not recognised with what is known of the keys that the others do not tell of."""
    warned: Mapping[str, int] = {}
    if recognised:
        rows, known = recognised.rows, recognised.known
    else:
        records, warned = work.rows(claims)
        rows = capture.ranked(records, work.table)
    compared = capture.compare_snapshot(rows, known, work.table)
    keep = capture.is_news() | capture.is_retexted() if retexts else capture.is_news()
    news, found = computed(compared, _counts(work.table, retexts), keep)
    seen = capture.seen_otherwise(news, work.table, retexts) if found["otherwise"] else None
    counts = {**found, "recognised": recognised.count if recognised else 0}
    return Compared(
        news.filter(capture.is_news()) if retexts else news,
        counts,
        warned,
        None if seen is None else small(seen, found["otherwise"]),
    )


def _compare_texts(work: Work, claims: Sequence[Claim], known: DataFrame, moved: int, texts: Texts) -> Compared:
    """Compare fingerprints first, where they may be of use, and rows where those differ."""
    tried = texts.usable and is_worth_it(claims)
    recognised = recognise(work, claims, known, known_keys.texts_now(work.stored(), moved)) if tried else None
    in_vain = tried and recognised is None
    retexts = texts.worth_writing or not in_vain
    compared = _compare(work, claims, known, recognised, retexts)
    return replace(compared, properties=texts.told(in_vain))


def _counts(table: Table, retexts: bool) -> list[Column]:
    """Return the aggregates over all rows of `compare_snapshot` that the books need."""
    refused, first = F.col(REJECT).isNotNull(), F.coalesce(F.col(capture.RANK), F.lit(1)) == 1
    read, is_row, is_news = F.col(capture.RANK).isNotNull(), F.col(capture.KIND) == ROW, capture.is_news()
    was_known, changes = F.col(capture.WAS_KIND).isNotNull(), is_news & F.col(capture.KIND).isNotNull()
    is_gone, was_row = F.col(capture.KIND) == GONE, F.col(capture.WAS_KIND) == ROW
    return [
        F.count_if(read).alias("read"),
        F.count_if(refused).alias("rejected"),
        F.count_if(is_row).alias("rows"),
        F.count_if(read & ~refused & ~first).alias("duplicate"),
        F.count_if(was_known & first).alias("living"),
        F.count_if(is_news & is_row).alias("news"),
        F.count_if(is_news & is_row & ~was_known).alias("inserted"),
        F.count_if(is_news & is_row & was_row).alias("updated"),
        F.count_if(is_news & is_gone & was_row).alias("deleted"),
        F.count_if(changes).alias("changes"),
        F.count_if(changes & (F.col(capture.WAS_KIND) == HELD)).alias("held"),
        F.count_if(capture.sees_otherwise(retexts)).alias("otherwise"),
        *quality.warning_counts(table),
    ]
