"""Where an extraction goes on: after the stored watermark, after a given value, or from the beginning."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from contracts.databases import Extract
from contracts.model import Table
from spark_jobs.layers.extraction.failures import SourceRefusedError
from spark_jobs.layers.extraction.ledger import Origin, Watermark
from spark_jobs.layers.extraction.marks import TIMES, Mark, parsed

_CLOCKS_DIFFER = timedelta(days=1)
_VALUE = "<value after which to go on>"


def resumed(
    table: Table, extract: Extract, kind: str, stored: Watermark | None, given: str, now: datetime
) -> Watermark | None:
    """Return the watermark to go on from, None to read everything; `kind` is that of its column, '' without one.

    A `given` value takes the place of the stored watermark. SourceRefusedError names the input that works.
    """
    own = Origin.of(extract)
    known = stored if stored and stored.of.is_same(own) and stored.mark.kind == kind else None
    if given:
        return Watermark(_given(table, own, kind, known, given, now), now, own)
    if stored and not known:
        raise SourceRefusedError(
            f"{table.name}: the stored watermark {stored.mark.value} is of {stored.of}, a {stored.mark.kind}, and the "
            f"contract's of {own}, a {kind}: {way_out(table)}"
        )
    return known


def _given(table: Table, own: Origin, kind: str, known: Watermark | None, given: str, now: datetime) -> Mark:
    """Return the mark that the input gives; below the known watermark rows of an append table have landed already."""
    place = f"{table.name}: watermark {given!r}"
    if not kind:
        raise SourceRefusedError(f"{place} is of no column, for the contract names none: {_start(table)}")
    try:
        mark = parsed(kind, given)
    except ValueError as wanted:
        raise SourceRefusedError(f"{place} must be {wanted}, as {own} is: {_start(table, watermark=_VALUE)}") from None
    if is_ahead(mark, now):
        raise SourceRefusedError(f"{place} is more than a day ahead: {_start(table, watermark=_VALUE)}")
    if known and table.load == "append" and mark.order < known.mark.order:
        raise SourceRefusedError(
            f"{place} is below {known.mark.value}, up to which rows have landed; they would land a second time: "
            + _start(table)
        )
    return mark


def way_out(table: Table) -> str:
    """Return the words that name the input which sets a watermark anew."""
    return _start(table, watermark=_VALUE) if table.load == "append" else _start(table, mode="full")


def _start(table: Table, **words: str) -> str:
    return f"start {json.dumps({'table': table.name, **words})}"


def is_ahead(mark: Mark, now: datetime) -> bool:
    """Tell whether a time is further ahead than clocks differ: what is written before it would be passed over."""
    return mark.kind in TIMES and mark.moment > now.replace(tzinfo=None) + _CLOCKS_DIFFER
