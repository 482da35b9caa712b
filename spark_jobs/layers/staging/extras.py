"""`extra_columns: add`: columns that files have and the contract has not become text columns of the staging table.

The plan stays the truth: checks, keys and marts know declared columns only. Which extra columns there are stands in
a property of the change log, as it was found in the files, so that every later batch reads them too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pyspark.sql import SparkSession

from contracts.model import Column, Table
from contracts.paths import BY_PATH, is_kept, split_path
from spark_jobs.layers.errors import all_violations
from spark_jobs.layers.lake import Lake
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers.formats import FORMATS
from spark_jobs.layers.staging.readers.seam import refuse

PROPERTY = "landfall.extra-columns"
_LONGEST = 120  # letters of a name; Glue's catalog takes 255, and refuses the table with one that is longer


def found_columns(spark: SparkSession, table: Table, claims: Sequence[Claim]) -> list[str]:
    """Return the names of the columns that files have, once each, as their headers, schemas or records tell.

    ContractViolationError where no job could tell a column from its own.
    """
    names = FORMATS[table.source.format].names(spark, table, claims) if claims else []
    if kept := next((name for name in names if is_kept(name)), None):
        reason = f"column {kept} has a name that jobs keep for themselves; send it under another"
        raise all_violations([refuse(table, claim, reason, kept) for claim in claims])
    return list(dict.fromkeys(name for name in names if name))


def followed(lake: Lake, log: str, table: Table, found: Iterable[str]) -> Table:
    """Return the table with all extra columns that its files ever had, `found` among them, and remember those."""
    known = _remembered(lake, log)
    extras = extra_columns(table, [*known.values(), *found], known)
    if extras != known:
        handle = lake.handle(log)
        handle.updateProperties().set(PROPERTY, json.dumps(extras, sort_keys=True)).commit()
    return with_extras(table, extras)


def extra_columns(table: Table, found: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """Return the extra columns, name in the table to name in the file; names that are taken get `_extra`.

    What the contract declares by now is none any more; the others keep the names that they have.
    """
    declared = {_field(table, name) for name in table.source_names}
    taken = {name.lower() for name in table.column_names}
    extras = {name: source for name, source in known.items() if _field(table, source) not in declared}
    have = {_field(table, source) for source in extras.values()}
    for source in found:
        if _field(table, source) in declared | have:
            continue
        name = column_name(source)
        while name in taken or name in extras:
            name += "_extra"
        extras[name] = source
        have.add(_field(table, source))
    return extras


def with_extras(table: Table, extras: Mapping[str, str]) -> Table:
    """Return the table with extra columns as text, each of which a file may lack."""
    added = tuple(Column(name, "string", source=source, reads=(source,)) for name, source in sorted(extras.items()))
    source = replace(table.source, optional=(*table.source.optional, *extras.values()))
    return replace(table, columns=(*table.columns, *added), source=source)


def _remembered(lake: Lake, log: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(dict(lake.handle(log).properties()).get(PROPERTY, "{}"))
    return found


def _field(table: Table, source: str) -> str:
    """Return what a column is compared by, in small letters: its name, or the first one of its path."""
    return (split_path(source)[0] if table.source.format in BY_PATH else source).lower()


def column_name(source: str) -> str:
    """Return a column name of letters, digits and _ that does not begin as audit columns do."""
    name = re.sub(r"\W+", "_", source, flags=re.ASCII).strip("_").lower()[:_LONGEST]
    return name if re.match(r"[a-z]", name) else f"c_{name}".rstrip("_")
