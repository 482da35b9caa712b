"""Join the lines of CSV files to records that hold line breaks.

A line takes the reader from outside or inside quotes to outside or inside. `opens` and `stays` of the dialect tell
where it ends for either beginning, each by itself and in parallel; a window then runs through the file once. A line
that ends the same whichever way it began (it holds a stray quote) sets the reader right again.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from spark_jobs.layers.staging.readers.dialect import Dialect
from spark_jobs.layers.staging.readers.lines import LINE, TEXT
from spark_jobs.layers.staging.readers.scan import LONGEST_LINE
from spark_jobs.layers.staging.readers.seam import LANDING

OPEN = "_open"
_FROM_OUT, _FROM_IN, _TURNS, _FIXED, _INSIDE, _RECORD, _SIZE = (
    "_from_out", "_from_in", "_turns", "_fixed", "_inside", "_record", "_size",
)  # fmt: skip


def joined_lines(lines: DataFrame, dialect: Dialect, line_end: str) -> DataFrame:
    """Return records: `_landing`, `_line` (their first), `_text` and `_open` (a quote of theirs is never closed)."""
    whole = lines.withColumn(OPEN, F.lit(False))
    if dialect.escape:
        goes_on = F.col(TEXT).rlike(dialect.escapes_the_break)
        whole = _joined(whole, goes_on, line_end)
    if dialect.quote:
        whole = _joined(_with_inside(whole, dialect), F.col(_INSIDE), line_end)
    return whole.select(LANDING, LINE, TEXT, OPEN)


def _with_inside(lines: DataFrame, dialect: Dialect) -> DataFrame:
    """Add `_inside`: whether the reader is inside quotes at the line's end."""
    text, so_far = F.col(TEXT), Window.partitionBy(LANDING).orderBy(LINE)
    has_quote = text.contains(dialect.quote)
    ends = lines.select(
        "*",
        (has_quote & text.rlike(dialect.opens)).alias(_FROM_OUT),
        (~has_quote | text.rlike(dialect.stays)).alias(_FROM_IN),
    )
    turn = F.col(_FROM_OUT) & ~F.col(_FROM_IN)
    is_fixed = F.col(_FROM_OUT) == F.col(_FROM_IN)
    turned = ends.withColumn(_TURNS, F.sum(turn.cast("int")).over(so_far))
    last = F.last(F.when(is_fixed, F.struct(_TURNS, F.col(_FROM_OUT).alias("at"))), ignorenulls=True).over(so_far)
    since = F.col(_TURNS) - F.coalesce(F.col(_FIXED)[_TURNS], F.lit(0))
    began_inside = F.coalesce(F.col(_FIXED)["at"], F.lit(False))
    inside = began_inside != (since % 2 == 1)
    return turned.withColumn(_FIXED, last).withColumn(_INSIDE, inside)


def _joined(lines: DataFrame, goes_on: Column, line_end: str) -> DataFrame:
    """Join each line that goes on to the line behind it; a record that grows too long to be held stays open."""
    so_far = Window.partitionBy(LANDING).orderBy(LINE)
    marked = lines.withColumn(_INSIDE, goes_on)
    begins = ~F.coalesce(F.lag(_INSIDE).over(so_far), F.lit(False))
    numbered = marked.withColumn(_RECORD, begins).withColumn(_RECORD, F.sum(F.col(_RECORD).cast("bigint")).over(so_far))
    in_record = Window.partitionBy(LANDING, _RECORD).orderBy(LINE)
    sized = numbered.withColumn(_SIZE, F.sum(F.octet_length(TEXT) + 1).over(in_record))
    kept = F.when(F.col(_SIZE) <= LONGEST_LINE, F.struct(LINE, TEXT))
    pieces = F.transform(F.sort_array(F.collect_list(kept)), lambda piece: piece[TEXT])
    return sized.groupBy(LANDING, _RECORD).agg(
        F.min(LINE).alias(LINE),
        F.array_join(pieces, line_end).alias(TEXT),
        (F.max_by(_INSIDE, LINE) | F.max_by(OPEN, LINE) | (F.max(_SIZE) > LONGEST_LINE)).alias(OPEN),
    )
