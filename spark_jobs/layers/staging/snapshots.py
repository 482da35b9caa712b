"""Stage snapshots: which landings make the snapshot of each file time, and what a batch changes in that."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.lake import PROPERTY
from spark_jobs.layers.staging import capture, recognition, writers
from spark_jobs.layers.staging.books import Books
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.comparison import stage_snapshot
from spark_jobs.layers.staging.correction import Correction, put_right
from spark_jobs.layers.staging.landings import Landing, landing_of, name_in, whole_snapshot
from spark_jobs.layers.staging.outcome import Outcome, together
from spark_jobs.layers.staging.state import PART, SNAPSHOT
from spark_jobs.layers.staging.work import Work

NEWEST = "newest"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOST_TOLD = 100

Listing = Mapping[datetime, Mapping[str, str]]
"""The landings of each file time: their orders with their version ids."""


@dataclass(frozen=True)
class Step:
    """What happens at one file time: which landings make its snapshot and made it before, and all its landings."""

    at: datetime
    chosen: tuple[str, ...]
    before: tuple[str, ...]
    landings: Mapping[str, str]
    was_listed: bool


def stage_snapshots(work: Work, claims: Sequence[Claim]) -> Outcome:
    """Stage snapshots in the order of their file times; of several at one time rule 11 of SEMANTICS decides."""
    had = _listed(work)
    has = _with_landings(had, claims, work.manifest.gone)
    by_order = {claim.landing.order: claim for claim in claims}
    staged = {at: chosen(work.table, landings) for at, landings in had.items()}
    told = recognition.told_of(work)
    outcomes: list[Outcome] = []
    for step in _steps(work.table, had, has, by_order):
        outcomes.append(_stage(work, step, staged, by_order, recognition.texts_of(work.table, told)))
        told = outcomes[-1].properties.get(recognition.NAME, told)
        staged.pop(step.at, None)
        if step.chosen:
            staged[step.at] = step.chosen
    superseded = [c.landing.id for c in claims if c.landing.order not in staged.get(c.landing.file_time, ())]
    properties = _newest(staged, has) | ({recognition.NAME: told} if told else {})
    return replace(together(outcomes), superseded=tuple(superseded), properties=properties)


def chosen(table: Table, landings: Mapping[str, str]) -> tuple[str, ...]:
    """Return the orders of the landings that make the snapshot of a file time (rule 11)."""
    ordered = tuple(sorted(landings))
    if table.source.parts:
        parts = whole_snapshot(table.source.parts, [landing_of(order, landings[order]) for order in ordered])
        return tuple(part.order for part in parts)
    return ordered if table.on_missing == "keep" else ordered[-1:]


def _with_landings(had: Listing, claims: Sequence[Claim], gone: Collection[str]) -> dict[datetime, dict[str, str]]:
    """Return the listing after the batch: what is gone leaves, what is claimed comes."""
    has = {at: {o: v for o, v in landings.items() if name_in(o) not in gone} for at, landings in had.items()}
    for claim in claims:
        has.setdefault(claim.landing.file_time, {})[claim.landing.order] = claim.landing.version_id
    return has


def _steps(table: Table, had: Listing, has: Listing, claimed: Collection[str]) -> list[Step]:
    """Return the file times at which something is new, oldest first."""
    steps = []
    for at in sorted(has):
        before, after = chosen(table, had.get(at, {})), chosen(table, has[at])
        if had.get(at) != has[at] or any(order in claimed for order in after):
            steps.append(Step(at, after, before, has[at], at in had))
    return steps


def _stage(
    work: Work,
    step: Step,
    staged: Mapping[datetime, tuple[str, ...]],
    by_order: Mapping[str, Claim],
    texts: recognition.Texts | None,
) -> Outcome:
    """Stage, restage or take back the snapshot of one file time, and list its landings."""
    following = min((at for at in staged if at > step.at), default=None)
    instant = capture.Instant(step.at, following, staged[following][-1] if following else None)
    work.quarantine.forget([order for order in step.landings if order not in step.chosen], ())
    if step.was_listed:
        writers.remove_listing(work.keyed(), step.at)
    if not step.chosen:
        put_right(work, Correction(None, instant=instant))
        return Outcome(Books())
    told = json.dumps(sorted(step.landings.items()))
    listing = writers.listing(work.log.lake.spark, step.at, step.chosen[-1], told)
    fresh = [by_order[order] for order in step.chosen if order in by_order]
    if step.chosen == step.before and not fresh:
        writers.write_state(work.keyed(), [listing], None, work.table)
        return Outcome(Books())
    others = [landing_of(order, step.landings[order]) for order in step.chosen if order not in by_order]
    work.quarantine.forget([landing.order for landing in others], ())
    claims = [*fresh, *_read_again(work, others, fresh)]
    claims.sort(key=lambda claim: claim.landing.order)
    is_last = all(at < step.at for at in staged)
    return stage_snapshot(work, claims, instant, listing, is_last=is_last, texts=texts if is_last else None)


def _read_again(work: Work, others: Sequence[Landing], fresh: Sequence[Claim]) -> list[Claim]:
    """Claim the files of a snapshot that were staged before; where one cannot be read, those that came are to blame."""
    try:
        return work.reader.claim(work.table, others) if others else []
    except ContractViolationError as error:
        why = f"a file of the same snapshot, staged before, cannot be read again: {error}; then replay both"
        blamed = [claim.landing for claim in fresh] or work.manifest.landings
        told = f"{work.table.name}: file {blamed[0].key}: {why}" if blamed else why
        raise ContractViolationError(told, {one.id: (why, None) for one in blamed}) from error


def _listed(work: Work) -> Listing:
    """Return the landings of the file times that are staged; of the last alone where no other matters."""
    if work.base is None:
        return {}
    if PROPERTY + NEWEST in work.base.summary:
        told: Any = json.loads(work.base.summary[PROPERTY + NEWEST])
        at = _EPOCH + told["at"] * _MICROSECOND
        if not work.manifest.gone and all(landing.file_time > at for landing in work.manifest.landings):
            return {at: told["landings"]}
    rows = work.keyed().read().filter(F.col(PART) == SNAPSHOT)
    found = rows.select(F.unix_micros("_at"), "_landings").collect()
    return {_EPOCH + micros * _MICROSECOND: dict(json.loads(landings)) for micros, landings in found}


def _newest(staged: Mapping[datetime, tuple[str, ...]], has: Listing) -> dict[str, str]:
    """Return the property that spares the next batch a look at the whole list."""
    at = max(staged, default=None)
    if at is None or len(has[at]) > _MOST_TOLD:
        return {}
    return {NEWEST: json.dumps({"at": (at - _EPOCH) // _MICROSECOND, "landings": dict(has[at])}, sort_keys=True)}
