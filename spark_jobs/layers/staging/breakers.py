"""Circuit breakers: the limits of a contract, and which landings are to blame where one trips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from contracts.model import Limits, Table
from spark_jobs.layers.errors import LimitExceededError
from spark_jobs.layers.staging.books import Books, enforce_limits
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.work import Work
from spark_jobs.layers.steps import reached


def enforce_on_snapshot(work: Work, books: Books, living: int, claims: Sequence[Claim]) -> None:
    """Enforce the limits on the snapshot that `claims` make: its landings are to blame, and no others.

    Of a snapshot in parts all that landed for it: without one of them it is not whole.
    """
    reached("check")
    try:
        enforce_limits(work.table, work.table.limits, books, living, work.manifest)
    except LimitExceededError as error:
        reason = _reason(error, work.table)
        at = claims[-1].landing.file_time
        parts = [one for one in work.manifest.landings if work.table.source.parts and one.file_time == at]
        mine = [claim.landing for claim in claims if claim.landing.id]
        error.landings = {landing.id: (reason, None) for landing in (*mine, *parts)}
        raise


def enforce_on_files(
    work: Work, claims: Sequence[Claim], together: Books, by_order: Callable[[], Mapping[str, Books]]
) -> None:
    """Enforce the limits on each file of a feed, whatever else its batch holds: those that break one are to blame.

    `together` are the books of the batch, `by_order` counts those of each landing. Deletions are counted of the batch:
    no file alone tells which keys go.
    """
    reached("check")
    table, manifest = work.table, work.manifest
    enforce_limits(table, Limits(max_deleted=table.limits.max_deleted), together, None, manifest)
    limits = replace(table.limits, max_deleted=None)
    if limits == Limits():
        return
    books = {claims[0].landing.order: together} if len(claims) == 1 else by_order()
    first: LimitExceededError | None = None
    blamed: dict[str, tuple[str, str | None]] = {}
    for claim in claims:
        try:
            enforce_limits(table, limits, books.get(claim.landing.order, Books()), None, manifest)
        except LimitExceededError as error:
            first = first or error
            blamed[claim.landing.id] = (_reason(error, table), None)
    if first:
        first.landings = blamed
        raise first


def _reason(error: LimitExceededError, table: Table) -> str:
    return str(error).removeprefix(f"{table.name}: ").partition("; nothing was published")[0]
