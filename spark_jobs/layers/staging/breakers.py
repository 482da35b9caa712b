"""Circuit breakers: the limits of a contract, and which landings are to blame where one trips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.errors import LimitExceededError
from spark_jobs.layers.staging.books import Books, bound_of, enforce_limits, limit_words
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.records import REJECT
from spark_jobs.layers.staging.work import Work

Blame = Mapping[str, tuple[str, str | None]]


def enforce_on_snapshot(work: Work, books: Books, living: int, claims: Sequence[Claim]) -> None:
    """Enforce the limits on the snapshot that `claims` make: its landings are to blame, and no others.

    Of a snapshot in parts all that landed for it: without one of them it is not whole.
    """
    try:
        enforce_limits(work.table, books, living, work.manifest.allow)
    except LimitExceededError as error:
        reason = str(error).removeprefix(f"{work.table.name}: ").partition("; nothing was published")[0]
        at = claims[-1].landing.file_time
        parts = [one for one in work.manifest.landings if work.table.source.parts and one.file_time == at]
        mine = [claim.landing for claim in claims if claim.landing.id]
        error.landings = {landing.id: (reason, None) for landing in (*mine, *parts)}
        raise


def enforce_on_rows(work: Work, books: Books, claims: Sequence[Claim], rows: DataFrame) -> None:
    """Enforce the limits on the rows of a batch; files that break the limit by themselves are to blame, if any do."""
    living = 0 if work.table.load == "append" else None
    try:
        enforce_limits(work.table, books, living, work.manifest.allow)
    except LimitExceededError as error:
        if error.limit == "max_rejected" and len(claims) > 1:
            error.landings = _with_too_many_rejected(work.table, claims, rows)
        raise


def _with_too_many_rejected(table: Table, claims: Sequence[Claim], rows: DataFrame) -> Blame:
    limit = table.limits.max_rejected
    assert limit is not None
    refused = F.count_if(F.col(REJECT).isNotNull())
    counts = rows.groupBy("_landing").agg(F.count(F.lit(1)).alias("read"), refused.alias("rejected")).collect()
    found = {row["_landing"]: (row["rejected"], row["read"]) for row in counts}
    blamed = {}
    for claim in claims:
        rejected, read = found.get(claim.number, (0, 0))
        if rejected > bound_of(limit, read):
            reason = f"max_rejected: {rejected} of {read} records would be rejected, the limit is {limit_words(limit)}"
            blamed[claim.landing.id] = (reason, None)
    return blamed
