"""`truncate_when`: records that end every key living at their instant, whenever the others arrive.

The state remembers each of them once, in a part of its own. Whatever is said of a key is joined by all truncations,
so that a late event before one of them is ended by it as if it had come in time.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.shaping import sql_type
from spark_jobs.layers.staging import timeline
from spark_jobs.layers.staging.landings import is_named
from spark_jobs.layers.staging.records import TRUNCATING
from spark_jobs.layers.staging.state import ENTRY, GONE, PART, TRUNCATION, at_type, key_columns, tie_type, value_type
from spark_jobs.layers.staging.work import Work


def truncations(rows: DataFrame, table: Table) -> DataFrame:
    """Return the state's rows about the truncations among good rows."""
    ties = ", ".join(f"`{name}`" for name in table.tie_break)
    tie = f"struct({ties})" if ties else "NULL"
    return rows.filter(F.col(TRUNCATING)).selectExpr(
        f"'{TRUNCATION}' AS {PART}",
        f"CAST(_effective_from AS {sql_type(at_type(table))}) AS _at",
        f"CAST({tie} AS {sql_type(tie_type(table))}) AS _tie",
        "_order",
        "_row_number",
        f"'{GONE}' AS _kind",
    )


def forget(work: Work) -> bool:
    """Take back the truncations of landings that are staged anew; tell whether there were any."""
    leaves = is_named(F.col("_order"), work.manifest.orders, work.manifest.gone)
    theirs = work.stored().filter(F.col(PART) == TRUNCATION).filter(leaves).select(PART, "_order").distinct()
    found = bool(work.base and theirs.take(1))
    if found:
        work.keyed().remove(theirs)
    return found


def said_by_truncations(work: Work, keys: DataFrame, fresh: DataFrame) -> DataFrame:
    """Return (key, `_one`: an observation, `_value`, `_leaves`) of each key for each truncation, old and fresh."""
    table = work.table
    names = ("_at", "_tie", "_order", "_row_number")
    stored = work.stored().filter(F.col(PART) == TRUNCATION).select(*names, F.lit(2).alias("_fresh"))
    both = stored.union(fresh.filter(F.col(PART) == TRUNCATION).select(*names, F.lit(1).alias("_fresh")))
    one = timeline.observation(
        table,
        at="_at",
        tie="_tie",
        deleted="0" if table.in_source_order else "1",
        order="_order",
        number="_row_number",
        fresh="_fresh",
        kind=f"'{GONE}'",
        stated="_at",
        cut="_at",
    )
    value = f"CAST(NULL AS {value_type(table)}) AS _value"
    told = both.selectExpr(f"{one} AS _one", value, "false AS _leaves")
    return keys.distinct().crossJoin(F.broadcast(told)).select(*key_columns(table), "_one", "_value", "_leaves")


def all_keys(work: Work) -> DataFrame:
    """Return the keys that the state knows: a truncation may end each of them."""
    return work.stored().filter(F.col(PART) == ENTRY).select(*key_columns(work.table)).distinct()
