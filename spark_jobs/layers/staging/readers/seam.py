"""The seam of all formats: the records that a reader returns, and the words in which it refuses a file.

A reader returns a DataFrame of records: the contract's source columns (text, or what a typed format holds), `_broken`
(NULL, or why the record cannot be used: struct(column, rule, reason)), `_raw` (its text), `_landing` (the claim's
number) and `_row_number` (orders and finds the record in its file). Formats of lines add each record's fingerprint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.shaping import conformed, parse_schema, quoted
from spark_jobs.layers.staging.checks import REASON
from spark_jobs.layers.staging.claims import Claim

BROKEN, RAW, LANDING, ROW_NUMBER = "_broken", "_raw", "_landing", "_row_number"
FINGERPRINT = ("_text_high", "_text_low")
READING = 4  # to be raised when the same text comes to mean another row, or the state to keep fingerprints otherwise
HELD = "_held"  # the source columns that a record holds, where a contract has a use for them
CARRIED = (BROKEN, RAW, LANDING, ROW_NUMBER)
CARRIED_SCHEMA = f"{BROKEN} {REASON}, {RAW} string, {LANDING} int, {ROW_NUMBER} bigint"
RECORD, FILE, DOCUMENT, COLUMNS = "record", "file", "document", "columns"
# Rules that condemn the whole file: behind what broke there may be records that nobody can see.
FATAL_RULES = (FILE, DOCUMENT, COLUMNS)
RAW_LIMIT = 4_000
IS_EXTRA = "is not in the contract; declare it, or allow it with extra_columns: ignore"
IS_MISSING = "is missing; send it, or allow it with missing_columns: null"
# A character that Unicode keeps out of texts, for programs to use inside; the readers do.
RESERVED = "\ufdd0"
IS_RESERVED = "holds U+FDD0, which is no character of texts"
NO_TEXT = "holds bytes that are no text in the declared encoding"


def no_records(spark: SparkSession, names: Sequence[str]) -> DataFrame:
    """Return no records, with source columns of these names."""
    columns = ", ".join(f"{quoted(name)} void" for name in names)
    fingerprint = ", ".join(f"{name} bigint" for name in FINGERPRINT)
    return conformed(spark.range(0).drop("id"), parse_schema(f"{columns}, {CARRIED_SCHEMA}, {fingerprint}"))


def united(frames: Sequence[DataFrame]) -> DataFrame:
    """Return the records of several frames."""
    records = frames[0]
    for frame in frames[1:]:
        records = records.unionByName(frame)
    return records


def meaning_of(table: Table) -> str:
    """Return a digest of all words of a contract that decide what the text of a record means."""
    words = (READING, table.source, table.columns, table.key, table.effective_at, table.checks, table.extra_columns)
    return hashlib.sha256(repr((*words, table.missing_columns)).encode()).hexdigest()


def with_fingerprint(rows: DataFrame, table: Table, text: str, only: DataFrame | None, *beside: object) -> DataFrame:
    """Add 128 bits of xxHash64 of a record's text and of all that decides what it means, in two columns.

    `beside` is what the file says of that, such as its header. Records of equal fingerprints are equal rows. Where
    `only` holds fingerprints, the records of others are left out, before they are taken apart.
    """
    meaning = hashlib.sha256(repr((meaning_of(table), beside)).encode()).hexdigest()
    marked = rows.withColumns({name: F.xxhash64(F.lit(name + meaning[:16]), F.col(text)) for name in FINGERPRINT})
    return marked if only is None else marked.join(only, on=[*FINGERPRINT], how="left_semi")


def option(table: Table, name: str, default: Any) -> Any:
    """Return a word of `source.options`."""
    return table.source.options.get(name, default)


def null_words(table: Table, escaped: bool = False) -> list[str]:
    """Return the words that mean NULL; `escaped`: those, such as \\N, that are seen before the escape is resolved."""
    words, escape = option(table, "null_value", ()), option(table, "escape", None)
    every = [words] if isinstance(words, str) else list(words)
    return [word for word in every if (escape is not None and escape in word) == escaped]


def refuse(table: Table, claim: Claim, reason: str, column: str | None = None) -> ContractViolationError:
    """Return the error that names a file, why it cannot be read, and the column at fault."""
    return ContractViolationError(
        f"{table.name}: file {claim.landing.key}: {reason}", {claim.landing.id: (reason, column)}
    )


def check_columns(table: Table, claim: Claim, found: Sequence[str]) -> None:
    """Refuse a file whose columns break the contract's `extra_columns` and `missing_columns`."""
    have, want = [name.lower() for name in found], {name.lower() for name in table.source_names}
    optional = {name.lower() for name in table.source.optional}
    missing = [name for name in table.source_names if name.lower() not in {*have, *optional}]
    extra = [name for name in found if name.lower() not in want]
    twice = [name for name in found if have.count(name.lower()) > 1 and name.lower() in want]
    if twice:
        raise refuse(table, claim, f"column {twice[0]} stands more than once in the header", twice[0])
    needed = _needed(table, missing)
    if lacking := missing if table.missing_columns == "fail" else needed:
        reason = f"column {', '.join(lacking)} is missing (the file has {', '.join(found)}); send it"
        raise refuse(table, claim, reason + _way_out(lacking, needed), lacking[0])
    if extra and table.extra_columns == "fail":
        named = ", ".join(name or "(without a name)" for name in extra)
        reason = f"column {named} is not in the contract; declare it, or allow it with extra_columns: ignore"
        raise refuse(table, claim, reason, extra[0])


def rank_of(table: Table, name: str) -> int:
    """Return what a record needs a source column for: 0 to be put in order, 1 to find its key, 2 for the rest.

    The last is nothing to a record that deletes, the last two to one that empties the table (SEMANTICS 6).
    """
    for rank, columns in enumerate((table.sequence_columns, table.key)):
        reads = [source for column in table.columns if column.name in columns for source in column.sources]
        if name.lower() in map(str.lower, reads):
            return rank
    return 2


def by_rank(table: Table) -> list[str]:
    """Return the source columns by their rank: of those that a record lacks its reader names the first."""
    return sorted(table.source_names, key=lambda name: rank_of(table, name))


def _needed(table: Table, missing: Sequence[str]) -> list[str]:
    """Return the columns without which no row of the file has a place in the table, whatever the contract allows."""
    needed = {*table.key, *(table.sequence_columns if table.updates == "partial" else (table.effective_at.column,))}
    sources = {source.lower() for column in table.columns if column.name in needed for source in column.sources}
    return [name for name in missing if name.lower() in sources]


def _way_out(missing: Sequence[str], needed: Sequence[str]) -> str:
    if len(needed) == len(missing):
        return ", since key and order of the rows depend on it"
    which = f"all but {', '.join(needed)}" if needed else "it"
    return f", or allow {which} with missing_columns: null"
