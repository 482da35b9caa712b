"""Build one mart: recompute what changed, compare, publish the difference."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from pyspark.sql import DataFrame

from contracts.model import MEMBERED
from spark_jobs.layers.errors import ConcurrentPublishError
from spark_jobs.layers.lake import Branch, Lake, branch_name
from spark_jobs.layers.marts import attempt, diff, fact, keyed, members
from spark_jobs.layers.marts.attempt import Attempt, Run
from spark_jobs.layers.marts.keyed import Work
from spark_jobs.layers.marts.names import KEYED
from spark_jobs.layers.marts.tables import audited, business, ensure, outgrown, renew, surplus
from spark_jobs.layers.shaping import conformed
from spark_jobs.layers.steps import reached

ATTEMPTS = 5


@dataclass(frozen=True)
class Result:
    """What a run did: published or unchanged, the snapshot that readers see, rows by what became of them."""

    status: str
    snapshot_id: int
    counts: diff.Counts
    total: int


@dataclass(frozen=True)
class Difference:
    """The cached difference of an attempt and what one job told about it.

    With `outgrown` columns it is the difference from no rows: the table is written anew.
    """

    changed: DataFrame
    counts: diff.Counts
    told: dict[str, bool]
    work: Work
    needs: list[members.Need]
    outgrown: frozenset[str]


def build(run: Run) -> Result:
    """Bring the mart up to date; somebody else's publish in between means to recompute from it, five times.

    The run has a Spark session of its own: views are called like the contracts.
    """
    session = run.lake.spark.newSession()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    run = dataclasses.replace(run, lake=Lake(session, run.lake.prefix))
    for _ in range(ATTEMPTS):
        try:
            reached("look")
            with attempt.start(run) as current:
                return _once(current)
        except ConcurrentPublishError as error:
            last = error
    raise last


def _once(current: Attempt) -> Result:
    if current.nothing_new and current.base is not None:
        return _result(current, current.base.id, diff.Counts())
    work = (keyed if current.run.mart.kind in KEYED else fact).recompute(current)
    anew = outgrown(current.run.lake, current.table, work.new.schema) if current.whole else frozenset[str]()
    base = _base(current, work, anew=bool(anew))
    reached("compare")
    found = _compare(current, work, anew)
    if not found.counts.any and not current.due and current.seen == current.heads:
        return _result(current, base, found.counts)
    seen = dict(current.heads)
    reached("write members")
    _write_members(current, found, seen)
    branch = _written(current, found, base)
    swept = _to_sweep(current, found, branch)
    _seal(current, branch, seen, swept)
    published = branch.publish()
    reached("settle")
    return _result(current, _settle(current, found, seen, swept) or published, found.counts)


def _base(current: Attempt, work: Work, anew: bool) -> int:
    """Return the snapshot to publish upon; ConcurrentPublishError when another run made the table meanwhile."""
    run = current.run
    base = ensure(run.lake, run.plan, current.table, work.new.schema, run.mart.partition_by, anew)
    if current.base is None and run.lake.property(current.table, "seen"):
        raise ConcurrentPublishError(f"{current.table}: made by another run since this one looked")
    return current.base.id if current.base else base


def _compare(current: Attempt, work: Work, anew: frozenset[str]) -> Difference:
    """Compare the recomputed rows with the mart's, once; refuse duplicate keys and missing members.

    Both in the columns of the table, which may have one more than the contract: it is NULL.
    """
    mart = current.run.mart
    wanted = members.needs(current.run)
    old = current.current() if work.old is None else work.old
    columns = business(current.run.lake, current.table, work.new.schema)
    new = conformed(work.new, columns)
    old = new.limit(0) if old is None or anew else conformed(old, columns)
    changed = current.cache(diff.difference(old, new, work.ids, members.points_to_members(wanted)))
    counts, told, most = diff.count(changed, members.flags(wanted))
    if work.ids and most > 1:
        diff.refuse_duplicates(changed, mart.name, work.ids)
    members.refuse_missing(changed, wanted, told, mart.name)
    return Difference(changed, counts, told, work, wanted, anew)


def _write_members(current: Attempt, found: Difference, seen: dict[str, int]) -> None:
    """Write the dimension members that the new rows need, before the facts; note the snapshots in `seen`."""
    for need in found.needs:
        if found.told[f"needed_{need.key}"]:
            name = need.dimension.name
            rows = members.members(found.changed, need)
            seen[name] = members.write(current.run, rows, need.dimension, seen[name])


def _written(current: Attempt, found: Difference, base: int) -> Branch:
    run = current.run
    branch = run.lake.branch(current.table, branch_name(run.batch_id), at=base)
    schema = found.work.new.schema
    lost = surplus(run.lake, current.table, schema)
    branch.surplus = [path for path in lost if path.partition(".")[0].lower() not in found.outgrown]
    if found.outgrown:
        inferred = members.kept(run.lake.read(current.table, base), run, found.outgrown)
        branch.clear()
        renew(branch, schema, run.mart.partition_by)
        if inferred is not None:
            branch.append(inferred)
    if found.told["leaving"]:
        branch.remove(diff.leaving(found.changed, found.work.ids))
    if found.told["coming"]:
        branch.append(audited(diff.coming(found.changed), run.batch_id, run.now))
    return branch


def _to_sweep(current: Attempt, found: Difference, branch: Branch) -> list[str]:
    """Return the dimensions that hold members to which no fact will point once the branch is published.

    The mart itself may be one: a fact that looks it up no more has left its members, and does not come to sweep them.
    Those that an earlier run may have swept in part are among them in any case.
    """
    run = current.run
    suspects = {run.mart.name: current.whole} if run.mart.kind in MEMBERED else {}
    for need in found.needs:
        name = need.dimension.name
        suspects[name] = suspects.get(name) or current.is_changed(name) or found.told[f"left_{need.key}"]
    return [
        name
        for name, is_suspect in suspects.items()
        if name in current.due or (is_suspect and members.orphans(run, run.plan.marts[name], branch).take(1))
    ]


def _settle(current: Attempt, found: Difference, seen: dict[str, int], swept: list[str]) -> int | None:
    """Sweep dimensions, write again what another fact's sweep took meanwhile; return the last snapshot."""
    run = current.run
    for name in swept:
        resolved = members.sweep(run, run.plan.marts[name], seen.get(name, 0))
        if name in seen:
            seen[name] = resolved
    for need in found.needs:
        head = run.lake.head(run.lake.table("mart", need.dimension.name))
        if found.told[f"needed_{need.key}"] and head and head.id != seen[need.dimension.name]:
            members.write(run, members.members(found.changed, need), need.dimension, seen[need.dimension.name])
    if not swept:
        return None
    branch = run.lake.branch(current.table, branch_name(run.batch_id))
    _seal(current, branch, seen, [])
    return branch.publish()


def _seal(current: Attempt, branch: Branch, seen: dict[str, int], sweep: list[str]) -> None:
    branch.seal(
        {
            "batch-id": current.run.batch_id,
            "seen": json.dumps(seen, sort_keys=True),
            "contract": current.contract,
            "sweep": ",".join(sweep),
        }
    )


def _result(current: Attempt, snapshot_id: int, counts: diff.Counts) -> Result:
    head = current.run.lake.head(current.table)
    total = int(head.summary.get("total-records", "0")) if head else 0
    return Result("published" if counts.any else "unchanged", snapshot_id, counts, total)
