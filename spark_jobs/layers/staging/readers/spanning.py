"""Join the lines of CSV files to records that hold line breaks.

A line takes the reader from outside or inside quotes to outside or inside. `opens` and `stays` of the dialect tell
where it ends for either beginning, each by itself and in parallel. Only lines that may change where the reader is are
put in order, without their texts; what they tell is which lines a record spans. A line that ends the same whichever
way it began (it holds a stray quote) sets the reader right again.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from spark_jobs.layers.staging.computed import computed, small
from spark_jobs.layers.staging.readers.dialect import Dialect
from spark_jobs.layers.staging.readers.lines import LINE, TEXT
from spark_jobs.layers.staging.readers.scan import LONGEST_LINE
from spark_jobs.layers.staging.readers.seam import LANDING

OPEN = "_open"
_SINGLE, _MAY_END_INSIDE, _FROM_OUT, _FROM_IN = "_single", "_may_end_inside", "_from_out", "_from_in"
_TURNS, _FIXED, _INSIDE, _SIZE = "_turns", "_fixed", "_inside", "_size"
_FIRST, _LAST, _UNCLOSED = "_first", "_last", "_unclosed"
_AT_ONCE = 4096  # lines of one record that a task tells of in one array


def joined_lines(lines: DataFrame, dialect: Dialect, line_end: str) -> DataFrame:
    """Return records: `_landing`, `_line` (their first), `_text` and `_open` (a quote of theirs is never closed)."""
    whole = lines.withColumn(OPEN, F.lit(False))
    if dialect.escape:
        whole = _joined(whole, _escaped(whole, dialect), line_end)
    if dialect.quote:
        whole = _joined(whole, _quoted(whole, dialect), line_end)
    return whole.select(LANDING, LINE, TEXT, OPEN)


def _escaped(lines: DataFrame, dialect: Dialect) -> DataFrame:
    """Return the spans of records whose breaks are escaped: `_landing`, `_first`, `_last` (a line that may lack)."""
    go_on = lines.filter(F.col(TEXT).rlike(dialect.escapes_the_break)).select(LANDING, LINE)
    run = F.col(LINE) - F.row_number().over(Window.partitionBy(LANDING).orderBy(LINE))
    runs = go_on.withColumn("_run", run).groupBy(LANDING, "_run")
    return runs.agg(F.min(LINE).alias(_FIRST), (F.max(LINE) + 1).alias(_LAST)).drop("_run")


def _quoted(lines: DataFrame, dialect: Dialect) -> DataFrame:
    """Return the spans of records with breaks in quotes: `_landing`, `_first`, `_last` (NULL: never closed)."""
    so_far = Window.partitionBy(LANDING).orderBy(LINE)
    text, may_end_inside = F.col(TEXT), F.col(_MAY_END_INSIDE)
    ends = _with_quotes(lines, dialect).select(
        LANDING,
        LINE,
        (may_end_inside & text.rlike(dialect.opens)).alias(_FROM_OUT),
        (may_end_inside & text.rlike(dialect.stays)).alias(_FROM_IN),
    )
    marks = _with_inside(ends.filter(F.col(_FROM_OUT) | ~F.col(_FROM_IN)))
    was_inside = F.coalesce(F.lag(_INSIDE).over(so_far), F.lit(False))
    turns = marks.withColumn("_was", was_inside).filter(F.col(_INSIDE) != F.col("_was"))
    spans = turns.select(LANDING, F.col(LINE).alias(_FIRST), F.lead(LINE).over(so_far).alias(_LAST), _INSIDE)
    return spans.filter(_INSIDE).drop(_INSIDE)


def _with_quotes(lines: DataFrame, dialect: Dialect) -> DataFrame:
    """Return the lines that may change where the reader is, with `_may_end_inside`, which spares most a look.

    Quotes side by side in even number change nothing. Of the others the last one opens a field where the line ends
    inside, so that a delimiter or nothing is before it.
    """
    if dialect.escape:
        return lines.filter(F.col(TEXT).contains(dialect.quote)).withColumn(_MAY_END_INSIDE, F.lit(True))
    single = F.replace(F.col(TEXT), F.lit(dialect.quote * 2), F.lit(""))
    opener = dialect.delimiter + dialect.quote
    behind = F.substring_index(F.concat(F.lit(dialect.delimiter), F.col(_SINGLE)), opener, -1)
    odd = lines.withColumn(_SINGLE, single).filter(F.col(_SINGLE).contains(dialect.quote))
    return odd.withColumn(_MAY_END_INSIDE, ~behind.contains(dialect.quote))


def _with_inside(marks: DataFrame) -> DataFrame:
    """Add `_inside`: whether the reader is inside quotes at the line's end."""
    so_far = Window.partitionBy(LANDING).orderBy(LINE)
    turn = F.col(_FROM_OUT) & ~F.col(_FROM_IN)
    is_fixed = F.col(_FROM_OUT) == F.col(_FROM_IN)
    turned = marks.withColumn(_TURNS, F.sum(turn.cast("int")).over(so_far))
    last = F.last(F.when(is_fixed, F.struct(_TURNS, F.col(_FROM_OUT).alias("at"))), ignorenulls=True).over(so_far)
    since = F.col(_TURNS) - F.coalesce(F.col(_FIXED)[_TURNS], F.lit(0))
    began_inside = F.coalesce(F.col(_FIXED)["at"], F.lit(False))
    inside = began_inside != (since % 2 == 1)
    return turned.withColumn(_FIXED, last).withColumn(_INSIDE, inside)


