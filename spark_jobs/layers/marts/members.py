"""Inferred and unknown members of dimensions: written by the fact that needs them, swept when none does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from contracts.model import MEMBERED, DimensionLookup, Mart
from spark_jobs.layers.errors import ConcurrentPublishError, DataError
from spark_jobs.layers.lake import Branch, branch_name, is_empty
from spark_jobs.layers.marts.attempt import Run
from spark_jobs.layers.marts.diff import differs
from spark_jobs.layers.marts.events import anti, semi
from spark_jobs.layers.marts.lookups import business_key, inferred_key, key_column
from spark_jobs.layers.marts.names import without_rows
from spark_jobs.layers.marts.surrogate import UNKNOWN
from spark_jobs.layers.marts.tables import audited, ensure
from spark_jobs.layers.shaping import conformed

ATTEMPTS = 5
_STATE = {"is_inferred": True, "is_current": True, "is_deleted": False}


class MissingMemberError(DataError):
    """Facts have keys that their dimension lacks, and the contract says to fail."""


@dataclass(frozen=True)
class Need:
    """One lookup of the mart, with the columns of its dimension."""

    lookup: DimensionLookup
    dimension: Mart
    schema: StructType

    @property
    def key(self) -> str:
        return key_column(self.lookup)

    def inferred(self, side: str) -> Column:
        """Tell whether the fact row in struct `side` points to the inferred member of its business key."""
        return F.col(f"{side}.{self.key}") == inferred_key(self.lookup, self.schema, f"{side}.")

    def unknown(self, side: str) -> Column:
        return F.col(f"{side}.{self.key}") == UNKNOWN


def needs(run: Run) -> list[Need]:
    """Return the lookups of the run's mart."""
    return [_need(run, lookup) for lookup in run.mart.dimensions]


def _need(run: Run, lookup: DimensionLookup) -> Need:
    schema = without_rows(run.lake.spark, run.plan, lookup.dimension).schema
    return Need(lookup, run.plan.marts[lookup.dimension], schema)


def points_to_members(wanted: list[Need]) -> Column | None:
    """Return the condition of a new fact row that needs a member which no source has given."""
    conditions = [need.inferred("_new") | need.unknown("_new") for need in wanted]
    return reduce(lambda one, other: one | other, conditions) if conditions else None


def flags(wanted: list[Need]) -> list[Column]:
    """Return boolean aggregates of a difference, per lookup: is a member needed, left, missing?"""
    found = []
    for need in wanted:
        left = F.coalesce(differs() & (need.inferred("_old") | need.unknown("_old")), F.lit(False))
        missing = (F.col("_new_n") > 0) & F.col(f"_new.{need.key}").isNull()
        found += [
            F.bool_or(need.inferred("_new") | need.unknown("_new")).alias(f"needed_{need.key}"),
            F.bool_or(left).alias(f"left_{need.key}"),
            F.bool_or(missing).alias(f"missing_{need.key}"),
        ]
    return found


def refuse_missing(changed: DataFrame, wanted: list[Need], told: dict[str, bool], mart: str) -> None:
    """Raise MissingMemberError that names the first keys which a dimension lacks under `missing: fail`."""
    for need in wanted:
        if told[f"missing_{need.key}"]:
            absent = changed.where((F.col("_new_n") > 0) & F.col(f"_new.{need.key}").isNull())
            keys = absent.select(*[F.col(f"_new.{name}") for name in need.lookup.on]).distinct().take(5)
            named = "; ".join(", ".join(f"{k}={v}" for k, v in row.asDict().items()) for row in keys)
            raise MissingMemberError(f"{mart}: {need.dimension.name} has no member for {named}")


def members(changed: DataFrame, need: Need) -> DataFrame:
    """Return the dimension rows, without audit columns, of the members that the new fact rows need."""
    inferred = changed.where(need.inferred("_new"))
    surrogate = F.col(f"_new.{need.key}").alias(need.dimension.surrogate_key)
    keys = inferred.select(
        surrogate,
        *[value.alias(name) for name, value in business_key(need.lookup, need.schema, "_new.").items()],
    )
    unknown = changed.where(need.unknown("_new")).select(surrogate)
    known = {**{name: F.lit(value) for name, value in _STATE.items()}, **{n: F.col(n) for n in keys.columns}}
    nobody = {"is_inferred": F.lit(True), need.dimension.surrogate_key: F.col(need.dimension.surrogate_key)}
    rows = _shaped(keys, need.schema, known).unionByName(_shaped(unknown, need.schema, nobody))
    return rows.distinct()


def _shaped(rows: DataFrame, schema: StructType, known: dict[str, Column]) -> DataFrame:
    return rows.select(*[known.get(f.name, F.lit(None)).cast(f.dataType).alias(f.name) for f in schema.fields])


