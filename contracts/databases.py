"""Databases as a source: what a connection is, and what is extracted through it. Standard library only."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EXTRACTED_FORMAT = "parquet"
# The key of an extraction holds its time: 2013-01-02T020000.000000Z, without colons, which Hadoop's paths refuse.
EXTRACTED_AT = r"(?P<date>\d{4}-\d{2}-\d{2})T(?P<time>\d{6}\.\d{6}Z)"
OVERLAP_OF_NUMBERS = (
    "must be written out where the watermark is a number: how many numbers behind the greatest may still be "
    "uncommitted, e.g. 1000; 0 where none can"
)


@dataclass(frozen=True)
class Connection:
    """One database: its JDBC URL, the secret with its user and password, and the network it is reached through.

    `environments` holds what differs in one environment, e.g. `{"dev": {"url": "jdbc:…"}}`.
    """

    name: str
    url: str
    description: str = ""
    secret: str = ""
    driver: str = ""
    driver_jar: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    subnet_id: str = ""
    security_groups: tuple[str, ...] = ()
    availability_zone: str = ""
    environments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def in_environment(self, env: str) -> Connection:
        """Return the connection as it is in one environment."""
        return dataclasses.replace(self, environments={}, **_frozen(self.environments.get(env, {})))


@dataclass(frozen=True)
class Extract:
    """What a table's landings are extracted from: a table or a query of a connection, whole or by a watermark.

    `overlap` is a time (`10m`) or a number, as the watermark is; None: the default of its kind, which a number lacks.
    """

    connection: str
    table: str = ""
    query: str = ""
    watermark: str = ""
    overlap: str | int | None = None
    split_by: str = ""
    splits: int = 8
    fetch_size: int = 10_000
    schedule: str = ""

    @property
    def relation(self) -> str:
        """Return what stands behind FROM."""
        return self.table or f"({self.query.strip()}) q"

    @property
    def said(self) -> str:
        """Return what an operator knows it by."""
        return self.table or "source.query"


def connection_from_dict(raw: Mapping[str, Any]) -> Connection:
    """Build a Connection from the plan's JSON object."""
    return Connection(**_frozen(raw))


def _frozen(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