def _joined(lines: DataFrame, spans: DataFrame, line_end: str) -> DataFrame:
    """Join the lines of each span; a record that lacks its last line or grows too long to be held stays open."""
    counts = [F.sum(F.col(_LAST) - F.col(_FIRST) + 1).alias("lines"), F.count_if(F.col(_LAST).isNull()).alias("open")]
    spans, found = computed(spans, counts)
    pieces = small(_lines_of(spans.filter(F.col(_LAST).isNotNull())), found["lines"])
    alone, spanned = lines.join(pieces, on=[LANDING, LINE], how="left_anti"), lines.join(pieces, on=[LANDING, LINE])
    if found["open"]:
        unclosed = F.broadcast(spans.filter(F.col(_LAST).isNull()).select(LANDING, F.col(_FIRST).alias(_UNCLOSED)))
        rest = alone.join(unclosed, on=LANDING, how="left")
        is_inside = F.col(LINE) >= F.col(_UNCLOSED)
        alone = rest.filter(~F.coalesce(is_inside, F.lit(False))).drop(_UNCLOSED)
        spanned = spanned.unionByName(
            rest.filter(is_inside).withColumnRenamed(_UNCLOSED, _FIRST).withColumn(_LAST, F.lit(None).cast("bigint"))
        )
    return alone.unionByName(_records(spanned, line_end))


def _lines_of(spans: DataFrame) -> DataFrame:
    """Return the lines of each span: `_landing`, `_line`, `_first`, `_last`."""
    begins = spans.selectExpr("*", f"explode(sequence({_FIRST}, {_LAST}, {_AT_ONCE}L)) AS _begin")
    line = f"explode(sequence(_begin, least(_begin + {_AT_ONCE - 1}, {_LAST}))) AS {LINE}"
    return begins.selectExpr(LANDING, _FIRST, _LAST, line)


def _records(spanned: DataFrame, line_end: str) -> DataFrame:
    in_record = Window.partitionBy(LANDING, _FIRST).orderBy(LINE)
    sized = spanned.withColumn(_SIZE, F.sum(F.octet_length(TEXT) + 1).over(in_record))
    kept = F.when(F.col(_SIZE) <= LONGEST_LINE, F.struct(LINE, TEXT))
    pieces = F.transform(F.sort_array(F.collect_list(kept)), lambda piece: piece[TEXT])
    lacks_its_last = F.coalesce(F.max(LINE) < F.col(_LAST), F.lit(True))
    records = sized.groupBy(LANDING, _FIRST, _LAST).agg(
        F.min(LINE).alias(LINE),
        F.array_join(pieces, line_end).alias(TEXT),
        (lacks_its_last | F.max(OPEN) | (F.max(_SIZE) > LONGEST_LINE)).alias(OPEN),
    )
    return records.drop(_FIRST, _LAST)
