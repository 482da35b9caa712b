"""What one extraction will read: columns, the window of its watermark, and the splits, asked before the first row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contracts.databases import OVERLAP_OF_NUMBERS, Extract
from contracts.model import Table
from spark_jobs.layers.extraction.columns import DECIMALS, TEXTS, Reading, chosen, find, is_plain_number, readings
from spark_jobs.layers.extraction.database import Database, SourceColumn
from spark_jobs.layers.extraction.failures import SourceRefusedError
from spark_jobs.layers.extraction.ledger import Watermark
from spark_jobs.layers.extraction.marks import (
    GETTERS,
    MOMENT,
    NUMBER,
    OVERLAPS,
    TIMES,
    ZONED,
    Mark,
    highest,
    kind_of,
    mark_of,
    seconds_of,
)
from spark_jobs.layers.extraction.resuming import is_ahead, resumed
from spark_jobs.layers.extraction.splits import EVERYTHING, buckets, ranges

SPLIT = "landfall_split"


@dataclass(frozen=True)
class Survey:
    """How an extraction reads: the query, its partitions' conditions, and the watermarks that it begins at and reaches.

    `since` is None where everything is read. `rows` is how many rows the database counted, None where nothing asked it
    to count.
    """

    readings: Sequence[Reading]
    query: str
    predicates: Sequence[str]
    since: Mark | None
    watermark: Mark | None
    rows: int | None


def survey(
    database: Database, table: Table, extract: Extract, stored: Watermark | None, now: datetime, given: str = ""
) -> Survey:
    """Ask the database what there is; `stored` is the watermark to go on from, None to read everything.

    A `given` value takes its place. The watermark's upper bound is read here, before any row: what is committed later
    is above it, or within the overlap that the next extraction reads again.
    """
    columns = database.describe(extract.relation)
    read = chosen(table, extract.said, columns)
    asked = _Questions(database, table, extract, columns)
    begin = asked.begin(stored, given, now)
    found = asked.answer(now)
    known = [mark for mark in (begin, found.reached) if mark]
    reached = max(known, key=lambda mark: mark.order, default=None)
    how = readings(table, read, database.dialect, database.quote)
    selected = [f"{r.sql} AS {database.quote(r.name)}" if r.sql else database.quote(r.name) for r in how]
    where = asked.window(reached)
    query = f"SELECT {', '.join([*selected, *asked.split_column()])} FROM {extract.relation}"
    query += f" WHERE {where}" if where else ""
    return Survey(how, query, asked.predicates(found), begin, reached, found.rows)


@dataclass(frozen=True)
class _Answer:
    """What the database holds: rows (None uncounted), those with a watermark, the highest one, the splits' bounds."""

    rows: int | None = None
    marked: int = 0
    reached: Mark | None = None
    bounds: tuple[Mark | None, Mark | None] = (None, None)


