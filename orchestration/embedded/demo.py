"""The demo: fourteen days of flights land night by night, and the pipeline works after each night."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from orchestration.embedded.demo_data import DemoFile, nights
from orchestration.embedded.report import Execution

if TYPE_CHECKING:
    from contracts.model import Plan
    from orchestration.embedded.cloud import Cloud

DAYS = 14
BOOKS = ("landings", "read", "inserted", "updated", "unchanged", "duplicate", "rejected", "deleted")
QUESTION = """\
SELECT p.tailnum, p.seats, p.valid_from, p.valid_to, count(*) AS flights, max(f.flight_date) AS last_flight
FROM mart.fct_flights f JOIN mart.dim_planes p ON f.dim_planes_key = p.dim_planes_key
WHERE p.tailnum = 'N593JB'
GROUP BY p.tailnum, p.seats, p.valid_from, p.valid_to
ORDER BY p.valid_from"""


@dataclass(frozen=True)
class Night:
    """What landed in one night, and the executions that worked on it."""

    day: date
    files: tuple[DemoFile, ...]
    executions: tuple[Execution, ...]


def play(cloud: Cloud, files: Sequence[DemoFile]) -> Iterator[Night]:
    """Land the files night by night in order of their events; run the pipeline after each night."""
    for day, landed in nights(list(files)):
        for file in landed:
            cloud.land(file.path, file.key, at=file.at)
        yield Night(day, tuple(landed), tuple(cloud.run()))


def count_rows(cloud: Cloud, plan: Plan) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return every table and mart with its rows; tables with the books of all their batches."""
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
    return ["table", *columns[1:]], rows
