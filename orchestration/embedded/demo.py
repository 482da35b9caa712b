"""The demo: fourteen days of flights land night by night, and the pipeline works after every fifth night.

A register of planes that lands as a file is in the operations database too, and is extracted from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from orchestration.embedded.demo_data import DemoFile, nights
from orchestration.embedded.fleet import begin_extraction
from orchestration.embedded.report import Execution

if TYPE_CHECKING:
    from contracts.model import Plan, Table
    from orchestration.embedded.cloud import Cloud

NIGHTS_PER_RUN = 5
BOOKS = ("landings", "read", "inserted", "updated", "unchanged", "duplicate", "rejected", "deleted")
QUESTION = """\
SELECT p.tailnum, p.seats, p.valid_from, p.valid_to, count(*) AS flights, max(f.flight_date) AS last_flight
FROM mart.fct_flights f JOIN mart.dim_planes p ON f.dim_planes_key = p.dim_planes_key
WHERE p.tailnum = 'N593JB'
GROUP BY p.tailnum, p.seats, p.valid_from, p.valid_to
ORDER BY p.valid_from"""


@dataclass(frozen=True)
class Round:
    """What landed in a few nights, and the executions that worked on it."""

    first: date
    last: date
    files: tuple[DemoFile, ...]
    executions: tuple[Execution, ...]


def play(cloud: Cloud, files: Sequence[DemoFile], nights_per_run: int = NIGHTS_PER_RUN) -> Iterator[Round]:
    """Land the files night by night in order of their events; run the pipeline after every few nights."""
    found = list(nights(list(files)))
    for start in range(0, len(found), nights_per_run):
        some = found[start : start + nights_per_run]
        landed = [file for _, group in some for file in group]
        for file in landed:
            cloud.land(file.path, file.key, at=file.at)
        extraction = _extract_newest(cloud, landed)
        ran = {one.arn: one for one in cloud.run()}
        if extraction:
            ran.setdefault(extraction, cloud.live.executions.get(extraction))
        yield Round(some[0][0], some[-1][0], tuple(landed), tuple(ran.values()))


def _extract_newest(cloud: Cloud, landed: Sequence[DemoFile]) -> str | None:
    """Begin to extract the newest of the registers of planes among the files; return the execution's ARN."""
    registers = [file for file in landed if file.key.startswith("reference/planes/")]
    return begin_extraction(cloud, registers[-1].path, registers[-1].path.parent.name) if registers else None


def count_rows(cloud: Cloud, plan: Plan) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return every table and mart with its format or kind and its rows; tables with the books of all their batches."""
    tables = "\nUNION ALL ".join(
        f"SELECT {number}, '{layer}.{name}' AS name, count(*) AS rows FROM {layer}.{name}"
        for number, (layer, name) in enumerate(
            [("staging", table) for table in plan.tables] + [("mart", mart) for mart in plan.marts]
        )
    )
    sums = ", ".join(f"sum({name}) AS {name}" for name in BOOKS)
    columns, rows = cloud.query(
        f"SELECT t.name, t.rows, {', '.join(f'b.{name}' for name in BOOKS)} "
        f"FROM ({tables}) AS t(number, name, rows) "
        f"LEFT JOIN (SELECT table, {sums} FROM audit.batches GROUP BY table) b ON t.name = concat('staging.', b.table) "
        "ORDER BY t.number"
    )
    forms = {f"staging.{name}": form_of(table) for name, table in plan.tables.items()}
    forms |= {f"mart.{name}": mart.kind for name, mart in plan.marts.items()}
    return ["table", "format or kind", *columns[1:]], [(row[0], forms[row[0]], *row[1:]) for row in rows]


def form_of(table: Table) -> str:
    """Return how a table's rows come, such as `csv.gz` or `parquet by JDBC`."""
    if table.source.extract:
        return f"{table.source.format} by JDBC"
    return table.source.format + {"gzip": ".gz", "bzip2": ".bz2"}.get(table.source.compression, "")