class _Questions:
    """The one question that finds watermark and split bounds, and what follows from its answer."""

    def __init__(self, database: Database, table: Table, extract: Extract, columns: Sequence[SourceColumn]) -> None:
        self._database, self._table, self._extract = database, table, extract
        self._dialect = database.dialect
        self._low: Mark | None = None
        self._is_strict = False
        self._mark, self._mark_kind = self._ordering(columns, extract.watermark, "source.watermark")
        self._split, self._split_kind = self._ordering(columns, extract.split_by, "source.split_by")
        self._refuse_overlap()

    def begin(self, stored: Watermark | None, given: str, now: datetime) -> Mark | None:
        """Begin where the last extraction ended or at a given value, and return that; None for everything."""
        last = resumed(self._table, self._extract, self._mark_kind, stored, given, now)
        if last is None:
            return None
        self._low, self._is_strict = self._lower_bound(last)
        return last.mark

    def _ordering(self, columns: Sequence[SourceColumn], name: str, word: str) -> tuple[str, str]:
        """Return the quoted column that a word names and its kind: of marks, `hash`, or '' where there is none."""
        if not name:
            return "", ""
        column = find(self._table, self._extract.said, columns, name, word)
        kind = kind_of(column)
        if word == "source.split_by" and column.code in DECIMALS and not is_plain_number(column):
            kind = None
        if kind is None and word == "source.split_by" and column.code in TEXTS and self._dialect.hashed:
            kind = "hash"
        if kind is None:
            raise SourceRefusedError(
                f"{self._table.name}: {word} {name} is {column.kind}; it must be a whole or decimal number, a date or "
                "a timestamp" + (", or text in Oracle, PostgreSQL and H2" if word == "source.split_by" else "")
            )
        return self._database.quote(column.name), kind

    def _refuse_overlap(self) -> None:
        """Refuse an overlap that is not of the watermark's kind, also one that is left out for a number."""
        overlap, place = self._extract.overlap, f"{self._table.name}: source.overlap"
        if not self._mark or self._table.load == "append":
            return
        if overlap is None and self._mark_kind == NUMBER:
            raise SourceRefusedError(f"{place} {OVERLAP_OF_NUMBERS}")
        if overlap is not None and (self._mark_kind in TIMES) != isinstance(overlap, str):
            wanted = "a time such as 10m" if self._mark_kind in TIMES else "a number"
            raise SourceRefusedError(f"{place} {overlap} must be {wanted}, as the watermark is")

    def _lower_bound(self, last: Watermark) -> tuple[Mark, bool]:
        """Return where the window begins, and whether behind that: no overlap is read that can hold no news."""
        mark, overlap = last.mark, self._extract.overlap
        if self._table.load == "append":
            return mark, True
        if mark.kind == NUMBER:
            return mark.less(int(overlap or 0)), not overlap
        span = timedelta(seconds=seconds_of(str(overlap or OVERLAPS[mark.kind])))
        settled = mark.over + span <= last.read_at
        has_none = not span and mark.kind in (MOMENT, ZONED)
        return (mark, True) if settled or has_none else (mark_of(mark.kind, mark.moment - span), False)

    def answer(self, now: datetime) -> _Answer:
        """Return what there is to read.

        For append the youngest rows wait while others may come that bear the same watermark: a day that is not over,
        a second that has just been.
        """
        if not self._mark and not self._split:
            return _Answer()
        new = self._new()
        found = self._ask(f"({new} OR {self._mark} IS NULL)" if new else "")
        self._refuse_future(found.reached, now)
        if self._table.load == "append":
            self._refuse_unmarked(found)
            if found.reached and found.reached.may_recur(now):
                return self._ask(self._new(f"{self._mark} < {found.reached.literal(self._dialect)}"))
        return found

    def _ask(self, where: str) -> _Answer:
        asked = [("COUNT(*)", "getBigDecimal")]
        if self._mark:
            asked.append((f"COUNT({self._mark})", "getBigDecimal"))
            asked.append((highest(self._mark, self._mark_kind, self._dialect), GETTERS[self._mark_kind]))
        if self._split_kind in GETTERS:
            asked += [
                (highest(self._split, self._split_kind, self._dialect, function), GETTERS[self._split_kind])
                for function in ("MIN", "MAX")
            ]
        sql = f"SELECT {', '.join(sql for sql, _ in asked)} FROM {self._extract.relation}"
        count, *rest = self._database.ask(sql + (f" WHERE {where}" if where else ""), [getter for _, getter in asked])
        answer = _Answer(int(count or 0))
        if self._mark:
            answer = replace(answer, marked=int(rest[0] or 0), reached=_mark(self._mark_kind, rest[1]))
        if self._split_kind in GETTERS:
            answer = replace(answer, bounds=(_mark(self._split_kind, rest[-2]), _mark(self._split_kind, rest[-1])))
        return answer

    def _new(self, *conditions: str) -> str:
        """Return the condition of rows that are new since the stored watermark and fulfil others, '' for all."""
        sign = ">" if self._is_strict else ">="
        above = [f"{self._mark} {sign} {self._low.literal(self._dialect)}"] if self._low is not None else []
        return " AND ".join([*above, *conditions])

    def window(self, reached: Mark | None) -> str:
        """Return the condition of the rows that this extraction reads, '' for all.

        Rows above what is reached wait for the next extraction, all of them where nothing is. Rows without a watermark
        are read each time; not for append, which refuses them: one that comes now would land once more when it is
        filled.
        """
        if not self._mark:
            return ""
        within = self._new(f"{self._mark} <= {reached.literal(self._dialect)}" if reached else "1 = 0")
        return within if self._table.load == "append" else f"({within} OR {self._mark} IS NULL)"

    def split_column(self) -> Sequence[str]:
        """Return the split column under a name of its own, for the partitions' conditions; Spark does not read it."""
        if not self._split:
            return ()
        value = self._dialect.at_utc.format(column=self._split) if self._split_kind == ZONED else self._split
        return (f"{value} AS {self._database.quote(SPLIT)}",)

    def predicates(self, found: _Answer) -> Sequence[str]:
        """Return the partitions' conditions; what fits into one fetch is read by one connection."""
        if not self._split or (found.rows or 0) <= self._extract.fetch_size:
            return EVERYTHING
        column, splits = self._database.quote(SPLIT), self._extract.splits
        if self._split_kind == "hash":
            return buckets(column, splits, self._dialect)
        least, greatest = found.bounds
        if self._split_kind == ZONED:  # selected in UTC, and so are its bounds
            least, greatest = (replace(bound, kind=MOMENT) if bound else None for bound in found.bounds)
        return ranges(column, least, greatest, splits, self._dialect)

    def _refuse_unmarked(self, found: _Answer) -> None:
        """Refuse rows without a watermark: they could not be told from those that landed before."""
        if without := (found.rows or 0) - found.marked:
            raise SourceRefusedError(
                f"{self._table.name}: {without} rows of {self._extract.said} have no {self._extract.watermark}: load "
                "append would land them each time; fill it, or leave them out with source.query"
            )

    def _refuse_future(self, reached: Mark | None, now: datetime) -> None:
        if reached and is_ahead(reached, now):
            raise SourceRefusedError(
                f"{self._table.name}: {self._extract.watermark} of {self._extract.said} reaches {reached.value}, more "
                "than a day ahead: the watermark would pass over all that is written until then; correct these rows, "
                "or leave them out with source.query"
            )


def _mark(kind: str, value: str | None) -> Mark | None:
    return Mark(kind, value) if value is not None else None