def write(run: Run, rows: DataFrame, dimension: Mart, resolved: int) -> int:
    """Write the members that the dimension lacks, or has as its contract would not have them any more.

    Returns the snapshot of the dimension up to which the facts are resolved: `resolved`, or the members' own
    commit where that follows it directly.
    """
    schema = without_rows(run.lake.spark, run.plan, dimension.name).schema
    table = run.lake.table("mart", dimension.name)
    for _ in range(ATTEMPTS):
        base = ensure(run.lake, run.plan, table, schema, dimension.partition_by)
        there = conformed(run.lake.read(table, base).where("is_inferred"), schema)
        lacking = anti(rows, there).persist()
        try:
            if is_empty(lacking):
                return resolved
            branch = _branch(run, table, base)
            outdated = semi(lacking, there.select(dimension.surrogate_key))
            if not is_empty(outdated):
                branch.remove(outdated.select(dimension.surrogate_key))
            branch.append(audited(lacking, run.batch_id, run.now))
            published = _publish(branch, run)
            return published if base == resolved else resolved
        except ConcurrentPublishError as error:
            last = error
        finally:
            lacking.unpersist()
    raise last


def kept(rows: DataFrame, run: Run, outgrown: frozenset[str]) -> DataFrame | None:
    """Return the inferred members among a dimension's rows, to stay when its table is written anew under other types.

    They are NULL in the `outgrown` columns. None where those name a member: facts are to point to others then.
    """
    mart = run.mart
    if mart.kind not in MEMBERED or "is_inferred" not in rows.columns:
        return None
    names = {name.lower() for name in ("is_inferred", mart.surrogate_key, *run.plan.tables[mart.source].key)}
    return None if names & outgrown else rows.where("is_inferred").drop(*outgrown)


def orphans(run: Run, dimension: Mart, own: Branch | None = None) -> DataFrame:
    """Return the surrogate keys of inferred members that no fact points to; `own` is a branch to come."""
    rows = run.lake.read(run.lake.table("mart", dimension.name))
    found = rows.where("is_inferred").select(dimension.surrogate_key)
    for lookup, facts in _looked_up(run, dimension, own):
        found = anti(found, facts.select(F.col(key_column(lookup)).alias(dimension.surrogate_key)))
    return found


def _looked_up(run: Run, dimension: Mart, own: Branch | None = None) -> Iterator[tuple[DimensionLookup, DataFrame]]:
    """Yield each lookup of a dimension with the rows of its mart, where that was built since it has the lookup."""
    for mart in run.plan.marts.values():
        table = run.lake.table("mart", mart.name)
        lookups = [lookup for lookup in mart.dimensions if lookup.dimension == dimension.name]
        if not lookups or not run.lake.exists(table):
            continue
        rows = own.read() if own is not None and own.table == table else run.lake.read(table)
        yield from ((lookup, rows) for lookup in lookups if key_column(lookup) in rows.columns)


def sweep(run: Run, dimension: Mart, seen: int) -> int:
    """Remove the members that no fact points to; return the snapshot up to which the facts are resolved.

    A fact that is published meanwhile may point to one of them: who publishes second sees it, that fact or this run,
    or the next, where this one ends before it has looked.
    """
    table = run.lake.table("mart", dimension.name)
    for _ in range(ATTEMPTS):
        head = run.lake.head(table)
        if head is None:
            return seen
        gone = orphans(run, dimension).persist()
        try:
            if not is_empty(gone):
                branch = _branch(run, table, head.id)
                branch.remove(gone)
                published = _publish(branch, run)
                seen = published if head.id == seen else seen
        except ConcurrentPublishError as error:
            last = error
        else:
            return _write_again(run, dimension, seen)
        finally:
            gone.unpersist()
    raise last


def _write_again(run: Run, dimension: Mart, seen: int) -> int:
    """Write the members that published facts point to and the dimension lacks; return what `write` returns.

    Facts that were not built since their lookup is by other columns cannot tell: they are built anew.
    """
    for lookup, facts in _looked_up(run, dimension):
        if set(lookup.on) <= set(facts.columns):
            rows = members(facts.select(F.struct("*").alias("_new")), _need(run, lookup))
            seen = write(run, rows, dimension, seen)
    return seen


def _branch(run: Run, table: str, base: int) -> Branch:
    return run.lake.branch(table, branch_name(f"{run.batch_id}_{run.mart.name}"), at=base)


def _publish(branch: Branch, run: Run) -> int:
    branch.seal({"batch-id": run.batch_id, "members-of": run.mart.name})
    return branch.publish()
