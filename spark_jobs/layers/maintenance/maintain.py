"""Maintain the tables of a pipeline, one after the other; what one table lacks does not keep the others waiting."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pyspark.sql import functions as F

from contracts.model import Mart, Plan
from spark_jobs.layers.errors import ConcurrentPublishError, LandfallJobError
from spark_jobs.layers.java import elements
from spark_jobs.layers.lake import Lake, branch_name, is_empty
from spark_jobs.layers.maintenance import refs, retention, rewriting, state
from spark_jobs.layers.maintenance.policy import Policy, Tended, milliseconds
from spark_jobs.layers.marts import history as history_mart
from spark_jobs.layers.marts.events import AT
from spark_jobs.layers.staging import crawled

BUSY = "a batch works on it: it is compacted next time"
OVERTAKEN = "a batch was published meanwhile: what was left undone is done next time"


class MaintenanceFailedError(LandfallJobError):
    """Some tables could not be maintained; the others were."""


@dataclass(frozen=True)
class Item:
    """One table to maintain: its identifier, which marts read it, and what else hangs on it.

    `mark` is the summary property whose newest bearer must stay; `log` is the change log that names the snapshot
    of a key state.
    """

    table: str
    readers: Mapping[str, int]
    mark: str = ""
    log: str = ""
    history: Mart | None = None


def maintain(lake: Lake, plan: Plan, policy: Policy, names: Collection[str] = ()) -> list[Tended]:
    """Maintain every table of the plan, or those of the named tables and marts; return what was done to each.

    A table's error stands in its answer.
    """
    found, plan = [], crawled.known(lake, plan)
    for item in items(lake, plan, names):
        try:
            found.append(tend(lake, plan, item, policy))
        except Exception as error:  # whatever one table has, the others are maintained
            message = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            found.append(Tended(item.table, error=message))
    return found


def refuse_failures(done: Collection[Tended]) -> None:
    """Raise MaintenanceFailedError that names the tables which could not be maintained."""
    failed = [one for one in done if one.error]
    if failed:
        more = f" (and {len(failed) - 1} more tables)" if len(failed) > 1 else ""
        raise MaintenanceFailedError(f"{failed[0].table}: {failed[0].error}{more}")


def items(lake: Lake, plan: Plan, names: Collection[str] = ()) -> Iterator[Item]:
    """Yield what there is to maintain: logs before their states, tables before marts, the books at last."""
    readers = retention.unread(lake, plan)
    for name in sorted(plan.tables):
        if names and name not in names:
            continue
        log = lake.table("staging", name)
        candidates = [
            Item(log, readers.get(name, {}), mark="batch-id"),
            Item(lake.table("state", name), {}, log=log),
            Item(lake.table("quarantine", name), {}),
        ]
        yield from (item for item in candidates if lake.exists(item.table))
    for name, mart in sorted(plan.marts.items()):
        table = lake.table("mart", name)
        if (not names or name in names) and lake.exists(table):
            yield Item(table, readers.get(name, {}), mark="seen", history=mart if mart.keep_for else None)
    books = lake.table("audit", "batches")
    if not names and lake.exists(books):
        yield Item(books, {})


def tend(lake: Lake, plan: Plan, item: Item, policy: Policy) -> Tended:
    """Maintain one table: old branches, rows past their time, small files, old snapshots, files of nobody."""
    done = Tended(item.table)
    if lake.head(item.table) is None:
        return done
    named = state.pointer(lake, item.log) if item.log else None
    dead_before = milliseconds(policy.unused_since)
    history = list(lake.history(item.table))
    done = done.plus(branches_dropped=refs.drop_dead(lake, item.table, history, dead_before, named))
    is_busy = bool(refs.branches(lake, item.table))
    done = done.plus(note=BUSY) if is_busy else _rearranged(lake, plan, item, policy, done)
    done = _expired(lake, item, policy, done)
    orphans = rewriting.remove_orphans(lake, item.table, policy.unused_since)
    return done.plus(orphans_deleted=orphans)


def _rearranged(lake: Lake, plan: Plan, item: Item, policy: Policy, done: Tended) -> Tended:
    """Remove rows past their time and merge files, unless a batch is faster."""
    try:
        if item.history is not None:
            done = done.plus(rows_forgotten=_forget(lake, plan, item.table, item.history, policy))
        rewritten, written = rewriting.compact(lake, item.table)
        manifests = rewriting.compact_manifests(lake, item.table)
        done = done.plus(files_rewritten=rewritten, files_written=written, manifests_rewritten=manifests)
        if item.log:
            state.point_to(lake, item.log, item.table)
    except Exception as error:
        if not _was_overtaken(error):
            raise
        done = done.plus(note=OVERTAKEN)
    return done


def _was_overtaken(error: Exception) -> bool:
    """Tell whether Iceberg has refused a commit because the table has moved."""
    words = (
        "CommitFailedException",
        "ValidationException",
        "Cannot commit rewrite",
        "Missing required files to delete",
    )
    return isinstance(error, ConcurrentPublishError) or any(word in str(error) for word in words)


def _forget(lake: Lake, plan: Plan, table: str, mart: Mart, policy: Policy) -> int:
    """Remove the rows that `keep_for` no longer keeps, where no batch has come to do so; return their number."""
    condition = history_mart.kept(mart, plan.tables[mart.source], policy.now)
    base = lake.head(table)
    if condition is None or base is None:
        return 0
    old = lake.read(table, base.id).where(~condition)
    if is_empty(old):
        return 0
    branch = lake.branch(table, branch_name("maintenance"), at=base.id)
    count = old.agg(F.count(F.lit(1))).collect()[0][0]
    branch.remove(old.select(AT).distinct())
    branch.seal({"keep-for": str(mart.keep_for)})
    branch.publish()
    return int(count)


def _expired(lake: Lake, item: Item, policy: Policy, done: Tended) -> Tended:
    """Expire what is old and what nobody has still to read."""
    since = milliseconds(policy.snapshots_since)
    history = list(lake.history(item.table))
    needed = set(item.readers.values())
    if item.log:
        named = state.pointer(lake, item.log)
        held = {snapshot.id for snapshot in history} | set(refs.branches(lake, item.table).values())
        if named is not None and named not in held:
            return done.plus(note=f"snapshot {named}, which {item.log} names, is on no branch: none expires")
        needed |= {named} if named is not None else set()
    keep = retention.kept(history, since, needed, item.mark)
    kept = {snapshot.id for snapshot in history[:keep]}
    all_of_it = elements(lake.handle(item.table).snapshots())
    if not any(one.snapshotId() not in kept and one.timestampMillis() < since for one in all_of_it):
        return done.plus(held_by=retention.holder(history, keep, since, item.readers))
    snapshots, files = rewriting.expire(lake, item.table, policy.snapshots_since, keep)
    holder = retention.holder(history, keep, since, item.readers)
    return done.plus(snapshots_expired=snapshots, files_deleted=files, held_by=holder)
