"""What the newest snapshot changes: its comparison with the one before it tells all that must be stored.

Every key that it sees otherwise gets one entry in the state and at most one row of the change log; nothing that was
stored before goes, and no other observation of the key is looked at.
"""

from __future__ import annotations

from pyspark.sql import DataFrame

from contracts.model import Table
from spark_jobs.layers.shaping import quoted
from spark_jobs.layers.staging.capture import KIND, SEEN_AT, WAS_KIND, Instant, speaking
from spark_jobs.layers.staging.state import ENTRY, GONE, PART, ROW, key_columns

_OP = f"""CASE WHEN {KIND} = '{ROW}' THEN if({WAS_KIND} = '{ROW}', 'U', 'I')
    WHEN {KIND} = '{GONE}' AND {WAS_KIND} = '{ROW}' THEN 'D' END AS _op"""


def tells_all(table: Table) -> bool:
    """Tell whether what the next snapshot changes depends on nothing but what the last one saw of a key.

    Where rows state their own `effective_at`, what was announced for later counts too; and a key that is away and not
    closed lives on.
    """
    return table.effective_at.column is None and table.on_missing == "close"


def changes(news: DataFrame, table: Table, instant: Instant, order: str) -> DataFrame:
    """Return the business columns, `_kind`, `_row_hash`, `_op` (NULL: not logged), `_at`, `_order`, `_row_number`.

    `news` are rows of `compare_snapshot`, none of which was held; for tables of which the newest `tells_all`.
    """
    told = speaking(news, instant, order)
    return told.selectExpr(
        *map(quoted, table.column_names),
        KIND,
        f"if({KIND} = '{ROW}', _row_hash, NULL) AS _row_hash",
        _OP,
        f"{SEEN_AT} AS _at",
        "_order",
        "_row_number",
    )


def log_rows(changed: DataFrame) -> DataFrame:
    """Return the rows of the change log that must be added."""
    return changed.filter("_op IS NOT NULL").withColumnRenamed("_at", "_effective_from")


def entries(changed: DataFrame, table: Table) -> DataFrame:
    """Return the state rows that must be added; the log has the values of each."""
    columns = ("_at", "_order", "_row_number", KIND, "_row_hash", "_op")
    effective = "if(_op IS NULL, NULL, _at) AS _effective_from"
    part = f"'{ENTRY}' AS {PART}"
    return changed.selectExpr(*key_columns(table), part, *columns, "_at AS _stated", effective)
