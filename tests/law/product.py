"""Run a world through the product, batch after batch, and read what its tables hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count, product
from typing import Any

from contracts.model import Plan
from spark_jobs.layers.maintenance.maintain import maintain
from spark_jobs.layers.maintenance.policy import Policy
from spark_jobs.layers.marts.attempt import Run
from spark_jobs.layers.marts.build import Result, build
from tests.law.histories import KEYS, World, moment
from tests.law.oracle import Landing, Record, in_effect
from tests.law.shapes import ABSENT, FACTS
from tests.unit.spark_jobs.marts.bench import Bench as MartBench
from tests.unit.spark_jobs.staging.conftest import Bench

NOW = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass
class Product:
    """The product's tables of one world. Like the ledger, it tells each batch what counts and what no more does."""

    bench: Bench
    world: World
    chosen: Sequence[str] = ()
    name: str = "t"
    arrived: list[Landing] = field(default_factory=list)
    staged: dict[tuple[str, str], Landing] = field(default_factory=dict)
    landed: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    runs: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        self.table = self.world.shape.table(self.name)
        marts = {mart.name.removeprefix(f"{self.name}_"): mart for mart in self.world.shape.marts(self.name)}
        self.marts = {name: mart for name, mart in marts.items() if name in self.chosen}
        facts = self.world.shape.facts(FACTS)
        tables = {self.name: self.table, FACTS: facts}
        self.plan = Plan("law", tables, {mart.name: mart for mart in self.marts.values()})
        if "fact" in self.marts:
            MartBench(self.bench.lake, self.plan).log(FACTS, [(*row, "I", NOW) for row in self.facts()])

    def facts(self) -> list[tuple[Any, ...]]:
        """Return (h, k, at, id) of facts at several times of each key."""
        every = product(range(self.world.histories), (key for key in KEYS if key is not None), range(5))
        return [(h, k, moment(at, self.world.shape, facts=True), number) for number, (h, k, at) in enumerate(every)]

    def stage(self, landings: Sequence[Landing], **words: Any) -> None:
        """Stage a batch: what of it counts, what counts again without a version between, less what no more does."""
        self.arrived += [one for one in landings if one not in self.arrived]
        counting = {_name(one): one for one in in_effect(self.arrived, self.world.shape.rules)}
        again = {_name(one) for one in landings}
        claimed = [one for name, one in counting.items() if name not in self.staged or name in again]
        retired = [self._land(one) for name, one in self.staged.items() if name not in counting]
        staged = self.bench.stage(self.table, *(self._land(one) for one in claimed), retired=retired, **words)
        assert staged.books.balanced, staged.books
        self.staged = counting

    def stage_again(self, mode: str) -> None:
        """Stage all that counts into empty tables (rebuild), or every second landing anew (replay)."""
        landings = list(self.staged.values())[:: 2 if mode == "replay" else 1]
        staged = self.bench.stage(self.table, *(self._land(one) for one in landings), mode=mode)
        assert staged.books.balanced, staged.books

    def build(self, mart: str, rebuild: bool = False) -> Result:
        run = Run(self.bench.lake, self.plan, self.marts[mart], f"{mart}-{next(self.runs)}", NOW, rebuild)
        return build(run)

    def maintain(self) -> None:
        """Merge files and expire every snapshot that nobody has still to read, as if a month had passed."""
        done = maintain(self.bench.lake, self.plan, Policy(datetime.now(UTC) + timedelta(days=30)))
        assert [one for one in done if one.error] == []

    def log(self) -> list[tuple[Any, ...]]:
        """Return (_op, _effective_from, key of the object, contract columns), sorted."""
        return self._rows("staging", self.name, "_op", "_effective_from", "_source_file", *self.table.column_names)

    def quarantine(self) -> list[tuple[Any, ...]]:
        """Return (key of the object, record number) of refused rows, sorted."""
        return self._rows("quarantine", self.name, "_source_file", "_row_number")

    def rows(self, mart: str, *columns: str) -> list[tuple[Any, ...]]:
        return self.pointed() if mart == "fact" else self._rows("mart", self.marts[mart].name, *columns)

    def pointed(self) -> list[tuple[Any, ...]]:
        """Return the id of each fact, and what the member is that it points to."""
        lake = self.bench.lake
        facts, members = (lake.read(lake.table("mart", f"{self.name}_{name}")) for name in ("fact", "all"))
        theirs = members.select(f"{self.name}_all_key", "v", "w", "u", "valid_from", "is_inferred")
        found = facts.select("id", f"{self.name}_all_key").join(theirs, f"{self.name}_all_key", "left")
        return plain(tuple(row) for row in found.drop(f"{self.name}_all_key").collect())

    def _rows(self, layer: str, name: str, *columns: str) -> list[tuple[Any, ...]]:
        rows = self.bench.lake.read(self.bench.lake.table(layer, name))
        rows = (rows.filter("NOT is_inferred") if "is_inferred" in rows.columns else rows).select(*columns)
        return plain(tuple(row) for row in rows.collect())

    def _land(self, landing: Landing) -> dict[str, Any]:
        name = _name(landing)
        if name not in self.landed:
            at = landing.event_time.isoformat()
            object_ = self.bench.land(self.text(landing.records), f"{self.name}/{landing.key}", at)
            self.landed[name] = {**object_, "sequencer": landing.sequencer}
        return self.landed[name]

    def text(self, records: Sequence[Record]) -> str:
        """Return the records as CSV; NULL is an empty field, '' two quotes."""
        names = self.table.column_names
        header = [*names, *self.table.unstored]
        lines = [[*(_said(record, name) for name in names), *self._act(record)] for record in records]
        return "".join(",".join(_field(value) for value in line) + "\n" for line in [header, *lines])

    def _act(self, record: Record) -> tuple[str, ...]:
        word = "T" if record.truncates else "D" if record.deletes else "U"
        return (word,) if self.table.unstored else ()


def plain(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows in an order and in types that do not depend on who made them: times without a zone, keys alone."""
    return sorted((tuple(_plain(value) for value in row) for row in rows), key=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, str) and value.startswith("s3://"):
        return value.removeprefix("s3://test-raw/t/")
    return value


def _said(record: Record, name: str) -> Any:
    return ABSENT if name in record.lacks else record.row[name]


def _field(value: Any) -> str:
    if value is None:
        return ""
    if value == "":
        return '""'
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return value.isoformat() if isinstance(value, date) else str(value)


def _name(landing: Landing) -> tuple[str, str]:
    return (landing.key, landing.sequencer)
