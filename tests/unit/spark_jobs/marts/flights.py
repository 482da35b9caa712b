"""Flights, the planes that fly them, and a fact that looks the planes up."""

from __future__ import annotations

from datetime import date, datetime

from contracts.model import DimensionLookup, EffectiveAt
from tests.unit.spark_jobs.marts.bench import mart, table

D1, D2, D3 = (date(2024, 1, day) for day in range(1, 4))
BY_DAY = EffectiveAt(column="since")
FLIGHTS = table("flights", "no int, day date, tail string, origin string, miles int", load="append")
PLANES = table("planes", "tail string, seats int, since date", load="changes", key=("tail",), effective_at=BY_DAY)
DIM_PLANES = mart("dim_planes", "scd2", "planes", track=("seats",))
TO_PLANES = DimensionLookup("dim_planes", {"tail": "tail"}, as_of="day")
LANDED = datetime(2024, 2, 1)


def facts(*dimensions, **more):
    return mart(
        "facts",
        "fact",
        "flights",
        sql="SELECT no, day, tail, origin, miles FROM flights",
        key=("no",),
        incremental_by=("day",),
        dimensions=dimensions,
        reads=("flights", *dict.fromkeys(lookup.dimension for lookup in dimensions)),
        **more,
    )


def flight(no, day, tail, origin="JFK", miles=1):
    return (no, day, tail, origin, miles, "I", LANDED)


def plane(tail, seats, since):
    return (tail, seats, since, "U", since)


def pointed(b):
    """Return fact number, and tail, seats, valid_from, is_inferred of the member it points to."""
    lake = b.lake
    found = lake.spark.sql(
        f"SELECT no, d.tail, d.seats, d.valid_from, d.is_inferred FROM {lake.table('mart', 'facts')} f "
        f"LEFT JOIN {lake.table('mart', 'dim_planes')} d USING (dim_planes_key)"
    )
    return sorted((tuple(row) for row in found.collect()), key=repr)
