"""`updates: partial`: rows are folded from all that was ever said of their keys, whenever it arrived.

The state keeps every record as a patch: its values and the names of the columns that it holds. When a key is spoken
of, its patches are put in order and folded to whole rows, and these are what the key's events say.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.shaping import sql_type
from spark_jobs.layers.staging import capture, truncation
from spark_jobs.layers.staging.computed import FEW
from spark_jobs.layers.staging.correction import Correction
from spark_jobs.layers.staging.hashing import row_hash
from spark_jobs.layers.staging.landings import is_named
from spark_jobs.layers.staging.records import DELETING, PRESENT, TRUNCATING, business_schema
from spark_jobs.layers.staging.state import (
    GONE,
    PART,
    PATCH,
    ROW,
    TRUNCATION,
    at_type,
    key_columns,
    payload_columns,
    payload_type,
    tie_type,
)
from spark_jobs.layers.staging.work import Work

_EMIT, _LIFE, _FRESH = "_emit", "_life", "_fresh"
_RENEWED = 2  # said anew of what was known: it counts, but no verdict is passed on it


def correction(work: Work, good: DataFrame) -> Correction:
    """Return what good rows say of their keys, folded with what was said of them before."""
    table = work.table
    fresh = patches(good.filter(~F.col(TRUNCATING)), table).localCheckpoint()
    empties = truncation.truncations(good, table).localCheckpoint()
    emptied = bool(table.truncate_when) and (truncation.forget(work) or bool(empties.take(1)))
    touched = fresh.select(*key_columns(table)).union(_forget(work))
    touched = touched.union(truncation.all_keys(work)).distinct() if emptied else touched.distinct()
    folded = fold(_all_patches(work, fresh, empties, touched), table)
    return Correction(
        capture.said_by_events(folded, table, fresh=_FRESH),
        FEW + 1,
        orders=work.manifest.orders,
        names=work.manifest.gone,
        listing=fresh.unionByName(empties, allowMissingColumns=True),
        for_all=emptied,
        renewed=touched,
    )


def patches(rows: DataFrame, table: Table) -> DataFrame:
    """Return the state's rows about the records: their values, and the columns that they hold."""
    ties = ", ".join(f"`{name}`" for name in table.tie_break)
    tie = f"struct({ties})" if ties else "NULL"
    columns = ", ".join(f"`{name}`" for name in payload_columns(table))
    return rows.selectExpr(
        *key_columns(table),
        f"'{PATCH}' AS {PART}",
        f"CAST(_effective_from AS {sql_type(at_type(table))}) AS _at",
        f"CAST({tie} AS {sql_type(tie_type(table))}) AS _tie",
        "_order",
        "_row_number",
        f"if({DELETING}, '{GONE}', '{ROW}') AS _kind",
        f"CAST(struct({columns}) AS {sql_type(payload_type(table))}) AS _payload",
        PRESENT,
    )


def fold(told: DataFrame, table: Table) -> DataFrame:
    """Return a whole row for each patch to emit: each column as last said since the key came to life.

    `told`: patches with `_fresh` and `_emit` (false: a truncation, which only ends what came before).
    """
    deletes_last = () if table.in_source_order else ("_is_gone",)
    ordered = ("_at", "_tie", *deletes_last, "_order", "_row_number")
    by_key = Window.partitionBy(*key_columns(table)).orderBy(*ordered)
    ended = told.withColumn("_is_gone", (F.col("_kind") == GONE).cast("int"))
    lived = ended.withColumn(_LIFE, F.sum("_is_gone").over(by_key.rowsBetween(Window.unboundedPreceding, 0)))
    so_far = Window.partitionBy(*key_columns(table), _LIFE).orderBy(*ordered)
    so_far = so_far.rowsBetween(Window.unboundedPreceding, Window.currentRow)

    def last_said(name: str) -> Column:
        said = (F.col("_kind") == ROW) & F.array_contains(PRESENT, name)
        value = F.struct(F.col(f"_payload.`{name}`").alias("value"))
        return F.last(F.when(said, value), ignorenulls=True).over(so_far)["value"].alias(name)

    whole = lived.select(
        *key_columns(table),
        *(last_said(name) for name in payload_columns(table)),
        *(
            F.col(f"_payload.`{name}`").alias(f"_said_{name}")
            for name in table.sequence_columns
            if name not in table.key
        ),
        (F.col("_kind") == GONE).alias(DELETING),
        F.col("_at").alias("_effective_from"),
        "_order",
        "_row_number",
        _FRESH,
        _EMIT,
    )
    sequence = {n: F.col(f"_said_{n}") for n in table.sequence_columns if n not in table.key}
    emitted = whole.filter(_EMIT).withColumns(sequence) if sequence else whole.filter(_EMIT)
    return emitted.withColumn("_row_hash", row_hash(business_schema(table).fields))


def _all_patches(work: Work, fresh: DataFrame, empties: DataFrame, touched: DataFrame) -> DataFrame:
    """Return all patches of the touched keys and, where the feed has them, the truncations of each."""
    table, keys = work.table, key_columns(work.table)
    stored = work.stored()
    columns = [*keys, "_at", "_tie", "_order", "_row_number", "_kind", "_payload", PRESENT]
    before = stored.filter(F.col(PART) == PATCH).join(touched, on=list(table.key), how="left_semi")
    told = before.select(*columns, F.lit(_RENEWED).alias(_FRESH), F.lit(True).alias(_EMIT)).union(
        fresh.select(*columns, F.lit(1), F.lit(True))
    )
    if not table.truncate_when:
        return told
    names = ("_at", "_tie", "_order", "_row_number", "_kind")
    ends = stored.filter(F.col(PART) == TRUNCATION).select(*names).union(empties.select(*names))
    spread = touched.crossJoin(F.broadcast(ends)).withColumns({_FRESH: F.lit(_RENEWED), _EMIT: F.lit(False)})
    return told.unionByName(spread, allowMissingColumns=True)


def _forget(work: Work) -> DataFrame:
    """Take back the patches of landings that are staged anew; return their keys."""
    theirs = work.stored().filter(F.col(PART) == PATCH)
    leaving = theirs.filter(is_named(F.col("_order"), work.manifest.orders, work.manifest.gone)) if work.base else None
    if leaving is None:
        return theirs.select(*key_columns(work.table)).limit(0)
    keys = leaving.select(*key_columns(work.table), PART, "_order").distinct().localCheckpoint()
    if keys.take(1):
        work.keyed().remove(keys.select(PART, "_order").distinct())
    return keys.select(*key_columns(work.table))
