"""The fields of records that tell them each by themselves (JSON, XML), for contracts that follow or merge them."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.errors import all_violations
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers.seam import LANDING, refuse

FIELD = "_field"
MOST_FIELDS = 1_000


def gathered(fields: DataFrame, table: Table, claims: Sequence[Claim]) -> list[str]:
    """Return as paths the names in `_field`, once each and sorted; a file with very many is refused.

    A name that no path can hold is left out, and the reader refuses its record.
    """
    some = F.slice(F.array_sort(F.collect_set(FIELD)), 1, MOST_FIELDS + 1)
    found = {row[0]: row[1] for row in fields.groupBy(LANDING).agg(some).collect()}
    reason = f"has more than {MOST_FIELDS:,} different fields; declare a map, or allow them with extra_columns: ignore"
    if errors := [refuse(table, one, reason) for one in claims if len(found.get(one.number, ())) > MOST_FIELDS]:
        raise all_violations(errors)
    names = sorted({name for names in found.values() for name in names})
    return [f"`{name}`" if "." in name else name for name in names if name and "`" not in name]
