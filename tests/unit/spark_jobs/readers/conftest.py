"""A bench for readers: bytes that land under a key, and what a batch reads from them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from contracts.model import Column, Source, Table
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.staging.landings import Landing
from spark_jobs.layers.staging.reading import Reader
from spark_jobs.layers.staging.records import REJECT
from spark_jobs.layers.staging.session import configure
from tests.unit.spark_jobs.staging.conftest import FolderS3

NOW = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Read:
    """What came of one file: good rows and (number, column, rule, reason, raw) of refused ones; or why it failed."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    refused: list[tuple[Any, ...]] = field(default_factory=list)
    failed: str | None = None

    @property
    def records(self) -> int:
        return len(self.rows) + len(self.refused)


@dataclass
class Bench:
    """Reads many files at once; those that fail are left out and the others are read again, as a pipeline does."""

    spark: SparkSession
    s3: FolderS3
    numbers: Any = field(default_factory=itertools.count)

    def read(self, table: Table, body: bytes | str, key: str = "t/file") -> Read:
        """Read one file."""
        return self.read_all(table, [body], [key])[0]

    def read_all(self, table: Table, bodies: Sequence[bytes | str | None], keys: Sequence[str] = ()) -> list[Read]:
        """Read files in one batch; the answer is in their order. None is a file that is deleted since it landed."""
        landings = [self._land(body, keys[i] if keys else f"t/{i}") for i, body in enumerate(bodies)]
        failed: dict[str, str] = {}
        while True:
            left = [landing for landing in landings if landing.id not in failed]
            try:
                found = self._read(table, left) if left else {}
                return [found.get(one.id) or Read(failed=failed[one.id]) for one in landings]
            except ContractViolationError as error:
                blamed = {id_: reason for id_, (reason, _) in error.landings.items()}
                said = str(error)
            assert blamed and not failed.keys() & blamed, f"no landing is named: {said}"
            failed.update(blamed)

    def _land(self, body: bytes | str | None, key: str) -> Landing:
        number = next(self.numbers)
        version = f"r{number}-{id(self)}"
        if body is not None:
            self.s3.put("test-raw", key, version, body.encode() if isinstance(body, str) else body)
        return Landing(f"L{number}", "test-raw", key, version, f"{number:016X}", NOW, NOW)

    def _read(self, table: Table, landings: Sequence[Landing]) -> Mapping[str, Read]:
        reader = Reader(self.spark, self.s3, "test-staging", f"read-{id(self)}-{next(self.numbers)}")
        claims = reader.claim(table, landings)
        try:
            rows = reader.rows(table, claims).localCheckpoint()
        except Py4JJavaError as error:
            raise reader.blame(table) or error from error
        reader.refuse_fatal(table, rows.filter(rows[REJECT].isNotNull()))
        good, refused = {c.number: [] for c in claims}, {c.number: [] for c in claims}
        for row in rows.orderBy("_landing", "_row_number").collect():
            if row[REJECT] is None:
                good[row["_landing"]].append(tuple(row[name] for name in table.column_names))
            else:
                reject = row[REJECT]
                refused[row["_landing"]].append(
                    (row["_row_number"], reject.column, reject.rule, reject.reason, row["_raw"])
                )
        return {c.landing.id: Read(good[c.number], refused[c.number]) for c in claims}


@pytest.fixture
def files(profiled) -> Bench:
    configure(profiled)
    return Bench(profiled, FolderS3(Path(profiled.conf.get("landfall.test.root"))))


def table(*columns: str | Column, form: str = "csv", options: Mapping[str, Any] | None = None, **words: Any) -> Table:
    """Return an append table; a column is `name type` or a Column."""
    made = tuple(c if isinstance(c, Column) else Column(*c.split(" ", 1)) for c in columns)
    source = Source("t/", form, words.pop("compression", "auto"), dict(options or {}))
    return Table("t", "append", source, made, **words)
