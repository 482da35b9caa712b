"""Stage the landings of a batch on the branches of its tables, by the contract's `load`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.lake import Branch
from spark_jobs.layers.shaping import conformed
from spark_jobs.layers.staging import capture, quality, writers
from spark_jobs.layers.staging.books import Books, enforce_limits
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.landings import Landing, Manifest, by_file_time, landing_of, whole_snapshot
from spark_jobs.layers.staging.outcome import Outcome, together
from spark_jobs.layers.staging.reading import Reader
from spark_jobs.layers.staging.records import DELETING, REJECT
from spark_jobs.layers.staging.state import ENTRY, PART, ROW, SNAPSHOT, log_schema, state_schema


@dataclass(frozen=True)
class Work:
    """What staging a batch works with: contract, manifest, reader, one branch for each table, the clock."""

    table: Table
    manifest: Manifest
    reader: Reader
    log: Branch
    quarantine: Branch
    state: Branch | None
    now: datetime


@dataclass(frozen=True)
class Listed:
    """A snapshot that is staged: its file time, the order of its last landing, and all its landings."""

    at: datetime
    order: str
    landings: tuple[tuple[str, str], ...]


def stage_append(work: Work, claims: Sequence[Claim]) -> Outcome:
    """Append every good row; rows of the same or of retired landings leave first."""
    rows, warned = _rows(work, claims)
    _retire(work, [claim.landing.order for claim in claims])
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
        _quarantine(work, rows.filter(refused))
    enforce_limits(work.table, books, 0, work.manifest.allow)
    warned |= quality.warnings_in(found, work.table)
    return Outcome(books, quarantined=books.rejected > 0, warnings=warned)


def stage_events(work: Work, claims: Sequence[Claim]) -> Outcome:
    """Stage an upsert or changes load: every row is an event of its key."""
    table = work.table
    counts = Observation()
    judged, warned = _rows(work, claims)
    rows = judged.observe(
        counts,
        F.count(F.lit(1)).alias("read"),
        F.count_if(F.col(REJECT).isNotNull()).alias("rejected"),
        F.count_if(F.col(REJECT).isNull() & F.col(DELETING)).alias("deleting"),
        *quality.warning_counts(table),
    )
    news = _spooled(work, rows, "events")
    found = counts.get
    if found["rejected"]:
        _quarantine(work, news.filter(F.col(REJECT).isNotNull()))
    good = news.filter(F.col(REJECT).isNull())
    verdicts = _put_right(work, capture.event_observations(good, table), good, None)
    rowed = sum(verdicts.get(word, 0) for word in ("inserted", "updated", "unchanged"))
    books = Books(
        read=found["read"],
        rejected=found["rejected"],
        deleting=found["deleting"],
        inserted=verdicts.get("inserted", 0),
        updated=verdicts.get("updated", 0),
        unchanged=verdicts.get("unchanged", 0),
        duplicate=found["read"] - found["rejected"] - found["deleting"] - rowed,
        deleted=verdicts.get("deleted", 0),
        warned=found["warned"],
    )
    enforce_limits(table, books, None, work.manifest.allow)
    warned |= quality.warnings_in(found, table)
    return Outcome(books, quarantined=books.rejected > 0, warnings=warned)


def stage_snapshots(work: Work, claims: Sequence[Claim]) -> Outcome:
    """Stage snapshots one file time after the other; of several at one time rule 11 of SEMANTICS decides."""
    listed = _listing(work)
    superseded: list[str] = []
    outcomes: list[Outcome] = []
    by_order = {claim.landing.order: claim for claim in claims}
    for at, landings in by_file_time([claim.landing for claim in claims]):
        before = listed.get(at)
        chosen, beaten = _chosen(work.table, landings, before)
        superseded += [landing.id for landing in beaten]
        if not chosen:
            continue
        parts = [by_order[one.order] for one in chosen if one.order in by_order]
        parts += work.reader.claim(work.table, [one for one in chosen if one.order not in by_order])
        following = min((one for one in listed.values() if one.at > at), key=lambda one: one.at, default=None)
        instant = capture.Instant(at)
        if following:
            instant = capture.Instant(at, following.at, following.order)
        last = all(one.at < at for one in listed.values())
        outcomes.append(_stage_snapshot(work, parts, instant, last, chosen[-1].order))
        listed[at] = Listed(at, chosen[-1].order, tuple((one.order, one.version_id) for one in chosen))
        _list(work, listed[at], replaces=before is not None)
    return replace(together(outcomes), superseded=tuple(superseded))


def _stage_snapshot(work: Work, claims: Sequence[Claim], instant: capture.Instant, last: bool, order: str) -> Outcome:
    table, stored = work.table, _stored(work)
    known = capture.known_now(stored, table) if last else capture.known_as_of(stored, table, instant.at)
    counts = Observation()
    refused, first = F.col(REJECT).isNotNull(), F.coalesce(F.col(capture.RANK), F.lit(1)) == 1
    read = F.col(capture.RANK).isNotNull()
    rows, warned = _rows(work, claims)
    compared = capture.compare_snapshot(rows, known, table).observe(
        counts,
        F.count_if(read).alias("read"),
        F.count_if(refused).alias("rejected"),
        F.count_if(F.col(capture.KIND) == ROW).alias("rows"),
        F.count_if(read & ~refused & ~first).alias("duplicate"),
        F.count_if(F.col(capture.WAS_KIND).isNotNull() & first).alias("living"),
        F.count_if(capture.is_news() & (F.col(capture.KIND) == ROW)).alias("news"),
        F.count_if(capture.is_news() & F.col(capture.KIND).isNotNull()).alias("changes"),
        *quality.warning_counts(table),
    )
    news = _spooled(work, compared.filter(capture.is_news()), f"snapshot-{instant.at:%Y%m%dT%H%M%S%f}")
    found = counts.get
    if table.on_duplicate_key == "fail" and found["duplicate"]:
        raise work.reader.duplicate_keys(table, claims, found["duplicate"])
    if found["rejected"]:
        _quarantine(work, news.filter(refused))
    verdicts: dict[str, int] = {}
    if found["changes"]:
        fresh = capture.snapshot_observations(news, table, instant, order)
        verdicts = _put_right(work, fresh, news, instant, last)
    books = Books(
        read=found["read"],
        rejected=found["rejected"],
        duplicate=found["duplicate"],
        inserted=verdicts.get("inserted", 0),
        updated=verdicts.get("updated", 0),
        unchanged=found["rows"] - found["news"] + verdicts.get("unchanged", 0),
        deleted=verdicts.get("deleted", 0),
        warned=found["warned"],
    )
    enforce_limits(table, books, found["living"], work.manifest.allow)
    warned |= quality.warnings_in(found, table)
    return Outcome(books, quarantined=books.rejected > 0, warnings=warned)


def _rows(work: Work, claims: Sequence[Claim]) -> tuple[DataFrame, dict[str, int]]:
    return quality.read_judged(work.reader, work.log.lake, work.table, claims)


def _put_right(
    work: Work, fresh: DataFrame, news: DataFrame, instant: capture.Instant | None, last: bool = False
) -> dict[str, int]:
    """Bring log and state of the keys in `fresh` to what their observations say; return verdict counts."""
    table, state = work.table, _state(work)
    stored = _stored(work)
    entries = stored.filter(F.col(PART) == ENTRY).join(
        fresh.select(*table.key).distinct(), on=list(table.key), how="left_semi"
    )
    label = f"{instant.at:%Y%m%dT%H%M%S%f}" if instant else "events"
    recomputed = capture.recompute(fresh, capture.stored_observations(entries, table), table, instant)
    keys = _spooled(work, recomputed, f"keys-{label}")
    found = keys.agg(*_counts()).first()
    assert found is not None
    values = writers.payloads(news, table, None, None)
    if found["restores"]:
        logged = conformed(work.log.read(), log_schema(table))
        older = logged.join(keys.select(*table.key), on=list(table.key), how="left_semi")
        values = _spooled(work, writers.payloads(news, table, older, entries), f"values-{label}")
    if found["log_changes"]:
        removes = bool(found["log_removes"])
        writers.write_log(work.log, keys, values, table, work.manifest.batch_id, work.now, removes)
    if found["state_changes"]:
        writers.write_state(state, keys, values, table, bool(found["state_removes"]))
        if last:
            current = capture.current_rows(capture.known_now(stored, table), keys, table)
            writers.write_current(state, current, table)
    return {word: found[word] for word in _VERDICTS if found[word]}


_VERDICTS = ("inserted", "updated", "unchanged", "deleted")


def _counts() -> list[Any]:
    log_adds = F.array_except(capture.LOG, capture.OLD_LOG)
    log_gone = F.array_except(capture.OLD_LOG, capture.LOG)
    state_adds = F.array_except(capture.ENTRIES, capture.OLD)
    state_gone = F.array_except(capture.OLD, capture.ENTRIES)

    def is_old(hash_of: Any) -> Any:
        return ~F.coalesce(F.array_contains("_fresh", hash_of), F.lit(False))

    restored = F.exists(log_adds, lambda e: (e["op"] != "D") & is_old(e["hash"])) | F.exists(
        state_adds, lambda o: (o["kept"] == 1) & is_old(o["hash"])
    )

    def times(word: str) -> Any:
        return F.sum(F.size(F.filter(capture.VERDICTS, lambda v: v == word))).alias(word)

    return [
        F.coalesce(F.max(restored), F.lit(False)).alias("restores"),
        F.sum(F.size(log_adds) + F.size(log_gone)).alias("log_changes"),
        F.sum(F.size(log_gone)).alias("log_removes"),
        F.sum(F.size(state_adds) + F.size(state_gone)).alias("state_changes"),
        F.sum(F.size(state_gone)).alias("state_removes"),
        *(times(word) for word in _VERDICTS),
    ]


def _chosen(table: Table, landings: Sequence[Landing], before: Listed | None) -> tuple[list[Landing], list[Landing]]:
    """Return the landings that make the snapshot of one file time, and those without effect (rule 11)."""
    staged = [landing_of(order, version) for order, version in before.landings] if before else []
    orders = {landing.order for landing in landings}
    together = sorted([*landings, *(s for s in staged if s.order not in orders)], key=lambda one: one.order)
    if table.source.parts:
        whole = whole_snapshot(table.source.parts, together)
        beaten = [landing for landing in landings if landing not in whole]
        return ([] if len(beaten) == len(landings) else whole), beaten
    if table.on_missing == "keep":
        return together, []
    last = together[-1]
    beaten = [landing for landing in landings if landing.order != last.order]
    return ([last] if last.order in orders else []), beaten


def _listing(work: Work) -> dict[datetime, Listed]:
    rows = _state(work).read().filter(F.col(PART) == SNAPSHOT)
    found = rows.select(F.unix_micros("_at").alias("at"), "_order", "_landings").collect()
    times = [datetime.fromtimestamp(row.at / 1_000_000, UTC) for row in found]
    return {
        at: Listed(at, row["_order"], tuple((o, v) for o, v in json.loads(row["_landings"])))
        for at, row in zip(times, found, strict=True)
    }


def _list(work: Work, listed: Listed, replaces: bool) -> None:
    writers.write_listing(_state(work), work.table, listed.at, listed.order, json.dumps(listed.landings), replaces)


def _retire(work: Work, orders: Sequence[str]) -> None:
    """Remove the rows of these landings and of the batch's retired ones, where any stand in the log."""
    retired = F.lit(False)
    for key, sequencer in sorted(work.manifest.retired):
        parts = F.split("_order", "\t")
        retired = retired | ((F.get(parts, F.lit(2)) == key) & F.get(parts, F.lit(3)).startswith(sequencer.upper()))
    log = work.log.read()
    gone = log.filter(F.col("_order").isin(list(orders)) | retired).select("_order").distinct()
    if gone.take(1):
        work.log.remove(gone)


def _quarantine(work: Work, refused: DataFrame) -> None:
    work.reader.refuse_fatal(work.table, refused)
    writers.write_quarantine(work.quarantine, refused, work.manifest.batch_id, work.now)


def _spooled(work: Work, rows: DataFrame, name: str) -> DataFrame:
    """Write rows to the batch's scratch folder once, so that a file is parsed once; return them as read back."""
    uri = work.reader.work(name)
    rows.write.mode("overwrite").parquet(uri)
    return rows.sparkSession.read.schema(rows.schema).parquet(uri)


def _stored(work: Work) -> DataFrame:
    """Return the key state in the contract's columns: the table keeps those that a contract has dropped."""
    return conformed(_state(work).read(), state_schema(work.table))


def _state(work: Work) -> Branch:
    assert work.state is not None, "only keyed loads have a key state"
    return work.state
